/// Whether a ControlMaster lives, as a gate has just seen.
public enum MasterState: MessageChoice {
    /// It answers, and has this process id.
    case alive(masterPID: UInt32)
    /// It cannot be used.
    case down(MasterDown)

    /// See `MessageChoice`.
    public static let kinds: [MasterState] = [.alive(masterPID: 0), .down(.hung)]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .alive: 1
        case .down: 2
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .alive(var masterPID):
            try fields.field(&masterPID)
            self = .alive(masterPID: masterPID)
        case .down(var why):
            try fields.field(&why)
            self = .down(why)
        }
    }

    /// Whether it answers.
    public var isAlive: Bool {
        switch self {
        case .alive: true
        case .down: false
        }
    }
}

/// What is at a ControlMaster's socket instead of one that answers.
public enum MasterDown: MessageChoice {
    /// How long a ControlMaster may take to answer, in milliseconds, from the request on.
    public static let patience = 2_000

    /// Nobody listens there: connect(2) fails with this errno.
    case dead(errno: UInt32, MasterSocket)
    /// Something listens there, and has not answered within `patience`.
    case hung
    /// Another user, who is not root either, listens there.
    case foreign(userID: UInt32)
    /// It speaks this other version of OpenSSH's protocol.
    case otherVersion(UInt32)
    /// It does not speak OpenSSH's protocol.
    case noMaster
    /// It closed the connection without an answer: a ControlMaster that is ending, or something else.
    case closed
    /// The config has no host of this name any more.
    case noHost
    /// It was not asked: this process or this machine lacks what that takes, with this errno.
    case unavailable(errno: UInt32)
    /// It was not asked: the gate does not answer, or has ended.
    case noGate

    /// Whether something was seen of that socket; nothing was where nobody could ask there.
    public var isSeen: Bool {
        switch self {
        case .dead, .hung, .foreign, .otherVersion, .noMaster, .closed: true
        case .noHost, .unavailable, .noGate: false
        }
    }

    /// See `MessageChoice`.
    public static let kinds: [MasterDown] = [
        .dead(errno: 0, .absent), .hung, .foreign(userID: 0), .otherVersion(0), .noMaster, .closed, .noHost,
        .unavailable(errno: 0), .noGate,
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .dead: 1
        case .hung: 2
        case .foreign: 3
        case .otherVersion: 4
        case .noMaster: 5
        case .closed: 6
        case .noHost: 7
        case .unavailable: 8
        case .noGate: 9
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .dead(var errno, var place):
            try fields.field(&errno)
            try fields.field(&place)
            self = .dead(errno: errno, place)
        case .foreign(var userID):
            try fields.field(&userID)
            self = .foreign(userID: userID)
        case .otherVersion(var version):
            try fields.field(&version)
            self = .otherVersion(version)
        case .unavailable(var errno):
            try fields.field(&errno)
            self = .unavailable(errno: errno)
        case .hung, .noMaster, .closed, .noHost, .noGate: break
        }
    }
}
