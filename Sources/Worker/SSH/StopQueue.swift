internal import IPC

/// Stops commands of one ControlMaster, several over one session, because sshd has few sessions and each of the commands holds
/// one.
actor StopQueue {
    /// Stops a batch. An observer that is missing in the answer was not asked about.
    typealias Stop = @Sendable ([ObserverID]) async -> [ObserverID: StopAnswer]

    private struct Waiter {
        let observer: ObserverID
        let stop: Stop
        let continuation: CheckedContinuation<StopAnswer?, Never>
    }

    private var waiting: [Waiter] = []
    /// Whether a batch is being stopped. There is one at a time, because the budget leaves one session free for it.
    private var isRunning = false

    /// Stops the command of this observer.
    /// - Returns: nil if the host could not be asked.
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
