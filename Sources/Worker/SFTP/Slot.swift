internal import Synchronization

/// A value that comes once and that one task waits for. If the task no longer waits, the value stays with whoever
/// brings it.
final class Slot<Value: Sendable>: Sendable {
    private enum State {
        case pending
        case awaited(CheckedContinuation<Result<Value, SFTPError>, Never>)
        case kept(Result<Value, SFTPError>)
        /// The value was taken, or nobody wants it.
        case over
    }

    private let state = Mutex(State.pending)

    /// Brings the value. Later values are not delivered.
    /// - Returns: the value if nobody wants it any more.
    func fill(_ result: Result<Value, SFTPError>) -> Value? {
        let (waiting, unwanted) = state.withLock {
            state -> (CheckedContinuation<Result<Value, SFTPError>, Never>?, Value?) in
            switch state {
            case .pending:
                state = .kept(result)
                return (nil, nil)
            case .awaited(let continuation):
                state = .over
                return (continuation, nil)
            case .kept, .over: return (nil, try? result.get())
            }
        }
        waiting?.resume(returning: result)
        return unwanted
    }

    /// Gives up the value: nobody will wait for it.
    /// - Returns: the value if it had already come.
    func abandon() -> Value? {
        state.withLock { state in
            defer { state = .over }
            if case .kept(let result) = state { return try? result.get() }
            return nil
        }
    }

    /// Waits for the value. Cancelling the task ends the wait.
    func value() async throws(SFTPError) -> Value {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let known = state.withLock { state -> Result<Value, SFTPError>? in
                    switch state {
                    case .pending:
                        state = .awaited(continuation)
                        return nil
                    case .kept(let result):
                        state = .over
                        return result
                    case .awaited, .over: return .failure(.cancelled)
                    }
                }
                if let known { continuation.resume(returning: known) }
            }
        } onCancel: {
            let waiting = state.withLock { state -> CheckedContinuation<Result<Value, SFTPError>, Never>? in
                switch state {
                case .pending:
                    state = .over
                    return nil
                case .awaited(let continuation):
                    state = .over
                    return continuation
                case .kept, .over: return nil
                }
            }
            waiting?.resume(returning: .failure(.cancelled))
        }
        return try result.get()
    }
}
