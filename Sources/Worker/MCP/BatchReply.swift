internal import JSON
internal import Synchronization

/// Gathers the answers to a batch, and sends them as one array when the last is there, JSON-RPC 2.0 section 6.
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

    /// Adds an answer; nil if a request has none.
    /// - Returns: the whole batch with its last answer; nil before that, or if no request has an answer.
    private func take(_ message: JSONValue?) -> JSONValue? {
        state.withLock { state in
            state.expected -= 1
            if let message { state.answers.append(message) }
            guard state.expected == 0, !state.answers.isEmpty else { return nil }
            return .array(state.answers)
        }
    }
}
