internal import Synchronization

/// Lets work on the same thing go on one after the other, in the order in which it was asked for.
final class Turns: Sendable {
    /// For each key whose turn is taken: who waits for it.
    private let queues = Mutex<[[UInt8]: [Slot<Void>]]>([:])

    /// Waits for the turn with `key`. Cancelling the task ends the wait.
    func wait(for key: [UInt8]) async throws(SFTPError) -> Turn {
        let slot = Slot<Void>()
        let isFree = queues.withLock { queues in
            guard let queue = queues[key] else {
                queues[key] = []
                return true
            }
            queues[key] = queue + [slot]
            return false
        }
        if isFree { return Turn { self.pass(key) } }
        do throws(SFTPError) {
            try await slot.value()
        } catch {
            // The slot must not stay until the turn is passed on, which may take long.
            queues.withLock { queues in queues[key]?.removeAll { $0 === slot } }
            throw error
        }
        return Turn { self.pass(key) }
    }

    /// How many wait for the turn with `key`.
    func waiting(for key: [UInt8]) -> Int { queues.withLock { $0[key]?.count ?? 0 } }

    /// Gives the turn to the next one that still waits.
    private func pass(_ key: [UInt8]) {
        while true {
            let next = queues.withLock { queues -> Slot<Void>? in
                guard var queue = queues[key], !queue.isEmpty else {
                    queues[key] = nil
                    return nil
                }
                defer { queues[key] = queue }
                return queue.removeFirst()
            }
            guard let next, next.fill(.success(())) != nil else { return }
        }
    }
}
