import Glibc
import Synchronization
import Testing

@testable import Threads

/// Work that a disk may hold up for ever.
@Suite struct ApartTests {
    /// A socket that is read from by work that shall hang, until it is told to go on.
    private final class Gate: Sendable {
        let readEnd: Int32
        private let writeEnd: Int32

        init() {
            var ends: [Int32] = [-1, -1]
            socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends)
            (readEnd, writeEnd) = (ends[0], ends[1])
        }

        func wait() {
            var byte: UInt8 = 0
            _ = read(readEnd, &byte, 1)
        }

        func open() { close(writeEnd) }

        deinit { close(readEnd) }
    }

    @Test("work that is not done in its time is told so, and its thread is replaced: other work goes on")
    func late() async throws {
        let apart = Apart(name: "test", threads: 2)
        let gate = Gate()
        defer { gate.open() }
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<6 {
                group.addTask {
                    do throws(Apart.Interruption) {
                        try await apart.run(within: .milliseconds(100)) { gate.wait() }
                        return false
                    } catch {
                        return error == .late
                    }
                }
            }
            for await isLate in group { #expect(isLate) }
        }
        let done = try await apart.run(within: .seconds(20)) { 7 }
        #expect(done == 7)
    }

    private final class Counter: Sendable {
        let count = Mutex(0)
    }

    @Test("work behind work that hangs has a thread within two seconds, long before that is told to be late")
    func goesOn() async throws {
        let apart = Apart(name: "test", threads: 2)
        let gate = Gate()
        let begun = Counter()
        let hung = (0..<2).map { _ in
            Task {
                do throws(Apart.Interruption) {
                    try await apart.run(within: .seconds(60)) {
                        begun.count.withLock { $0 += 1 }
                        gate.wait()
                    }
                    return true
                } catch {
                    return false
                }
            }
        }
        while begun.count.withLock({ $0 }) < 2 { await Task.yield() }
        let clock = ContinuousClock()
        let began = clock.now
        #expect(try await apart.run(within: .seconds(20)) { 7 } == 7)
        #expect(clock.now - began < .seconds(10))
        gate.open()
        for task in hung { #expect(await task.value) }
    }

    @Test("work that was never begun is not said to be late")
    func crowded() async {
        let apart = Apart(name: "test", threads: 25, queueing: .seconds(6))
        let gate = Gate()
        let counts = await withTaskGroup(of: Apart.Interruption?.self) { group in
            for _ in 0..<60 {
                group.addTask {
                    do throws(Apart.Interruption) {
                        try await apart.run(within: .seconds(3)) { gate.wait() }
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            var counts = (late: 0, crowded: 0)
            for await end in group {
                switch end {
                case .late: counts.late += 1
                case .crowded: counts.crowded += 1
                case .cancelled, .none: break
                }
            }
            return counts
        }
        gate.open()
        // 25 threads, and 24 in their place.
        #expect(counts.late == 49 && counts.crowded == 11, "\(counts)")
    }

    @Test("a cancelled task does not wait for its work")
    func cancelled() async {
        let apart = Apart(name: "test", threads: 1)
        let gate = Gate()
        defer { gate.open() }
        let task = Task {
            do throws(Apart.Interruption) {
                try await apart.run(within: .seconds(100)) { gate.wait() }
                return false
            } catch {
                return error == .cancelled
            }
        }
        task.cancel()
        #expect(await task.value)
    }
}
