internal import Synchronization

/// A value that comes once, and that one task waits for, before or after.
public final class Awaited<Value: Sendable>: Sendable {
    private enum State {
        case empty
        case waiting(CheckedContinuation<Value, Never>)
        case full(Value)
    }

    private let state = Mutex(State.empty)

    /// One that is still to come.
    public init() {}

    /// One that is here.
    public init(_ value: Value) {
        settle(value)
    }

    /// Takes the value. A second one is dropped.
    public func settle(_ value: Value) {
        let waiting = state.withLock { state -> CheckedContinuation<Value, Never>? in
            switch state {
            case .empty: state = .full(value)
            case .waiting(let continuation):
                state = .full(value)
                return continuation
            case .full: break
            }
            return nil
        }
        waiting?.resume(returning: value)
    }

    /// The value, once it is here. One task may wait for it.
    public var value: Value {
        get async {
            await withCheckedContinuation { continuation in
                let here = state.withLock { state -> Value? in
                    if case .full(let value) = state { return value }
                    state = .waiting(continuation)
                    return nil
                }
                if let here { continuation.resume(returning: here) }
            }
        }
    }
}
