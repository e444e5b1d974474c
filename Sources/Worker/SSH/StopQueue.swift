/// Stops commands of one host, several over one session: sshd has few sessions, and every command to be stopped holds one.
actor StopQueue {
    private let stop: @Sendable ([Int]) async -> [Int: StopVerdict]
    private var waiting: [(processID: Int, continuation: CheckedContinuation<StopVerdict, Never>)] = []
    private var running = 0

    /// Batches under way at once: sessions that the budget for commands leaves free.
    private static let maximumRunning = 2

    /// - Parameter stop: stops a batch; a process id that its answer lacks counts as unknown.
    init(stop: @escaping @Sendable ([Int]) async -> [Int: StopVerdict]) {
        self.stop = stop
    }

    /// Stops the command of this observer, and says how surely.
    func verdict(for processID: Int) async -> StopVerdict {
        await withCheckedContinuation { continuation in
            waiting.append((processID, continuation))
            startBatch()
        }
    }

    private func startBatch() {
        guard running < Self.maximumRunning, !waiting.isEmpty else { return }
        running += 1
        let batch = Array(waiting.prefix(TreeStop.maximumBatch))
        waiting.removeFirst(batch.count)
        Task {
            let verdicts = await stop(batch.map(\.processID))
            for (processID, continuation) in batch { continuation.resume(returning: verdicts[processID] ?? .unknown) }
            running -= 1
            startBatch()
        }
    }
}
