internal import Synchronization

/// One MCP connection: takes lines, answers lines. Calls run concurrently, each in a task of its own, and may be
/// answered in any order.
public final class Server<Tools: ToolSet>: Sendable {
    private struct Call {
        let task: Task<Void, Never>
        let size: Int
        var cancelled = false
    }

    private struct State {
        var era: LegacyEra
        var calls: [RequestID: Call] = [:]
        /// Calls that have ended and whose answers are being written: a client that has read one may use its id again.
        var answering = 0
        var bytesInFlight = 0
        var closed = false
        var idle: [CheckedContinuation<Void, Never>] = []
        /// Calls held back until the client has taken an answer.
        var gate: [CheckedContinuation<Void, Never>] = []

        var underWay: Int { calls.count + answering }
    }

    /// Calls under way at once; one more is told to wait.
    public static var maximumCalls: Int { 512 }
    /// Bytes of the requests under way at once, so that many large calls cannot add up.
    public static var maximumBytesInFlight: Int { 64 << 20 }

    /// Answers that may wait for the client before further calls begin: a client that does not read holds itself up.
    public static var maximumUnread: Int { 16 }
    /// Messages in a batch.
    public static var maximumBatch: Int { 1000 }

    private let tools: Tools
    private let writer: any LineWriter
    private let state: Mutex<State>

    /// A server over these tools that answers through `writer`.
    public init(name: String, version: String, tools: Tools, writer: any LineWriter) {
        self.tools = tools
        self.writer = writer
        let info: JSONObject = ["name": .string(name), "version": .string(version)]
        state = Mutex(State(era: LegacyEra(serverInfo: info)))
    }

    /// Handles one line. Short answers are written before this returns, which slows a client down that does not read.
    public func receive(_ line: [UInt8]) {
        guard let value = JSONValue.parse(line) else {
            writer.write(JSONWriter.bytes(of: Outgoing.error(nil, .parseError())))
            return
        }
        if case .array(let elements) = value, state.withLock({ $0.era.revision?.hasBatches == true }) {
            receive(batch: elements, size: line.count)
            return
        }
        receive(value, size: line.count, reply: SingleReply(writer: writer))
    }

    private func receive(batch elements: [JSONValue], size: Int) {
        guard elements.count <= Self.maximumBatch else {
            let refusal = RPCError.invalidRequest("a batch has at most \(Self.maximumBatch) messages")
            writer.write(JSONWriter.bytes(of: Outgoing.error(nil, refusal)))
            return
        }
        let messages = elements.map(Incoming.init)
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
        for message in elements { receive(message, size: size / elements.count, reply: reply) }
    }

    private func receive(_ value: JSONValue, size: Int, reply: some Reply) {
        switch Incoming(value) {
        case .response: break
        case .invalid(let id, let error): reply.now(Outgoing.error(id, error))
        case .notification("notifications/cancelled", let params): cancel(RequestID(params["requestId"]), reply)
        case .notification: break
        case .request(let id, let method, let params):
            let action = state.withLock { state -> LegacyEra.Action in
                guard state.calls[id] == nil else {
                    return .refuse(.invalidRequest("a request with this id is still under way"))
                }
                return state.era.handle(method, params, tools: tools)
            }
            switch action {
            case .answer(let result): reply.now(Outgoing.result(id, result))
            case .refuse(let error): reply.now(Outgoing.error(id, error))
            case .call(let tool, let arguments, let token):
                start(id, tool, arguments, progress(of: id, token), size, reply)
            }
        }
    }

    /// Reports on a call until it is answered: none may follow its answer, so both go the same way in order.
    private func progress(of id: RequestID, _ token: RequestID?) -> Progress {
        Progress(token: token) { params in
            let message = JSONWriter.bytes(of: Outgoing.notification("notifications/progress", params))
            self.state.withLock { state in
                guard state.calls[id]?.cancelled == false else { return }
                self.writer.offer(message)
            }
        }
    }

    private func start(
        _ id: RequestID, _ tool: String, _ arguments: JSONObject, _ progress: Progress, _ size: Int, _ reply: some Reply
    ) {
        let refusal = state.withLock { state -> RPCError? in
            guard !state.closed else { return .busy("The connection is closing.") }
            guard state.underWay < Self.maximumCalls, state.bytesInFlight + size <= Self.maximumBytesInFlight else {
                return .busy("\(state.underWay) calls are under way; wait for one to end, then try again.")
            }
            let task = Task { await self.run(id, tool, arguments, progress, reply) }
            state.calls[id] = Call(task: task, size: size)
            state.bytesInFlight += size
            return nil
        }
        if let refusal { reply.now(Outgoing.error(id, refusal)) }
    }

    private func run(
        _ id: RequestID, _ tool: String, _ arguments: JSONObject, _ progress: Progress, _ reply: some Reply
    ) async {
        await waitForReader()
        let result = await tools.call(tool, arguments: arguments, progress: progress)
        let (call, era) = state.withLock { state in
            state.answering += 1
            return (state.calls.removeValue(forKey: id), state.era)
        }
        // A cancelled request gets no answer, basic/utilities/cancellation.
        if call?.cancelled ?? true {
            await reply.nothing()
        } else if let result {
            await reply.later { Outgoing.result(id, era.shape(result)) }
        } else {
            await reply.later { Outgoing.error(id, LegacyEra.unknownTool(tool)) }
        }
        let idle = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.answering -= 1
            state.bytesInFlight -= call?.size ?? 0
            if !state.gate.isEmpty { state.gate.removeFirst().resume() }
            guard state.closed, state.underWay == 0 else { return [] }
            defer { state.idle = [] }
            return state.idle
        }
        for continuation in idle { continuation.resume() }
    }

    /// Holds a call back while many answers wait for the client.
    private func waitForReader() async {
        await withCheckedContinuation { continuation in
            let open = state.withLock { state -> Bool in
                if state.closed || state.answering < Self.maximumUnread { return true }
                state.gate.append(continuation)
                return false
            }
            if open { continuation.resume() }
        }
    }

    private func cancel(_ id: RequestID?, _ reply: some Reply) {
        guard let id else { return }
        let task = state.withLock { state -> Task<Void, Never>? in
            state.calls[id]?.cancelled = true
            return state.calls[id]?.task
        }
        task?.cancel()
    }

    /// Stops every call and returns when all of them have ended. Nothing is accepted afterwards.
    public func close() async {
        let (tasks, gate) = state.withLock { state -> ([Task<Void, Never>], [CheckedContinuation<Void, Never>]) in
            state.closed = true
            for id in state.calls.keys { state.calls[id]?.cancelled = true }
            defer { state.gate = [] }
            return (state.calls.values.map(\.task), state.gate)
        }
        for task in tasks { task.cancel() }
        for held in gate { held.resume() }
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
