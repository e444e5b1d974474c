/// What a worker is started for.
public enum WorkerRole: MessageChoice {
    /// Serve MCP on the client descriptor until the client goes.
    case serve
    /// Answer the client's first request with this error, then end.
    case refuse(ClientRefusal)
    /// Say which patterns of the policy cannot be compiled, then end.
    case check

    /// See `MessageChoice`.
    public static let kinds: [WorkerRole] = [.serve, .refuse(.noPlace), .check]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .serve: 0
        case .refuse: 1
        case .check: 2
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .serve, .check: break
        case .refuse(var refusal):
            try fields.field(&refusal)
            self = .refuse(refusal)
        }
    }
}
