internal import IPC

/// Keeps messages for which a worker's channel has no room, and sends them in order when it has. This happens when many answers
/// with long paths come at once.
final class Outbox {
    private struct Item {
        let message: ToWorker
        let requestID: UInt32
        let descriptor: SharedFD?
    }

    /// The pause between two tries, in milliseconds.
    static let pause = 5
    /// How long a worker may take no message, in milliseconds.
    static let patience = 10_000
    /// How many messages may wait: the answers to all calls of a worker, and messages about brokers and reloads.
    private static let maximum = 2048

    private var items: [Item] = []
    private var stalledSince = 0

    var isEmpty: Bool { items.isEmpty }

    /// Adds a message.
    /// - Returns: false if there is no room here either.
    func add(_ message: ToWorker, _ requestID: UInt32, _ descriptor: SharedFD?, now: Int) -> Bool {
        if items.isEmpty { stalledSince = now }
        items.append(Item(message: message, requestID: requestID, descriptor: descriptor))
        return items.count <= Self.maximum
    }

    /// Sends messages until `send` returns false, because there is no room.
    /// - Returns: false if the worker has taken nothing for too long.
    func flush(now: Int, _ send: (ToWorker, UInt32, SharedFD?) -> Bool) -> Bool {
        var sent = 0
        while sent < items.count, send(items[sent].message, items[sent].requestID, items[sent].descriptor) { sent += 1 }
        guard sent > 0 else { return items.isEmpty || now - stalledSince < Self.patience }
        items.removeFirst(sent)
        stalledSince = now
        return true
    }
}
