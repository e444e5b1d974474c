/// A request of a worker's `ssh` to the gate, which is its master (`"transport": "ssh"`). Every other request is a
/// violation.
public enum SSHRequest: Equatable, Sendable {
    /// The version of the protocol that `ssh` speaks.
    case hello(version: UInt32)
    /// Asks whether the master lives.
    case aliveCheck(request: UInt32)
    /// Opens a session. Three descriptors follow, each with a byte of its own.
    case newSession(request: UInt32, MuxSession)

    /// Reads one whole message, which comes without its length.
    public static func decode(_ message: ArraySlice<UInt8>) throws(MuxViolation) -> SSHRequest {
        var reader = MuxReader(message)
        let number = try reader.takeNumber()
        if let refused = RefusedRequest(rawValue: number) { throw .refusedRequest(refused) }
        guard let type = RequestType(rawValue: number) else { throw .unknownType(number) }
        let request: SSHRequest
        switch type {
        case .hello: return .hello(version: try MuxHello.version(from: &reader))
        case .aliveCheck: request = .aliveCheck(request: try reader.takeNumber())
        case .newSession:
            request = .newSession(request: try reader.takeNumber(), try MuxSession(from: &reader))
        case .openForward: throw .refusedRequest(.openForward)
        case .closeForward: throw .refusedRequest(.closeForward)
        }
        try reader.finish()
        return request
    }
}
