/// What a worker is started for.
public enum WorkerRole: MessageChoice {
    /// Serve MCP on the client descriptor until the client goes.
    case serve
    /// Answer the client's first request with this error, then end.
    case refuse(ClientRefusal)
    /// Without a client: cancel the forwards that the supervisor names.
    case cancelForwards
    /// Say which patterns of the policy cannot be compiled, then end.
    case check

    /// See `MessageChoice`.
    public static let kinds: [WorkerRole] = [.serve, .refuse(.noPlace), .cancelForwards, .check]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .serve: 0
        case .refuse: 1
        case .cancelForwards: 2
        case .check: 3
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .serve, .cancelForwards, .check: break
        case .refuse(var refusal):
            try fields.field(&refusal)
            self = .refuse(refusal)
        }
    }
}
