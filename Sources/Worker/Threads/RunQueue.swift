internal import CLinux
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Runs jobs in the order in which they were added, each on the first thread of this queue that is free. Threads are
/// started when they are needed, up to a bound, and stay: a queue lives as long as the process.
///
/// A Dispatch queue does not do. A serial one leaves a job waiting behind a long one while another thread is idle, and
/// Dispatch watches the threads of concurrent ones in a way that the sandbox forbids, see `Worker/TaskThreads.swift`.
public final class RunQueue: Sendable {
    private struct State {
        var jobs = FirstInFirstOut<@Sendable () -> Void>()
        var threads = 0
        /// How many threads wait for a job.
        var waiting = 0
        /// How many threads there may be.
        var most: Int
        /// How many of these replace threads that a long job holds.
        var replaced = 0
    }

    /// How many threads may be replaced.
    private static let maximumReplaced = 24

    private let name: String
    private let state: Mutex<State>
    /// Counts the jobs that no thread has taken yet.
    private let ready = DispatchSemaphore(value: 0)

    /// A queue of at most `threads` threads, and at least one. They have its name in `/proc`, cut to 15 bytes.
    public init(name: String, threads: Int) {
        self.name = name
        state = Mutex(State(most: max(1, threads)))
    }

    /// Adds a job and returns at once. Only if the queue has no thread and none can be started, it runs the job first.
    public func add(_ job: @escaping @Sendable () -> Void) {
        let needsThread = state.withLock { state in
            state.jobs.append(job)
            guard state.jobs.count > state.waiting, state.threads < state.most else { return false }
            state.threads += 1
            return true
        }
        ready.signal()
        if needsThread { startThread() }
    }

    /// Replaces the thread of a job that may hold it for very long.
    /// - Returns: false if no more threads may be replaced. If it returns true, `returnThread` must be called when the job is done.
    func replaceThread() -> Bool {
        let (isReplaced, needsThread) = state.withLock { state in
            guard state.replaced < Self.maximumReplaced else { return (false, false) }
            state.replaced += 1
            state.most += 1
            guard state.jobs.count > state.waiting else { return (true, false) }
            state.threads += 1
            return (true, true)
        }
        if needsThread { startThread() }
        return isReplaced
    }

    /// Takes notice that a job whose thread was replaced is done, so that there is one thread too many, which ends.
    func returnThread() {
        state.withLock { state in
            state.replaced -= 1
            state.most -= 1
        }
    }

    /// Starts a thread. If that fails and the queue has no other thread, the job is done here, late rather than never.
    /// The next job tries again.
    private func startThread() {
        var thread = pthread_t()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let queue = Unmanaged.passRetained(self)
        let failed = pthread_create(
            &thread, &attributes,
            { argument in
                if let argument { Unmanaged<RunQueue>.fromOpaque(argument).takeRetainedValue().drain() }
                return nil
            }, queue.toOpaque())
        guard failed != 0 else { return }
        queue.release()
        let isAlone = state.withLock { state in
            state.threads -= 1
            return state.threads == 0
        }
        if isAlone, ready.wait(timeout: .now()) == .success { next()?() }
    }

    private func drain() {
        _ = csd_name_thread(name)
        while true {
            state.withLock { $0.waiting += 1 }
            ready.wait()
            state.withLock { $0.waiting -= 1 }
            next()?()
            let isSurplus = state.withLock { state in
                guard state.threads > state.most else { return false }
                state.threads -= 1
                return true
            }
            if isSurplus { return }
        }
    }

    private func next() -> (@Sendable () -> Void)? { state.withLock { $0.jobs.removeFirst() } }
}
