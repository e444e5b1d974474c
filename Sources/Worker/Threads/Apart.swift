internal import Synchronization

/// Work that computes long or may wait for a disk. It runs apart from the tasks, on threads of its own, so that however
/// many such pieces there are, other calls, timeouts and cancellations go on.
public final class Apart: Sendable {
    /// Work on texts of a bounded size that looks at its cancellation: replacing, comparing.
    public static let texts = Apart(name: "texts", threads: 2)
    /// Searches for injections: what a pattern of the config costs is bounded by its size alone, and a search cannot be
    /// ended half-way.
    public static let searches = Apart(name: "searches", threads: 2)
    /// Compiling what is searched for.
    public static let patterns = Apart(name: "patterns", threads: 1)
    /// Reading, writing and flushing local files, which may lie on a disk that hangs.
    public static let disks = Apart(name: "disks", threads: 8)

    /// The task was cancelled.
    public struct Cancelled: Error {}

    private let queue: RunQueue

    /// At most so many pieces of work at the same time; more wait, in the order of asking.
    public init(name: String, threads: Int) {
        queue = RunQueue(name: name, threads: threads)
    }

    /// Does `work` on a thread of this kind.
    ///
    /// Cancelling the task ends the waiting at once. Work that had not begun is not done then; work that had begun goes on
    /// to its end, unless it looks at its `Cancellation`, and what it comes to is dropped.
    /// - Throws: `Cancelled`, whether the work was done or not.
    public func run<Result: Sendable>(
        _ work: @escaping @Sendable (Cancellation) -> Result
    ) async throws(Cancelled) -> Result {
        let cancellation = Cancellation()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Result?, Never>) in
                let waiting = Waiting(continuation)
                guard cancellation.tell({ waiting.resume(nil) }) else { return }
                queue.add {
                    if !cancellation.isCancelled { waiting.resume(work(cancellation)) }
                }
            }
        } onCancel: {
            cancellation.cancel()
        }
        guard let result else { throw Cancelled() }
        return result
    }
}

/// Whether nobody waits any more for what a piece of work comes to.
public final class Cancellation: Sendable {
    private struct State {
        var isCancelled = false
        var then: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    init() {}

    /// Work that takes long looks here now and then, and stops.
    public var isCancelled: Bool { state.withLock(\.isCancelled) }

    /// Calls `then` once it is cancelled.
    /// - Returns: false where it is cancelled already, and `then` was called.
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

/// A continuation that the result and the cancellation race for.
private final class Waiting<Result: Sendable>: Sendable {
    private let continuation: Mutex<CheckedContinuation<Result?, Never>?>

    init(_ continuation: CheckedContinuation<Result?, Never>) {
        self.continuation = Mutex(continuation)
    }

    func resume(_ result: Result?) {
        let first = continuation.withLock { $0.take() }
        first?.resume(returning: result)
    }
}
