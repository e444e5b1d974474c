internal import Dispatch
internal import Synchronization

/// Calls a function after a time, unless it is cancelled before. It uses a Dispatch queue of its own, because `Task.sleep` uses
/// the runtime's pool of threads, which ends a confined process; see `Worker/TaskThreads.swift`.
public final class Timer: Sendable {
    private static let queue = DispatchQueue(label: "timers")

    private let pending: Mutex<(@Sendable () -> Void)?>

    /// Calls `fire` once when the time `after` has passed, on the timers' thread. `fire` must not block.
    public init(_ after: Duration, _ fire: @escaping @Sendable () -> Void) {
        pending = Mutex(fire)
        // Dispatch keeps the timer until its time, even if it is cancelled. It then holds this small object and nothing else.
        Self.queue.asyncAfter(deadline: .now() + .nanoseconds(Self.nanoseconds(after))) { self.fire() }
    }

    /// Waits for this long.
    public static func pause(_ duration: Duration) async {
        await withCheckedContinuation { continuation in
            _ = Timer(duration) { continuation.resume() }
        }
    }

    /// Ends the timer: from now on the function is not called. It may be running already.
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
