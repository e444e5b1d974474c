package import JSON
import MCP
import Synchronization

/// Keeps what a server writes.
package final class RecordingWriter: LineWriter {
    private let lines = Mutex<[[UInt8]]>([])
    private let continuation: AsyncStream<JSONValue>.Continuation
    /// Called with each message that a call's task writes, while it is being written.
    private let during: Mutex<(@Sendable (JSONValue) -> Void)?> = Mutex(nil)
    package let answers: AsyncStream<JSONValue>

    package init() {
        (answers, continuation) = AsyncStream.makeStream(of: JSONValue.self)
    }

    /// All messages so far, in the order of writing.
    package var bytes: [[UInt8]] { lines.withLock { $0 } }

    /// The same, parsed.
    package var all: [JSONValue] { lines.withLock { $0.map { JSONValue.parse($0) ?? "unparsable" } } }

    package func whileWriting(_ body: @escaping @Sendable (JSONValue) -> Void) { during.withLock { $0 = body } }

    package func post(_ message: [UInt8]) {
        lines.withLock { $0.append(message) }
        continuation.yield(JSONValue.parse(message) ?? "unparsable")
    }

    package func settle() {}

    package func offer(_ message: [UInt8]) { write(message) }

    /// From now on a call's answer waits until the client `takes` one.
    package func stopReading() { taking.withLock { $0.isReading = false } }

    /// The client takes so many of the answers that wait, now or when they come.
    package func take(_ count: Int) {
        for _ in 0..<count {
            let next = taking.withLock { taking -> CheckedContinuation<Void, Never>? in
                guard taking.waiting.isEmpty else { return taking.waiting.removeFirst() }
                taking.taken += 1
                return nil
            }
            next?.resume()
        }
    }

    /// Answers that the client has not taken.
    package var unread: Int { taking.withLock { $0.waiting.count } }

    private struct Taking {
        var isReading = true
        var taken = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let taking = Mutex(Taking())

    private func waitForClient() async {
        await withCheckedContinuation { continuation in
            let isTaken = taking.withLock { taking in
                if taking.isReading { return true }
                if taking.taken > 0 {
                    taking.taken -= 1
                    return true
                }
                taking.waiting.append(continuation)
                return false
            }
            if isTaken { continuation.resume() }
        }
    }

    package func writeLater(isLarge: Bool, _ make: @escaping @Sendable () -> [UInt8]) async {
        await waitForClient()
        let message = make()
        write(message)
        during.withLock { $0 }?(JSONValue.parse(message) ?? "unparsable")
    }
}
