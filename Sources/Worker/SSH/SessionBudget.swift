/// How many mux sessions a host may have open at once; who comes later waits in order. sshd refuses more than its
/// `MaxSessions`, sshd_config(5).
actor SessionBudget {
    /// Why somebody who waited got no place.
    enum NoPlace: Error, Equatable {
        case cancelled
        case timedOut
    }

    private var free: Int
    private var waiting: [(ticket: UInt64, continuation: CheckedContinuation<NoPlace?, Never>)] = []
    private var nextTicket: UInt64 = 0
    private var reclaim: (@Sendable () -> Void)?

    init(sessions: Int) {
        free = sessions
    }

    /// Calls `function` whenever somebody has to wait: whoever holds a place without using it gives it back then.
    func onShortage(_ function: @escaping @Sendable () -> Void) { reclaim = function }

    /// Waits for a place, at most so long, and runs `body` in it.
    func withPlace<Result: Sendable>(
        within limit: Duration, _ body: @Sendable () async -> Result
    ) async throws(NoPlace) -> Result {
        try await acquire(within: limit)
        let result = await body()
        release()
        return result
    }

    /// Waits for a place, at most so long; whoever gets it calls `release` once.
    func acquire(within limit: Duration) async throws(NoPlace) {
        if Task.isCancelled { throw .cancelled }
        if free > 0 {
            free -= 1
            return
        }
        reclaim?()
        let ticket = nextTicket
        nextTicket += 1
        let timer = Timer(limit) { Task { await self.abandon(ticket, .timedOut) } }
        defer { timer.cancel() }
        let refusal = await withTaskCancellationHandler {
            await withCheckedContinuation { waiting.append((ticket, $0)) }
        } onCancel: {
            Task { await self.abandon(ticket, .cancelled) }
        }
        if let refusal { throw refusal }
    }

    private func abandon(_ ticket: UInt64, _ why: NoPlace) {
        // Not there any more where the place was granted in the meantime.
        guard let index = waiting.firstIndex(where: { $0.ticket == ticket }) else { return }
        waiting.remove(at: index).continuation.resume(returning: why)
    }

    func release() {
        if waiting.isEmpty {
            free += 1
        } else {
            waiting.removeFirst().continuation.resume(returning: nil)
        }
    }
}
