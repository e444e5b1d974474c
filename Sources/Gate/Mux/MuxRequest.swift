/// A request of the gate to a master, made of typed values only. It is never PROXY, NEW_STDIO_FWD, TERMINATE or
/// STOP_LISTENING.
enum MuxRequest: Equatable, Sendable {
    case hello
    case aliveCheck(request: UInt32)
    case newSession(request: UInt32, MuxSession)
    case openForward(request: UInt32, MuxForward)
    case closeForward(request: UInt32, MuxForward)

    /// The message, its length first.
    func encoded() -> [UInt8] {
        var writer: MuxWriter
        switch self {
        case .hello:
            writer = MuxWriter(RequestType.hello)
            writer.put(MuxProtocol.version)
        case .aliveCheck(let request):
            writer = MuxWriter(RequestType.aliveCheck)
            writer.put(request)
        case .newSession(let request, let session):
            writer = MuxWriter(RequestType.newSession)
            writer.put(request)
            session.write(to: &writer)
        case .openForward(let request, let forward):
            writer = MuxWriter(RequestType.openForward)
            writer.put(request)
            forward.write(to: &writer)
        case .closeForward(let request, let forward):
            writer = MuxWriter(RequestType.closeForward)
            writer.put(request)
            forward.write(to: &writer)
        }
        return writer.finished()
    }
}

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

/// The fields of HELLO, which both sides send alike.
enum MuxHello {
    /// Reads the version. In version 4, pairs of a name and a value follow, one for each extension; they change nothing
    /// here. In another version, what follows is not known and not read.
    static func version(from reader: inout MuxReader) throws(MuxViolation) -> UInt32 {
        let version = try reader.takeNumber()
        guard version == MuxProtocol.version else { return version }
        while !reader.isAtEnd {
            _ = try reader.takeBytes()
            _ = try reader.takeBytes()
        }
        return version
    }
}
