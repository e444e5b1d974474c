internal import Synchronization

/// Tells a piece of work whether its result is still wanted.
public final class Cancellation: Sendable {
    private struct State {
        var isCancelled = false
        var then: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    init() {}

    /// Whether the result is not wanted any more. Work that takes long looks here now and then, and stops.
    public var isCancelled: Bool { state.withLock(\.isCancelled) }

    /// Calls `then` when it is cancelled, at once if it is cancelled already.
    /// - Returns: false if it was cancelled already.
    func tell(_ then: @escaping @Sendable () -> Void) -> Bool {
        let isCancelled = state.withLock { state in
            if !state.isCancelled { state.then = then }
            return state.isCancelled
        }
        if isCancelled { then() }
        return !isCancelled
    }

    func cancel() {
        let then = state.withLock { state in
            state.isCancelled = true
            return state.then.take()
        }
        then?()
    }
}
