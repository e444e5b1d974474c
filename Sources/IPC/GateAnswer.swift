/// Gate → worker, over their own channel.
public enum GateAnswer: IPCMessage {
    /// The first message: the gate is confined and hears requests. The nonces of the lines that it is asked for begin with its mark,
    /// `Nonce.makeMark`.
    case ready(mark: String)
    /// What there is to say of the ControlMaster that was asked about.
    case master(MasterState)
    /// The session is allowed, and this text is its ticket: the command of the `ssh` that brings the session's pipes.
    case ticket(String)
    /// The host has opened the session of this id, and was sent what it is to run.
    case opened
    /// It has not. Nothing more is said of this session.
    case notOpened(SessionFailure)
    /// What the session ran has ended with this status, which can be any number that the host sent. Output may still come.
    case exited(status: UInt32)
    /// The session is over, and the pipes have all of its output that has reached the ControlMaster. Where no `exited` came
    /// before: it ran nothing, a signal ended it, the connection was lost, or the worker closed it. Nothing more is said of it.
    case ended
    /// The policy does not allow what was to be judged.
    case refused(GateRefusal)
    /// The policy allows the forward that was to be judged.
    case allowed

    /// See `MessageSubject`.
    public var descriptorCount: Int { 0 }

    /// See `IPCMessage`.
    public static var maximumDescriptors: Int { 0 }

    /// See `MessageChoice`.
    public static let kinds: [GateAnswer] = [
        .ready(mark: ""), .master(.down(.hung)), .opened, .notOpened(.byHost), .exited(status: 0), .ended,
        .refused(.blank),
        .allowed, .ticket(""),
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .ready: 1
        case .master: 2
        case .opened: 3
        case .notOpened: 4
        case .exited: 5
        case .ended: 6
        case .ticket: 16
        case .refused: 7
        case .allowed: 8
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .opened, .ended, .allowed: break
        case .ready(var mark):
            try fields.field(&mark, limit: Nonce.markSize)
            self = .ready(mark: mark)
        case .master(var state):
            try fields.field(&state)
            self = .master(state)
        case .notOpened(var failure):
            try fields.field(&failure)
            self = .notOpened(failure)
        case .exited(var status):
            try fields.field(&status)
            self = .exited(status: status)
        case .ticket(var ticket):
            try fields.field(&ticket, limit: Nonce.maximumSize)
            self = .ticket(ticket)
        case .refused(var refusal):
            try refusal.walk(&fields)
            self = .refused(refusal)
        }
    }
}
