internal import CLinux
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Jobs in the order in which they were added, each for the first thread of this queue that is free. Threads are started
/// when they are needed, up to a bound, and stay: a queue lives as long as the process.
///
/// No Dispatch queue is this: serial queues leave a job behind a long one while another thread has nothing to do, and the
/// pool behind concurrent ones is watched, see `Worker/TaskThreads.swift`.
public final class RunQueue: Sendable {
    private struct State {
        var jobs = FirstInFirstOut<@Sendable () -> Void>()
        var threads = 0
        /// Threads that wait for a job.
        var waiting = 0
    }

    private let name: String
    private let most: Int
    private let state = Mutex(State())
    /// Counts the jobs.
    private let ready = DispatchSemaphore(value: 0)

    /// A queue of at most `threads` threads (one at least), which have its name in `/proc`, cut to 15 bytes.
    public init(name: String, threads: Int) {
        self.name = name
        most = max(1, threads)
    }

    /// Adds a job. Does not block.
    public func add(_ job: @escaping @Sendable () -> Void) {
        let needsThread = state.withLock { state in
            state.jobs.append(job)
            guard state.jobs.count > state.waiting, state.threads < most else { return false }
            state.threads += 1
            return true
        }
        ready.signal()
        if needsThread { startThread() }
    }

    /// A thread that cannot be started is missed only where there is none yet: then the job is done here, late rather than
    /// never. The next job tries again.
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
        }
    }

    private func next() -> (@Sendable () -> Void)? { state.withLock { $0.jobs.removeFirst() } }
}

/// Elements that leave in the order in which they came, each in constant time on the average.
struct FirstInFirstOut<Element> {
    private var elements: [Element?] = []
    private var first = 0

    var count: Int { elements.count - first }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func removeFirst() -> Element? {
        guard first < elements.count else { return nil }
        let element = elements[first].take()
        first += 1
        if first == elements.count {
            elements.removeAll(keepingCapacity: first <= 1024)
            first = 0
        } else if first >= 1024, first * 2 >= elements.count {
            elements.removeFirst(first)
            first = 0
        }
        return element
    }
}
