internal import Synchronization

/// A value behind a lock, shared by the closures for a child's two streams and by the child's controller.
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
