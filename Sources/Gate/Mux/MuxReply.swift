/// A reply of a master: of OpenSSH's to the gate, or of the gate to a worker's `ssh`.
public enum MuxReply: Equatable, Sendable {
    /// The master's version of the protocol.
    case hello(version: UInt32)
    /// A forward was opened or closed.
    case ok(request: UInt32)
    /// The user did not permit the request.
    case permissionDenied(request: UInt32, reason: String)
    /// The request failed.
    case failure(request: UInt32, reason: String)
    /// The exit status of the session's command, which can be any number that the host sent.
    case exitMessage(session: UInt32, status: UInt32)
    /// The master's process id.
    case alive(request: UInt32, masterPID: UInt32)
    /// The master's number for the session that the host has opened.
    case sessionOpened(request: UInt32, session: UInt32)
    /// The port that the host chose for a remote forward.
    case remotePort(request: UInt32, port: UInt32)
    /// The host gave the session no terminal.
    case ttyAllocFail(session: UInt32)
    /// Information about the connection or its channels.
    case extendedInfo(request: UInt32, status: UInt32, text: String)

    /// The type of the message in the protocol.
    public var type: ReplyType {
        switch self {
        case .hello: .hello
        case .ok: .ok
        case .permissionDenied: .permissionDenied
        case .failure: .failure
        case .exitMessage: .exitMessage
        case .alive: .alive
        case .sessionOpened: .sessionOpened
        case .remotePort: .remotePort
        case .ttyAllocFail: .ttyAllocFail
        case .extendedInfo: .extendedInfo
        }
    }

    /// The message, its length first. A long reason is cut, and a reason ends before its first zero byte.
    public func encoded() -> [UInt8] {
        var writer = MuxWriter(type)
        switch self {
        case .hello(let version): writer.put(version)
        case .ok(let request): writer.put(request)
        case .permissionDenied(let request, let reason), .failure(let request, let reason):
            writer.put(request)
            writer.put(MuxReason.bounded(reason.utf8))
        case .exitMessage(let session, let status):
            writer.put(session)
            writer.put(status)
        case .alive(let request, let masterPID):
            writer.put(request)
            writer.put(masterPID)
        case .sessionOpened(let request, let session):
            writer.put(request)
            writer.put(session)
        case .remotePort(let request, let port):
            writer.put(request)
            writer.put(port)
        case .ttyAllocFail(let session): writer.put(session)
        case .extendedInfo(let request, let status, let text):
            writer.put(request)
            writer.put(status)
            writer.put(MuxReason.bounded(text.utf8))
        }
        return writer.finished()
    }

    /// Reads one whole message, which comes without its length.
    public static func decode(_ message: ArraySlice<UInt8>) throws(MuxViolation) -> MuxReply {
        var reader = MuxReader(message)
        let number = try reader.takeNumber()
        guard let type = ReplyType(rawValue: number) else { throw .unknownType(number) }
        let reply: MuxReply
        switch type {
        case .hello: return .hello(version: try MuxHello.version(from: &reader))
        case .ok: reply = .ok(request: try reader.takeNumber())
        case .permissionDenied:
            reply = .permissionDenied(request: try reader.takeNumber(), reason: try reader.takeReason())
        case .failure: reply = .failure(request: try reader.takeNumber(), reason: try reader.takeReason())
        case .exitMessage: reply = .exitMessage(session: try reader.takeNumber(), status: try reader.takeNumber())
        case .alive: reply = .alive(request: try reader.takeNumber(), masterPID: try reader.takeNumber())
        case .sessionOpened:
            reply = .sessionOpened(request: try reader.takeNumber(), session: try reader.takeNumber())
        case .remotePort: reply = .remotePort(request: try reader.takeNumber(), port: try reader.takeNumber())
        case .ttyAllocFail: reply = .ttyAllocFail(session: try reader.takeNumber())
        case .extendedInfo:
            reply = .extendedInfo(
                request: try reader.takeNumber(), status: try reader.takeNumber(), text: try reader.takeReason())
        }
        try reader.finish()
        return reply
    }
}
