/// Which line of the gate's own a session runs, see `Errand`.
public enum ErrandKind: UInt8, CaseIterable, MessageChoice {
    case stop = 1
    case probe = 2
    case trial = 3
    case sweep = 4
    case question = 5
    case identity = 6

    /// Its name in the audit log.
    public var name: String {
        switch self {
        case .stop: "stop"
        case .probe: "probe"
        case .trial: "trial"
        case .sweep: "sweep"
        case .question: "question"
        case .identity: "identity"
        }
    }
}

extension Errand {
    /// Which line it is.
    public var kind: ErrandKind {
        switch self {
        case .stop: .stop
        case .probe: .probe
        case .trial: .trial
        case .sweep: .sweep
        case .question: .question
        case .identity: .identity
        }
    }
}
