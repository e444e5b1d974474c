/// How sessions at hosts are opened, the config's `transport`. It decides what a worker may do.
public enum Transport: String, Codable, CaseIterable, Sendable {
    /// The gate speaks the ControlMaster's own protocol (OpenSSH's PROTOCOL.mux), and the worker executes nothing. The default.
    case mux
    /// The worker executes OpenSSH's `ssh` for each session, and nothing else.
    case ssh
}

extension Transport: MessageChoice {
    /// See `MessageChoice`.
    public static var kinds: [Transport] { allCases }

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .mux: 1
        case .ssh: 2
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {}
}
