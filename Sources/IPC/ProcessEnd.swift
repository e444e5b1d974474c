/// How a process ended, waitid(2).
public enum ProcessEnd: MessageChoice, CustomStringConvertible {
    /// It exited with status 0.
    case clean
    /// It exited with another status.
    case exited(status: UInt8)
    /// SIGSYS killed it, because it made a system call that is not in its table.
    case violation
    /// Another signal killed it.
    case signalled(UInt8)

    /// See `MessageChoice`.
    public static let kinds: [ProcessEnd] = [.clean, .exited(status: 0), .violation, .signalled(0)]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .clean: 1
        case .exited: 2
        case .violation: 3
        case .signalled: 4
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .clean, .violation: break
        case .exited(var status):
            try fields.field(&status)
            self = .exited(status: status)
        case .signalled(var signal):
            try fields.field(&signal)
            self = .signalled(signal)
        }
    }

    /// What happened, for the log and for clients.
    public var description: String {
        switch self {
        case .clean: "clean exit"
        case .exited(let status): "failed with exit status \(status)"
        case .violation: "sandbox violation (SIGSYS)"
        case .signalled(let signal): "crashed or killed by signal \(signal)"
        }
    }
}
