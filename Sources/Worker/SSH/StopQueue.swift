internal import IPC

/// Stops commands of one ControlMaster, several over one session: sshd has few sessions, and every command to be stopped
/// holds one.
actor StopQueue {
    /// Stops a batch; an observer that its answer lacks was not asked about.
    typealias Stop = @Sendable ([ObserverID]) async -> [ObserverID: StopAnswer]

    private struct Waiter {
        let observer: ObserverID
        let stop: Stop
        let continuation: CheckedContinuation<StopAnswer?, Never>
    }

    private var waiting: [Waiter] = []
    /// One batch at a time: the budget for commands leaves one session free.
    private var isRunning = false

    /// Stops the command of this observer.
    /// - Returns: nil where the host could not be asked.
    func answer(for observer: ObserverID, stop: @escaping Stop) async -> StopAnswer? {
        await withCheckedContinuation { continuation in
            waiting.append(Waiter(observer: observer, stop: stop, continuation: continuation))
            startBatch()
        }
    }

    private func startBatch() {
        guard !isRunning, let first = waiting.first else { return }
        isRunning = true
        let batch = Array(waiting.prefix(Int(Errand.maximumStops)))
        waiting.removeFirst(batch.count)
        Task {
            let answers = await first.stop(batch.map(\.observer))
            for waiter in batch { waiter.continuation.resume(returning: answers[waiter.observer]) }
            isRunning = false
            startBatch()
        }
    }
}
