import Dispatch
import Glibc
import Synchronization
import Testing

@testable import Threads

@Suite("Threads of our own", .timeLimit(.minutes(1)))
struct RunQueueTests {
    @Test func `jobs that take long hold up none while a thread is free`() async {
        let queue = RunQueue(name: "test", threads: 4)
        let end = DispatchSemaphore(value: 0)
        // As many as leave one thread: with a thread for each share of the jobs, three of four shares would stand still.
        for _ in 0..<3 { queue.add { end.wait() } }
        let served = AsyncStream.makeStream(of: Int.self)
        for number in 0..<1000 { queue.add { served.continuation.yield(number) } }
        var order: [Int] = []
        for await number in served.stream {
            order.append(number)
            if order.count == 1000 { break }
        }
        #expect(order == Array(0..<1000), "in the order of adding, as there is one thread left")
        for _ in 0..<3 { end.signal() }
    }

    @Test func `no more jobs run at once than there are threads`() async {
        let queue = RunQueue(name: "test", threads: 3)
        let counts = Counts()
        let done = AsyncStream.makeStream(of: Void.self)
        for _ in 0..<500 {
            queue.add {
                counts.work()
                done.continuation.yield()
            }
        }
        var left = 500
        for await _ in done.stream {
            left -= 1
            if left == 0 { break }
        }
        #expect(counts.most <= 3)
    }

    @Test func `what comes first leaves first, however many came`() {
        var queue = FirstInFirstOut<Int>()
        var (added, removed) = (0, 0)
        for round in 0..<200 {
            for _ in 0..<(round % 40) {
                queue.append(added)
                added += 1
            }
            for _ in 0..<(round % 37) where queue.count > 0 {
                #expect(queue.removeFirst() == removed)
                removed += 1
            }
            #expect(queue.count == added - removed)
        }
        for _ in 0..<5000 { queue.append(7) }
        while queue.removeFirst() != nil {}
        #expect(queue.count == 0)
    }

    /// How many pieces of work run at the same time.
    private final class Counts: Sendable {
        private let counts = Mutex((running: 0, most: 0))
        var most: Int { counts.withLock(\.most) }

        func work() {
            counts.withLock {
                $0.running += 1
                $0.most = max($0.most, $0.running)
            }
            // Long enough that another would meet it.
            sched_yield()
            counts.withLock { $0.running -= 1 }
        }
    }

    @Test func `no more work apart runs at once than there are threads`() async throws {
        let apart = Apart(name: "test", threads: 1)
        let counts = Counts()
        let tasks = (0..<500).map { number in
            Task {
                try await apart.run { _ in
                    counts.work()
                    return number
                }
            }
        }
        for (number, task) in tasks.enumerated() { #expect(try await task.value == number) }
        #expect(counts.most == 1)
    }

    @Test func `work apart gives each its result`() async throws {
        let apart = Apart(name: "test", threads: 1)
        let end = DispatchSemaphore(value: 0)
        let events = AsyncStream.makeStream(of: String.self)
        async let first: Int = apart.run { _ in
            events.continuation.yield("first")
            end.wait()
            return 1
        }
        var seen = events.stream.makeAsyncIterator()
        #expect(await seen.next() == "first")
        async let second: Int = apart.run { _ in
            events.continuation.yield("second")
            return 2
        }
        end.signal()
        #expect(try await first == 1)
        #expect(try await second == 2)
        #expect(await seen.next() == "second")
    }

    @Test func `a cancelled task does not wait for its work, which learns of it`() async {
        let apart = Apart(name: "test", threads: 1)
        let begun = AsyncStream.makeStream(of: Void.self)
        let end = DispatchSemaphore(value: 0)
        let learned = AsyncStream.makeStream(of: Bool.self)
        let task = Task {
            try await apart.run { cancellation in
                begun.continuation.yield()
                end.wait()
                learned.continuation.yield(cancellation.isCancelled)
            }
        }
        for await _ in begun.stream { break }
        // It stands behind the first, and is never done.
        let counts = Counts()
        let behind = Task { try await apart.run { _ in counts.work() } }
        behind.cancel()
        await #expect(throws: Apart.Cancelled.self) { try await behind.value }
        task.cancel()
        await #expect(throws: Apart.Cancelled.self) { try await task.value }
        end.signal()
        var answers = learned.stream.makeAsyncIterator()
        #expect(await answers.next() == true)
        let after = try? await apart.run { _ in 3 }
        #expect(after == 3 && counts.most == 0)
    }

    @Test func `a task that is cancelled already does no work`() async {
        let apart = Apart(name: "test", threads: 1)
        let counts = Counts()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await apart.run { _ in counts.work() }
        }
        await #expect(throws: Apart.Cancelled.self) { try await task.value }
        // The only thread has done by then what it was given.
        let after = try? await apart.run { _ in 3 }
        #expect(after == 3 && counts.most == 0)
    }
}
