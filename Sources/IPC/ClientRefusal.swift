/// Why a client is not served. The worker makes the sentence.
public enum ClientRefusal: MessageChoice {
    /// Another client has the place of this socket. This client, or its call, has waited for `waited` seconds, which is as long as
    /// it may.
    case occupied(socket: String, by: ClientInTheWay, waited: UInt32)
    /// The client got no place in time, although nobody has the place now.
    case noPlace
    /// The client's worker failed before it was ready.
    case noWorker(ProgramFailure)

    /// Bytes of a socket's path.
    private static let maximumPath = 4096

    /// See `MessageChoice`.
    public static let kinds: [ClientRefusal] = [
        .occupied(socket: "", by: ClientInTheWay(), waited: 0), .noPlace, .noWorker(.missing),
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
        case .occupied(var socket, var client, var waited):
            try fields.field(&socket, limit: Self.maximumPath)
            try client.walk(&fields)
            try fields.field(&waited)
            self = .occupied(socket: socket, by: client, waited: waited)
        case .noPlace: break
        case .noWorker(var failure):
            try fields.field(&failure)
            self = .noWorker(failure)
        }
    }
}
