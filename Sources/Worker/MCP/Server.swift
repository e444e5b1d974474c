internal import JSON
internal import Synchronization

/// One MCP connection. It takes lines and writes lines. Calls run concurrently, each in a task of its own, and are answered as
/// they end. ServerCalls.swift runs them.
public final class Server<Tools: ToolSet>: Sendable {
    typealias Waiting = CheckedContinuation<Void, Never>

    struct Call {
        let task: Task<Void, Never>
        let size: Int
        var cancelled = false
    }

    struct State {
        var legacy: LegacyEra
        /// The open `subscriptions/listen` requests, and whether each wants to know of changed tools.
        var subscriptions: [RequestID: Bool] = [:]
        var calls: [RequestID: Call] = [:]
        /// How many calls have ended whose answers are being written. They are not in `calls`, because a client that has read
        /// the answer may use the id again.
        var answering = 0
        /// How many bytes the requests of all calls have.
        var bytesInFlight = 0
        var closed = false
        /// Whether the client has said what it calls itself.
        var isNamed = false
        /// Why calls that fail from now on do so; nil while the connection is open.
        var closedBecause: String?
        /// Those who wait in `close` for the end of all calls.
        var idle: [Waiting] = []
        /// The calls that must not begin yet, because too many answers wait for the client; the oldest is first.
        var held: [(id: RequestID, continuation: Waiting)] = []

        /// Whether a call may begin now.
        var hasRoom: Bool { closed || answering < Server.maximumUnread }

        /// Takes all held calls if there is room. It takes all, so that no later call overtakes one of them.
        mutating func letGo() -> [Waiting] {
            guard hasRoom else { return [] }
            defer { held = [] }
            return held.map(\.continuation)
        }

        var underWay: Int { calls.count + answering }

        func isUnderWay(_ id: RequestID) -> Bool { calls[id] != nil || subscriptions[id] != nil }
    }

    /// How many calls may be under way at once. One more is told to wait.
    public static var maximumCalls: Int { 512 }
    /// How many bytes the requests under way may have together.
    public static var maximumBytesInFlight: Int { 64 << 20 }

    /// How many answers may wait for the client while new calls begin. A client that does not read stops itself.
    public static var maximumUnread: Int { 16 }
    /// How many subscriptions may be open at once.
    public static var maximumSubscriptions: Int { 64 }
    /// How many messages a batch may have.
    public static var maximumBatch: Int { UnreadableLine.maximumBatch }

    let tools: Tools
    let writer: any LineWriter
    let modern: ModernEra
    let state: Mutex<State>
    let long = LongLines()
    /// Held while a message is served, because two threads serve messages.
    private let serving = Mutex(())
    private let clientNamed: @Sendable (String) -> Void

    /// A server with these tools that writes its answers to `writer`.
    /// - Parameter clientNamed: gets what the client calls itself, once, when it first says so.
    public init(
        name: String, version: String, tools: Tools, writer: any LineWriter,
        clientNamed: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.clientNamed = clientNamed
        self.tools = tools
        self.writer = writer
        let info: JSONObject = ["name": .string(name), "version": .string(version)]
        modern = ModernEra(serverInfo: info)
        state = Mutex(State(legacy: LegacyEra(serverInfo: info)))
    }

    private enum Line: Sendable {
        case value(JSONValue)
        case unreadable(UnreadableLine, RPCError)

        init(_ bytes: [UInt8]) {
            do throws(JSONMistake) {
                self = .value(try JSONReader.read(bytes))
            } catch {
                self = .unreadable(UnreadableLine(bytes, most: Server.maximumBatch), .parseError(error))
            }
        }
    }

    /// Handles one line. Short answers are written before this returns, which slows down a client that does not read. A long
    /// line is parsed on another thread, so that the lines after it need not wait.
    public func receive(_ line: [UInt8]) {
        guard line.count <= LongLines.short else {
            return long.add(size: line.count) {
                let read = Line(line)
                self.serving.withLock { _ in self.serve(read, size: line.count, cancelled: self.long.take()) }
            }
        }
        let read = Line(line)
        if !long.isEmpty, mayDepend(read) {
            return long.add(size: line.count) {
                self.serving.withLock { _ in self.serve(read, size: line.count, cancelled: self.long.take()) }
            }
        }
        serving.withLock { _ in serve(read, size: line.count, cancelled: []) }
    }

    /// Whether the meaning of a line may depend on lines that are still being parsed. One of these may be `initialize`. As long
    /// as it has not been read, everything depends on it but notifications, responses and requests of the modern era.
    private func mayDepend(_ line: Line) -> Bool {
        guard state.withLock({ $0.legacy.revision == nil }) else { return false }
        guard case .value(let value) = line else { return true }
        switch ClientMessage(value) {
        case .notification, .response: return false
        case .invalid: return true
        case .request(_, let method, let params):
            guard case .modern = try? modern.era(method, params) else { return true }
            return false
        }
    }

    /// Blocks until all lines that were received have been handled. The thread that reads lines calls it.
    public func finishReceiving() { long.finish() }

    private func serve(_ line: Line, size: Int, cancelled: Set<RequestID>) {
        switch line {
        case .unreadable(let line, let error): refuse(line, error)
        case .value(.array(let elements)): receive(batch: elements, size: size, cancelled: cancelled)
        case .value(let value): receive(value, size: size, cancelled: cancelled, reply: SingleReply(writer: writer))
        }
    }

    /// Answers the requests in a line that is no JSON.
    private func refuse(_ unreadable: UnreadableLine, _ error: RPCError) {
        if unreadable.isBatch {
            refuse(batch: unreadable.ids, error)
        } else {
            writer.write(JSONWriter.bytes(of: Outgoing.error(unreadable.ids.first, error)))
        }
    }

    /// Answers each request of a batch that is refused as a whole: in one array or, if the revision has no batches, in a line
    /// each.
    private func refuse(batch ids: [RequestID], _ error: RPCError) {
        let answers = ids.isEmpty ? [Outgoing.error(nil, error)] : ids.map { Outgoing.error($0, error) }
        if hasBatches, !ids.isEmpty {
            writer.write(JSONWriter.bytes(of: .array(answers)))
        } else {
            for answer in answers { writer.write(JSONWriter.bytes(of: answer)) }
        }
    }

    private var hasBatches: Bool { state.withLock { $0.legacy.revision?.hasBatches == true } }

    /// Tells the client that a line of more than `limit` bytes was refused, and that the connection ends.
    public func refuseLine(_ line: UnreadableLine, limit: Int) {
        let unknown = line.ids.isEmpty ? " No id was found in what came of it." : ""
        let refusal = RPCError.invalidRequest(
            "a line has more than \(limit) bytes (limits.max_request_bytes).\(unknown) The connection ends; send less at once"
        )
        refuse(line, refusal)
    }

    private func receive(batch elements: [JSONValue], size: Int, cancelled: Set<RequestID>) {
        let messages = elements.map(ClientMessage.init)
        let ids = ClientMessage.ids(of: elements)
        guard hasBatches else {
            let why = "this connection's revision of MCP has no batches; send each message in a line of its own"
            return refuse(batch: ids, .invalidRequest(why))
        }
        guard elements.count <= Self.maximumBatch else {
            return refuse(batch: ids, .invalidRequest("a batch has at most \(Self.maximumBatch) messages"))
        }
        let answers = messages.count {
            switch $0 {
            case .request, .invalid: true
            case .notification, .response: false
            }
        }
        guard !elements.isEmpty else {
            writer.write(JSONWriter.bytes(of: Outgoing.error(nil, .invalidRequest("an empty batch"))))
            return
        }
        let reply = BatchReply(writer: writer, expected: answers)
        // Each message counts as its share of the line's bytes.
        for message in elements {
            receive(message, size: size / elements.count, cancelled: cancelled, reply: reply)
        }
    }

    /// Serves one message.
    /// - Parameter cancelled: the requests that were cancelled before they were parsed.
    private func receive(_ value: JSONValue, size: Int, cancelled: Set<RequestID>, reply: some Reply) {
        switch ClientMessage(value) {
        case .response: break
        case .invalid(let id, let error): reply.now(Outgoing.error(id, error))
        case .notification("notifications/cancelled", let params): cancel(RequestID(params, "requestId"), reply)
        case .notification: break
        // `initialize` is the only request that cannot be cancelled, basic/utilities/cancellation.
        case .request(let id, let method, _) where cancelled.contains(id) && method != "initialize": reply.nothingNow()
        case .request(let id, let method, let params):
            nameClient(method, params)
            switch judge(id, method, params, inBatch: reply is BatchReply) {
            case .answer(let result): reply.now(Outgoing.result(id, result))
            case .refuse(let error): reply.now(Outgoing.error(id, error))
            case .call(let call): start(id, call, size, reply)
            case .listen(let toolsListChanged): listen(id, toolsListChanged, reply)
            }
        }
    }

    /// Decides what to do for a request. Each request has its own era, so one connection may mix them.
    private func judge(_ id: RequestID, _ method: String, _ params: JSONObject, inBatch: Bool) -> EraAction {
        do throws(RPCError) {
            guard !state.withLock({ $0.isUnderWay(id) }) else {
                throw .invalidRequest("a request with this id is still under way")
            }
            switch try modern.era(method, params) {
            case .modern where inBatch: throw .invalidRequest("revision \(ModernEra.version) has no batches")
            case .modern(let level): return modern.handle(method, params, logLevel: level, tools: tools)
            case .legacy: return state.withLock { $0.legacy.handle(method, params, tools: tools) }
            }
        } catch {
            return .refuse(error)
        }
    }

    private func nameClient(_ method: String, _ params: JSONObject) {
        guard !state.withLock(\.isNamed), let name = ClientName.of(method, params) else { return }
        state.withLock { $0.isNamed = true }
        clientNamed(name)
    }

    // MARK: Subscriptions

    private func listen(_ id: RequestID, _ toolsListChanged: Bool, _ reply: some Reply) {
        let refusal = state.withLock { state -> RPCError? in
            guard !state.closed else { return .busy("The connection is closing. Nothing was run.") }
            guard state.subscriptions.count < Self.maximumSubscriptions else {
                return .busy("\(state.subscriptions.count) subscriptions are open; cancel one, then try again.")
            }
            state.subscriptions[id] = toolsListChanged
            // The lock is held, so that no notification on the subscription is sent before its acknowledgement.
            writer.post(
                JSONWriter.bytes(of: ModernEra.acknowledgement(id, toolsListChanged: toolsListChanged)))
            return nil
        }
        if let refusal { reply.now(Outgoing.error(id, refusal)) }
        writer.settle()
    }

    /// Tells the client that `tools/list` or `instructions` has another answer from now on. This does not block.
    public func toolsChanged() {
        state.withLock { state in
            guard !state.closed else { return }
            if state.legacy.revision != nil {
                writer.post(JSONWriter.bytes(of: Outgoing.notification("notifications/tools/list_changed", nil)))
            }
            for (id, wanted) in state.subscriptions where wanted {
                writer.post(JSONWriter.bytes(of: ModernEra.toolsListChanged(id)))
            }
        }
    }
}
