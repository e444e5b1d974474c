/// How many mux sessions a host may have open at once; who comes later waits in order. sshd refuses more than its
/// `MaxSessions`, sshd_config(5).
actor SessionBudget {
    private var free: Int
    private var waiting: [(ticket: UInt64, continuation: CheckedContinuation<Bool, Never>)] = []
    private var nextTicket: UInt64 = 0
    private var reclaim: (@Sendable () -> Void)?

    init(sessions: Int) {
        free = sessions
    }

    /// Calls `function` whenever somebody has to wait: whoever holds a place without using it gives it back then.
    func onShortage(_ function: @escaping @Sendable () -> Void) { reclaim = function }

    /// Waits for a place and runs `body` in it.
    /// - Throws: `CancellationError` where the task was cancelled while it waited.
    func withPlace<Result: Sendable>(_ body: @Sendable () async -> Result) async throws(CancellationError) -> Result {
        try await acquire()
        let result = await body()
        release()
        return result
    }

    /// Waits for a place; whoever gets it calls `release` once.
    func acquire() async throws(CancellationError) {
        if Task.isCancelled { throw CancellationError() }
        if free > 0 {
            free -= 1
            return
        }
        reclaim?()
        let ticket = nextTicket
        nextTicket += 1
        let granted = await withTaskCancellationHandler {
            await withCheckedContinuation { waiting.append((ticket, $0)) }
        } onCancel: {
            Task { await self.abandon(ticket) }
        }
        if !granted { throw CancellationError() }
    }

    private func abandon(_ ticket: UInt64) {
        // Not there any more where the place was granted in the meantime.
        guard let index = waiting.firstIndex(where: { $0.ticket == ticket }) else { return }
        waiting.remove(at: index).continuation.resume(returning: false)
    }

    func release() {
        if waiting.isEmpty {
            free += 1
        } else {
            waiting.removeFirst().continuation.resume(returning: true)
        }
    }
}
