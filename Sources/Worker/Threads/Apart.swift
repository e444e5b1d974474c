internal import Synchronization

/// Runs work apart from the tasks, on threads of its own: work that computes long or may wait for a disk. However much
/// such work there is, other calls, timeouts and cancellations go on.
public final class Apart: Sendable {
    /// Replaces and compares texts of a bounded size; this work looks at its cancellation.
    public static let texts = Apart(name: "texts", threads: 2)
    /// Searches for injections. Nothing but its size bounds what a pattern of the config costs, and a search cannot be
    /// ended half-way.
    public static let searches = Apart(name: "searches", threads: 2)
    /// Compiles the patterns of those searches.
    public static let patterns = Apart(name: "patterns", threads: 1)
    /// Reads, writes and flushes local files, which may lie on a disk that hangs.
    public static let disks = Apart(name: "disks", threads: 8)
    /// Closes local files. This may wait for a disk as well, but nobody waits for it.
    public static let closing = Apart(name: "closing", threads: 32)

    /// The task was cancelled.
    public struct Cancelled: Error {}

    /// Why no result came.
    public enum Interruption: Error {
        /// The task was cancelled.
        case cancelled
        /// The work was begun, and was not done in its time.
        case late
        /// The work was not begun, because too much earlier work is not done.
        case crowded
    }

    private let queue: RunQueue
    private let overdue: Overdue

    /// Runs at most `threads` pieces of work at the same time. More wait, in the order in which they came.
    /// - Parameter queueing: how long work with a limit waits for a thread.
    public init(name: String, threads: Int, queueing: Duration = .seconds(30)) {
        queue = RunQueue(name: name, threads: threads)
        overdue = Overdue(queueing: queueing)
    }

    /// Has one of these threads do `work` at some time. Nobody waits for it.
    public func add(_ work: @escaping @Sendable () -> Void) { queue.add(work) }

    /// Runs `work` on one of these threads.
    ///
    /// Cancelling the task ends the wait at once. Work that has not begun is then not done. Work that has begun goes on
    /// to its end, unless it looks at its `Cancellation`, and its result is dropped.
    /// - Throws: `Cancelled` if the task was cancelled first. The work may have been done or not.
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

extension Apart {
    /// The same as `run`, for work that may wait for a disk. The wait ends if the work is not done within `limit` after its
    /// beginning. If it is not done after a second, another thread takes the place of its thread, up to a bound, so that work on
    /// other disks goes on.
    public func run<Result: Sendable>(
        within limit: Duration, _ work: @escaping @Sendable () -> Result
    ) async throws(Interruption) -> Result {
        let cancellation = Cancellation()
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation {
                (continuation: CheckedContinuation<Swift.Result<Result, Interruption>?, Never>) in
                let waiting = Waiting(continuation)
                let piece = overdue.add(within: limit, slow: { self.queue.replaceThread() }) { hasBegun in
                    waiting.resume(.failure(hasBegun ? .late : .crowded))
                }
                guard cancellation.tell({ waiting.resume(.failure(.cancelled)) }) else {
                    overdue.end(piece)
                    return
                }
                queue.add {
                    guard !cancellation.isCancelled, self.overdue.begin(piece) else {
                        self.overdue.end(piece)
                        return
                    }
                    let result = work()
                    if self.overdue.end(piece) { self.queue.returnThread() }
                    waiting.resume(.success(result))
                }
            }
        } onCancel: {
            cancellation.cancel()
        }
        guard let outcome else { throw .cancelled }
        return try outcome.get()
    }
}

/// A continuation that resumes with the result or with the cancellation, whichever comes first.
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
