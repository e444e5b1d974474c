internal import JSON
internal import Synchronization

/// Runs the calls of tools, each in a task of its own, and ends them.
extension Server {
    /// Sends a notification about a call that is not answered yet. None may come after the answer, and both are queued in order.
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

    func start(_ id: RequestID, _ call: ToolCall, _ size: Int, _ reply: some Reply) {
        let refusal = state.withLock { state -> RPCError? in
            guard !state.closed else { return .busy("The connection is closing. Nothing was run.") }
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
        // No call begins once the connection is closed, and a call that was cancelled before it began does nothing.
        let (isCancelled, isTooLate) = state.withLock { ($0.calls[id]?.cancelled ?? true, $0.closedBecause != nil) }
        let result: ToolResult? =
            if isTooLate {
                .failure("Nothing was run.")
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

    /// Calls the tool, and sends the client the progress and log messages that it asked for.
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

    /// Holds a call back while too many answers wait for the client.
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

    func cancel(_ id: RequestID?, _ reply: some Reply) {
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

    /// Ends all subscriptions, stops all calls, and returns when these have ended. No new call begins afterwards.
    public func close(telling reason: String? = nil) async {
        let (tasks, held) = state.withLock { state -> ([Task<Void, Never>], [Waiting]) in
            state.closed = true
            state.closedBecause = reason
            // A subscription ends in good order with the result of its request.
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
