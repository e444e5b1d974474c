internal import Synchronization

/// Limits how many uploads have their local file open at once. An upload holds the descriptor while it waits for its host, so
/// many uploads to a host that does not answer could take all descriptors of the worker.
final class LocalPlaces: Sendable {
    /// The places of this process. `WorkerLimits.swift` says how many descriptors they leave.
    static let uploads = LocalPlaces(perHost: 16, all: 128)

    /// One place. It is free again when the last reference to this object goes.
    final class Place: Sendable {
        private let leave: @Sendable () -> Void

        fileprivate init(leave: @escaping @Sendable () -> Void) {
            self.leave = leave
        }

        deinit { leave() }
    }

    private struct Waiter {
        let number: UInt64
        let host: String
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var taken: [String: Int] = [:]
        var all = 0
        var waiting: [Waiter] = []
        var next: UInt64 = 0
    }

    private let perHost: Int
    private let all: Int
    private let state = Mutex(State())

    init(perHost: Int, all: Int) {
        self.perHost = perHost
        self.all = all
    }

    /// Waits for a place with a host. Uploads to the same host get their places in order.
    func take(for host: String) async throws(CancellationError) -> Place {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        let isGranted = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                state.withLock { $0.waiting.append(Waiter(number: number, host: host, continuation: continuation)) }
                // The task was cancelled before it began to wait.
                if Task.isCancelled { giveUp(number) }
                grant()
            }
        } onCancel: {
            giveUp(number)
        }
        guard isGranted else { throw CancellationError() }
        return Place { self.leave(host) }
    }

    private func giveUp(_ number: UInt64) {
        let waiter = state.withLock { state in
            state.waiting.firstIndex { $0.number == number }.map { state.waiting.remove(at: $0) }
        }
        waiter?.continuation.resume(returning: false)
    }

    private func leave(_ host: String) {
        state.withLock { state in
            state.all -= 1
            state.taken[host] = state.taken[host].flatMap { $0 > 1 ? $0 - 1 : nil }
        }
        grant()
    }

    private func grant() {
        let granted = state.withLock { state in
            var granted: [Waiter] = []
            var others: [Waiter] = []
            for waiter in state.waiting {
                if state.all < all, state.taken[waiter.host, default: 0] < perHost {
                    state.all += 1
                    state.taken[waiter.host, default: 0] += 1
                    granted.append(waiter)
                } else {
                    others.append(waiter)
                }
            }
            state.waiting = others
            return granted
        }
        for waiter in granted { waiter.continuation.resume(returning: true) }
    }
}
