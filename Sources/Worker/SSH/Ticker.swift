internal import Synchronization

/// Calls a function again and again until it is cancelled.
final class Ticker: Sendable {
    private let pause: Duration
    private let pending: Mutex<(timer: Timer?, function: (@Sendable () -> Void)?)>

    /// Calls `function` after each `pause`, on the timers' thread. `function` must not block.
    init(_ pause: Duration, _ function: @escaping @Sendable () -> Void) {
        self.pause = pause
        pending = Mutex((nil, function))
        arm()
    }

    func cancel() {
        pending.withLock { pending in
            pending.timer?.cancel()
            pending = (nil, nil)
        }
    }

    private func arm() {
        pending.withLock { pending in
            guard pending.function != nil else { return }
            pending.timer = Timer(pause) {
                let function = self.pending.withLock { $0.function }
                function?()
                self.arm()
            }
        }
    }
}
