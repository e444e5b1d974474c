/// What came of a `ForwardOrder`, as the gate saw it. Whether a port is open is the kernel's to say: this is the master's word.
public enum ForwardOutcome: MessageChoice {
    /// The master of this process id says that it listens.
    case opened(masterPID: UInt32)
    /// The master says that it listens no more.
    case closed
    /// The master said no: it cannot have the port, or has no such forward.
    case refused
    /// No master has the order.
    case down(MasterDown)
    /// The master has the order and did not answer in time. It may carry it out yet.
    case unknown
    /// This rule of the gate's policy does not allow it. The master has heard nothing.
    case notAllowed(PolicyRule)

    /// Whether the master has answered, or there is none any more: it has no earlier order to carry out.
    public var isOfMaster: Bool {
        switch self {
        case .opened, .closed, .refused, .down(.dead), .down(.closed), .down(.foreign), .down(.otherVersion),
            .down(.noMaster):
            true
        case .down(.hung), .down(.noHost), .down(.unavailable), .down(.noGate), .unknown, .notAllowed: false
        }
    }

    /// See `MessageChoice`.
    public static let kinds: [ForwardOutcome] = [
        .opened(masterPID: 0), .closed, .refused, .down(.hung), .unknown, .notAllowed(.capability),
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .opened: 1
        case .closed: 2
        case .refused: 3
        case .down: 4
        case .unknown: 5
        case .notAllowed: 6
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .closed, .refused, .unknown: break
        case .opened(var masterPID):
            try fields.field(&masterPID)
            self = .opened(masterPID: masterPID)
        case .down(var why):
            try fields.field(&why)
            self = .down(why)
        case .notAllowed(var rule):
            try fields.field(&rule)
            self = .notAllowed(rule)
        }
    }
}
