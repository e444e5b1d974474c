internal import JSON

/// The way back for the answer to one request. One of these functions is called once for each request.
protocol Reply: Sendable {
    /// Answers on the reader's thread.
    func now(_ message: JSONValue)
    /// Answers from a call's task.
    func later(_ message: JSONValue) async
    /// Says from a call's task that there is no answer.
    func nothing() async
    /// Says on the reader's thread that there is no answer.
    func nothingNow()
}
