internal import JSON
internal import Synchronization

/// Where whole messages go, one a line. The newline is the writer's.
public protocol LineWriter: Sendable {
    /// Queues the message and returns at once. What is posted is bounded by who posts it.
    func post(_ message: [UInt8])
    /// Where too much is queued, returns only when the client has taken it, or has gone.
    func settle()
    /// Returns when the client has taken the message, or has gone; does not block the caller's thread. The message is
    /// made when its turn has come, so that only one large answer at a time stands in memory as JSON.
    func writeLater(_ message: @escaping @Sendable () -> [UInt8]) async
    /// Queues a message that may be lost, and drops it where others wait already. Never blocks.
    func offer(_ message: [UInt8])
}

extension LineWriter {
    /// Queues the message, and waits where too much is queued.
    package func write(_ message: [UInt8]) {
        post(message)
        settle()
    }
}

/// The way back for one request.
protocol Reply: Sendable {
    /// Answers at once, on the reader's thread.
    func now(_ message: JSONValue)
    /// Answers from a call's task.
    func later(_ message: @escaping @Sendable () -> JSONValue) async
    /// There will be no answer.
    func nothing() async
}

struct SingleReply: Reply {
    let writer: any LineWriter

    func now(_ message: JSONValue) { writer.write(JSONWriter.bytes(of: message)) }
    func later(_ message: @escaping @Sendable () -> JSONValue) async {
        await writer.writeLater { JSONWriter.bytes(of: message()) }
    }
    func nothing() {}
}

/// Gathers the answers to a batch and sends them as one array, MCP 2025-03-26, JSON-RPC 2.0 section 6.
final class BatchReply: Reply {
    private struct State {
        var expected: Int
        var answers: [JSONValue] = []
    }

    private let writer: any LineWriter
    private let state: Mutex<State>

    init(writer: any LineWriter, expected: Int) {
        self.writer = writer
        state = Mutex(State(expected: expected))
    }

    func now(_ message: JSONValue) {
        if let batch = take(message) { writer.write(batch) }
    }

    func later(_ message: @escaping @Sendable () -> JSONValue) async {
        if let batch = take(message()) { await writer.writeLater { batch } }
    }

    func nothing() async {
        if let batch = take(nil) { await writer.writeLater { batch } }
    }

    /// The whole batch, once its last answer is in; nil before, and where no answer is due at all.
    private func take(_ message: JSONValue?) -> [UInt8]? {
        state.withLock { state in
            state.expected -= 1
            if let message { state.answers.append(message) }
            guard state.expected == 0, !state.answers.isEmpty else { return nil }
            return JSONWriter.bytes(of: .array(state.answers))
        }
    }
}
