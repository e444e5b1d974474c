internal import JSON
internal import Synchronization

/// Where whole messages go, one a line. The newline is the writer's.
public protocol LineWriter: Sendable {
    /// Queues the message and returns at once. What is posted is bounded by who posts it.
    func post(_ message: [UInt8])
    /// Where too much is queued, returns only when the client has taken it, or has gone.
    func settle()
    /// Returns when the client has taken the message, or has gone. A large one is made apart from the caller's thread and from
    /// what is written meanwhile, and one at a time, so that only one stands in memory as JSON.
    func writeLater(isLarge: Bool, _ message: @escaping @Sendable () -> [UInt8]) async
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
    func later(_ message: JSONValue) async
    /// There will be no answer; from a call's task.
    func nothing() async
    /// There will be no answer; at once, on the reader's thread.
    func nothingNow()
}

extension LineWriter {
    /// An answer that is larger takes long enough to make that others would notice.
    private static var large: Int { 64 << 10 }

    func writeLater(_ message: JSONValue) async {
        await writeLater(isLarge: message.isLarger(than: Self.large)) { JSONWriter.bytes(of: message) }
    }
}

struct SingleReply: Reply {
    let writer: any LineWriter

    func now(_ message: JSONValue) { writer.write(JSONWriter.bytes(of: message)) }
    func later(_ message: JSONValue) async { await writer.writeLater(message) }
    func nothing() {}
    func nothingNow() {}
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
        if let batch = take(message) { writer.write(JSONWriter.bytes(of: batch)) }
    }

    func later(_ message: JSONValue) async {
        if let batch = take(message) { await writer.writeLater(batch) }
    }

    func nothing() async {
        if let batch = take(nil) { await writer.writeLater(batch) }
    }

    func nothingNow() {
        if let batch = take(nil) { writer.write(JSONWriter.bytes(of: batch)) }
    }

    /// The whole batch, once its last answer is in; nil before, and where no answer is due at all.
    private func take(_ message: JSONValue?) -> JSONValue? {
        state.withLock { state in
            state.expected -= 1
            if let message { state.answers.append(message) }
            guard state.expected == 0, !state.answers.isEmpty else { return nil }
            return .array(state.answers)
        }
    }
}
