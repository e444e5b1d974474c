import Glibc
import Testing

@testable import Threads

/// Work that a disk may hold up for ever.
@Suite struct ApartTests {
    /// A pipe that is read from by work that shall hang, until it is told to go on.
    private final class Gate: Sendable {
        let readEnd: Int32
        private let writeEnd: Int32

        init() {
            var ends: [Int32] = [-1, -1]
            pipe(&ends)
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
