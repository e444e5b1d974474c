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
