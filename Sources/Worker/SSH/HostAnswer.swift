internal import IPC

/// Asks whether the host behind one ControlMaster answers. There is one question at a time, and all who ask meanwhile wait for
/// its answer.
///
/// A question is a session, and a session that the host has not confirmed takes four descriptors of the master, even after the
/// question itself was given up. Asking again and again while a network is frozen would use them up.
actor HostAnswer {
    private var isAsked = false
    private var waiting: [UInt64: CheckedContinuation<HostSessions.Reach?, Never>] = [:]
    private var nextWaiter: UInt64 = 0

    /// Waits for the answer to the open question, or has `ask` put a new one.
    /// - Returns: nil if there was no answer within `limit`. The question stays open.
    func reach(
        within limit: Duration, _ ask: @escaping @Sendable () async -> HostSessions.Reach
    ) async -> HostSessions.Reach? {
        if !isAsked {
            isAsked = true
            Task { self.tell(await ask()) }
        }
        let waiter = nextWaiter
        nextWaiter += 1
        let timer = Timer(limit) { Task { await self.giveUp(waiter) } }
        defer { timer.cancel() }
        return await withCheckedContinuation { waiting[waiter] = $0 }
    }

    private func tell(_ reach: HostSessions.Reach) {
        isAsked = false
        let told = waiting.values
        waiting = [:]
        for continuation in told { continuation.resume(returning: reach) }
    }

    private func giveUp(_ waiter: UInt64) {
        waiting.removeValue(forKey: waiter)?.resume(returning: nil)
    }
}
