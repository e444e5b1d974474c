/// Why a client is not served. The worker makes the sentence.
public enum ClientRefusal: MessageChoice {
    /// Another client, the process `pid`, has had the place of this socket for `seconds`. This client has waited for `waited`
    /// seconds, which is as long as it may.
    case occupied(socket: String, pid: UInt32, seconds: UInt32, waited: UInt32)
    /// The client got no place in time, although nobody has the place now.
    case noPlace
    /// The client's worker failed before it was ready.
    case noWorker(ProgramFailure)

    /// Bytes of a socket's path.
    private static let maximumPath = 4096

    /// See `MessageChoice`.
    public static let kinds: [ClientRefusal] = [
        .occupied(socket: "", pid: 0, seconds: 0, waited: 0), .noPlace, .noWorker(.missing),
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .occupied: 1
        case .noPlace: 2
        case .noWorker: 3
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .occupied(var socket, var pid, var seconds, var waited):
            try fields.field(&socket, limit: Self.maximumPath)
            try fields.field(&pid)
            try fields.field(&seconds)
            try fields.field(&waited)
            self = .occupied(socket: socket, pid: pid, seconds: seconds, waited: waited)
        case .noPlace: break
        case .noWorker(var failure):
            try fields.field(&failure)
            self = .noWorker(failure)
        }
    }
}
