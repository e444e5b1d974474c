internal import JSON

/// Writes whole messages to a client, one a line. It adds the newline.
public protocol LineWriter: Sendable {
    /// Queues the message and returns at once. The caller bounds how much it posts.
    func post(_ message: [UInt8])
    /// If too much is queued, waits until the client has taken it or has gone.
    func settle()
    /// Returns when the client has taken the message or has gone. `message` makes the text. Large messages are made on a thread
    /// of their own, one at a time, so that only one of them is in memory as JSON and short ones do not wait.
    func writeLater(isLarge: Bool, _ message: @escaping @Sendable () -> [UInt8]) async
    /// Queues a message that may be lost. If others are waiting, it is dropped. This never blocks.
    func offer(_ message: [UInt8])
}

extension LineWriter {
    /// Queues the message, and waits if too much is queued.
    package func write(_ message: [UInt8]) {
        post(message)
        settle()
    }
}

extension LineWriter {
    /// A message of more bytes takes so long to make that other calls would notice.
    private static var large: Int { 64 << 10 }

    func writeLater(_ message: JSONValue) async {
        await writeLater(isLarge: message.isLarger(than: Self.large)) { JSONWriter.bytes(of: message) }
    }
}
