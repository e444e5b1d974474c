internal import JSON
internal import Synchronization

/// One MCP connection: takes lines, answers lines. Calls run concurrently, each in a task of its own, and may be
/// answered in any order.
public final class Server<Tools: ToolSet>: Sendable {
    private typealias Waiting = CheckedContinuation<Void, Never>

    private struct Call {
        let task: Task<Void, Never>
        let size: Int
        var cancelled = false
    }

    private struct State {
        var legacy: LegacyEra
        /// Open `subscriptions/listen` requests, and whether they want to know of changed tools.
        var subscriptions: [RequestID: Bool] = [:]
        var calls: [RequestID: Call] = [:]
        /// Calls that have ended and whose answers are being written: a client that has read one may use its id again.
        var answering = 0
        var bytesInFlight = 0
        var closed = false
        /// Why calls that fail from now on do so.
        var closedBecause: String?
        var idle: [Waiting] = []
        /// Calls held back while too many answers wait for the client, in the order of their coming.
        var held: [(id: RequestID, continuation: Waiting)] = []

        /// Whether a call may begin now.
        var hasRoom: Bool { closed || answering < Server.maximumUnread }

        /// Lets all held calls go where there is room. Calls that came later must not overtake them, and nothing else lets them
        /// go.
        mutating func letGo() -> [Waiting] {
            guard hasRoom else { return [] }
            defer { held = [] }
            return held.map(\.continuation)
        }

        var underWay: Int { calls.count + answering }

        func isUnderWay(_ id: RequestID) -> Bool { calls[id] != nil || subscriptions[id] != nil }
    }

    /// Calls under way at once; one more is told to wait.
    public static var maximumCalls: Int { 512 }
    /// Bytes of the requests under way at once, so that many large calls cannot add up.
    public static var maximumBytesInFlight: Int { 64 << 20 }

    /// Answers that may wait for the client before further calls begin: a client that does not read holds itself up.
    public static var maximumUnread: Int { 16 }
    /// Subscriptions open at once.
    public static var maximumSubscriptions: Int { 64 }
    /// Messages in a batch.
    public static var maximumBatch: Int { UnreadableLine.maximumBatch }

    private let tools: Tools
    private let writer: any LineWriter
    private let modern: ModernEra
    private let state: Mutex<State>
    private let long = LongLines()
    /// One message is served at a time, from whichever thread.
    private let serving = Mutex(())

    /// A server over these tools that answers through `writer`.
    public init(name: String, version: String, tools: Tools, writer: any LineWriter) {
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

    /// Handles one line. Short answers are written before this returns, which slows down a client that does not read. A line
    /// that takes long to read is handled later: what comes behind it is other requests, which do not depend on it.
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

    /// Whether what a line means may depend on the lines before it: as long as `initialize` has not been read, which may be one
    /// of them, all but notifications and the requests that need none.
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

    /// Returns when all lines that were received have been handled; for the thread that reads them.
    public func finishReceiving() { long.finish() }

    private func serve(_ line: Line, size: Int, cancelled: Set<RequestID>) {
        switch line {
        case .unreadable(let line, let error): refuse(line, error)
        case .value(.array(let elements)): receive(batch: elements, size: size, cancelled: cancelled)
        case .value(let value): receive(value, size: size, cancelled: cancelled, reply: SingleReply(writer: writer))
        }
    }

    /// Answers the requests in a line that cannot be read.
    private func refuse(_ unreadable: UnreadableLine, _ error: RPCError) {
        if unreadable.isBatch {
            refuse(batch: unreadable.ids, error)
        } else {
            writer.write(JSONWriter.bytes(of: Outgoing.error(unreadable.ids.first, error)))
        }
    }

    /// Answers each request of a batch that is refused as a whole: in an array, or in lines of their own where the revision has
    /// no batches.
    private func refuse(batch ids: [RequestID], _ error: RPCError) {
        let answers = ids.isEmpty ? [Outgoing.error(nil, error)] : ids.map { Outgoing.error($0, error) }
        if hasBatches, !ids.isEmpty {
            writer.write(JSONWriter.bytes(of: .array(answers)))
        } else {
            for answer in answers { writer.write(JSONWriter.bytes(of: answer)) }
        }
    }

    private var hasBatches: Bool { state.withLock { $0.legacy.revision?.hasBatches == true } }

    /// Tells the client that a line of more than `limit` bytes was not taken, and that nothing after it will be.
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
        // Each call counts with its share of the line.
        for message in elements {
            receive(message, size: size / elements.count, cancelled: cancelled, reply: reply)
        }
    }

    /// - Parameter cancelled: requests that were cancelled before they were read.
    private func receive(_ value: JSONValue, size: Int, cancelled: Set<RequestID>, reply: some Reply) {
        switch ClientMessage(value) {
        case .response: break
        case .invalid(let id, let error): reply.now(Outgoing.error(id, error))
        case .notification("notifications/cancelled", let params): cancel(RequestID(params, "requestId"), reply)
        case .notification: break
        // The one request that cannot be cancelled, basic/utilities/cancellation.
        case .request(let id, let method, _) where cancelled.contains(id) && method != "initialize": reply.nothingNow()
        case .request(let id, let method, let params):
            switch judge(id, method, params, inBatch: reply is BatchReply) {
            case .answer(let result): reply.now(Outgoing.result(id, result))
            case .refuse(let error): reply.now(Outgoing.error(id, error))
            case .call(let call): start(id, call, size, reply)
            case .listen(let toolsListChanged): listen(id, toolsListChanged, reply)
            }
        }
    }

    /// The era is the request's own, and one connection may mix them.
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

    // MARK: Subscriptions

    private func listen(_ id: RequestID, _ toolsListChanged: Bool, _ reply: some Reply) {
        let refusal = state.withLock { state -> RPCError? in
            guard !state.closed else { return .busy("The connection is closing.") }
            guard state.subscriptions.count < Self.maximumSubscriptions else {
                return .busy("\(state.subscriptions.count) subscriptions are open; cancel one, then try again.")
            }
            state.subscriptions[id] = toolsListChanged
            // Under the lock, so that nothing on the subscription comes before its acknowledgement.
            writer.post(
                JSONWriter.bytes(of: ModernEra.acknowledgement(id, toolsListChanged: toolsListChanged)))
            return nil
        }
        if let refusal { reply.now(Outgoing.error(id, refusal)) }
        writer.settle()
    }

    /// Tells the client that `tools/list` or `instructions` would be answered differently from now on. Does not block.
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

    // MARK: Calls

    /// Sends what belongs to a call, until it is answered: nothing may follow its answer, so both go the same way in order.
    private func notify(_ id: RequestID, _ method: String, _ params: JSONObject) {
        let message = JSONWriter.bytes(of: Outgoing.notification(method, params))
        state.withLock { state in
            guard state.calls[id]?.cancelled == false else { return }
            writer.offer(message)
        }
    }

    private func log(_ id: RequestID, _ call: ToolCall, _ level: ClientLogLevel, _ data: @autoclosure () -> JSONObject)
    {
        guard let least = call.logLevel, level >= least else { return }
        notify(
            id, "notifications/message",
            ["level": .string(level.rawValue), "logger": .string(call.tool), "data": .object(data())])
    }

    private func start(_ id: RequestID, _ call: ToolCall, _ size: Int, _ reply: some Reply) {
        let refusal = state.withLock { state -> RPCError? in
            guard !state.closed else { return .busy("The connection is closing.") }
            guard state.underWay < Self.maximumCalls, state.bytesInFlight + size <= Self.maximumBytesInFlight else {
                return .busy("\(state.underWay) calls are under way; wait for one to end, then try again.")
            }
            let task = Task { await self.run(id, call, reply) }
            state.calls[id] = Call(task: task, size: size)
            state.bytesInFlight += size
            return nil
        }
        if let refusal { reply.now(Outgoing.error(id, refusal)) }
    }

    private func run(_ id: RequestID, _ call: ToolCall, _ reply: some Reply) async {
        await waitForReader(id)
        // Once the connection is closed nothing new is begun; and nothing is done of a call that was cancelled before it began.
        let (isCancelled, isTooLate) = state.withLock { ($0.calls[id]?.cancelled ?? true, $0.closedBecause != nil) }
        let result: ToolResult? =
            if isTooLate {
                .failure("Nothing of the call was begun.")
            } else if isCancelled {
                nil
            } else {
                await result(of: id, call)
            }
        let (ended, why) = state.withLock { state in
            state.answering += 1
            return (state.calls.removeValue(forKey: id), state.closedBecause)
        }
        // A cancelled request gets no answer, basic/utilities/cancellation.
        if ended?.cancelled ?? true {
            await reply.nothing()
        } else if let result {
            await reply.later(Outgoing.result(id, call.shape.result(result.failing(because: why))))
        } else {
            let whyOff = tools.whyOff(call.tool)
            await reply.later(Outgoing.error(id, .unknownTool(call.tool, whyOff)))
        }
        let (free, idle) = state.withLock { state -> ([Waiting], [Waiting]) in
            state.answering -= 1
            state.bytesInFlight -= ended?.size ?? 0
            let free = state.letGo()
            guard state.closed, state.underWay == 0 else { return (free, []) }
            defer { state.idle = [] }
            return (free, state.idle)
        }
        for continuation in free + idle { continuation.resume() }
    }

    /// Calls the tool and tells the client meanwhile what it asked to know.
    private func result(of id: RequestID, _ call: ToolCall) async -> ToolResult? {
        let progress = Progress(token: call.progressToken) {
            var params = $0
            if !call.hasProgressMessage { params["message"] = nil }
            self.notify(id, "notifications/progress", params)
        }
        log(id, call, .debug, ["event": "started"])
        let started = ContinuousClock.now
        let result = await tools.call(call.tool, arguments: call.arguments, progress: progress)
        let isFailure = if case .success = result { false } else { true }
        log(
            id, call, isFailure ? .warning : .info,
            [
                "event": isFailure ? "failed" : "ended",
                "duration_ms": .integer(Int64((ContinuousClock.now - started) / .milliseconds(1))),
            ])
        return result
    }

    /// Holds a call back while many answers wait for the client, or calls before it are held back.
    private func waitForReader(_ id: RequestID) async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state -> Bool in
                if state.hasRoom || state.calls[id]?.cancelled ?? true { return true }
                state.held.append((id, continuation))
                return false
            }
            if isOpen { continuation.resume() }
        }
    }

    private func cancel(_ id: RequestID?, _ reply: some Reply) {
        guard let id else { return }
        let (task, held) = state.withLock { state -> (Task<Void, Never>?, Waiting?) in
            if !state.isUnderWay(id) { long.cancel(id) }
            state.subscriptions[id] = nil
            state.calls[id]?.cancelled = true
            let place = state.held.firstIndex { $0.id == id }
            return (state.calls[id]?.task, place.map { state.held.remove(at: $0).continuation })
        }
        task?.cancel()
        held?.resume()
    }

    /// Ends every subscription, stops every call, and returns when all of them have ended. Nothing is accepted afterwards.
    /// - Parameter reason: a sentence that each call which fails is answered with; nil where nobody waits for answers.
    public func close(telling reason: String? = nil) async {
        let (tasks, held) = state.withLock { state -> ([Task<Void, Never>], [Waiting]) in
            state.closed = true
            state.closedBecause = reason
            // The graceful end of a subscription is the result of its request.
            for id in state.subscriptions.keys { writer.post(JSONWriter.bytes(of: modern.subscriptionEnd(id))) }
            state.subscriptions = [:]
            if reason == nil { for id in state.calls.keys { state.calls[id]?.cancelled = true } }
            return (state.calls.values.map(\.task), state.letGo())
        }
        for task in tasks { task.cancel() }
        for continuation in held { continuation.resume() }
        await withCheckedContinuation { continuation in
            let empty = state.withLock { state -> Bool in
                if state.underWay == 0 { return true }
                state.idle.append(continuation)
                return false
            }
            if empty { continuation.resume() }
        }
    }
}
