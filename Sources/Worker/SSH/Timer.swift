internal import Dispatch
internal import Synchronization

/// A bound on waiting: calls a function after a time, unless cancelled before. On Dispatch and not `Task.sleep`, whose
/// way through the runtime leads to the pool that `Worker/TaskThreads.swift` keeps clear of.
public final class Timer: Sendable {
    private static let queue = DispatchQueue(label: "timers")

    private let pending: Mutex<(@Sendable () -> Void)?>

    /// Calls `fire` once after `after`, on the timers' thread; it must not block.
    public init(_ after: Duration, _ fire: @escaping @Sendable () -> Void) {
        pending = Mutex(fire)
        // The timer stays with Dispatch until its time, cancelled or not: what it holds is this small object only.
        Self.queue.asyncAfter(deadline: .now() + .nanoseconds(Self.nanoseconds(after))) { self.fire() }
    }

    /// Waits that long.
    public static func pause(_ duration: Duration) async {
        await withCheckedContinuation { continuation in
            _ = Timer(duration) { continuation.resume() }
        }
    }

    /// Nothing will be called any more, unless it is being called just now.
    public func cancel() { pending.withLock { $0 = nil } }

    private func fire() {
        let function = pending.withLock { $0.take() }
        function?()
    }

    private static func nanoseconds(_ duration: Duration) -> Int {
        let (seconds, attoseconds) = duration.components
        let (whole, overflow) = Int(clamping: seconds).multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : whole + Int(attoseconds / 1_000_000_000)
    }
}

/// Calls a function again and again, until cancelled.
final class Ticker: Sendable {
    private let pause: Duration
    private let pending: Mutex<(timer: Timer?, function: (@Sendable () -> Void)?)>

    /// Calls `function` each `pause`, on the timers' thread; it must not block.
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

/// State that a child's two streams and its controller share.
final class StreamBox<Value: Sendable>: Sendable {
    private let box: Mutex<Value>

    init(_ value: Value) {
        box = Mutex(value)
    }

    func with<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
        box.withLock { body(&$0) }
    }

    var value: Value { with { $0 } }
}
