internal import Dispatch
internal import Synchronization

/// A bound on waiting: yields its number after a time, unless cancelled before. On Dispatch and not `Task.sleep`, whose
/// way through the runtime leads to the pool that `Worker/TaskThreads.swift` keeps clear of.
final class Timer: Sendable {
    private static let queue = DispatchQueue(label: "timers")

    private let pending: Mutex<AsyncStream<SSHProcess.Event>.Continuation?>

    init(_ after: Duration, _ number: Int, _ events: AsyncStream<SSHProcess.Event>.Continuation) {
        pending = Mutex(events)
        let nanoseconds =
            Int(clamping: after.components.seconds) * 1_000_000_000 + Int(after.components.attoseconds / 1_000_000_000)
        // The timer itself stays with Dispatch until it fires; what it holds then is this small object only.
        Self.queue.asyncAfter(deadline: .now() + .nanoseconds(nanoseconds)) { self.fire(number) }
    }

    private func fire(_ number: Int) {
        _ = pending.withLock { $0.take() }?.yield(.timer(number))
    }

    func cancel() { pending.withLock { $0 = nil } }
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
