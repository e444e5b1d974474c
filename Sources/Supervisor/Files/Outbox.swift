internal import IPC

/// Messages for which a worker's channel had no room, because many answers with long paths came at once. They are sent in their
/// order when there is room.
final class Outbox {
    private struct Item {
        let message: ToWorker
        let requestID: UInt32
        let descriptor: SharedFD?
    }

    /// Between two tries, in milliseconds.
    static let pause = 5
    /// How long a worker may take nothing.
    static let patience = 10_000
    /// Messages that may wait: answers to all calls that a worker may have, and what there is to say of brokers and of reloads.
    private static let maximum = 2048

    private var items: [Item] = []
    private var stalledSince = 0

    var isEmpty: Bool { items.isEmpty }

    /// - Returns: false where there is no room here either.
    func add(_ message: ToWorker, _ requestID: UInt32, _ descriptor: SharedFD?, now: Int) -> Bool {
        if items.isEmpty { stalledSince = now }
        items.append(Item(message: message, requestID: requestID, descriptor: descriptor))
        return items.count <= Self.maximum
    }

    /// Sends what there is room for. `send` returns false where there is none.
    /// - Returns: false where the worker has taken nothing for too long.
    func flush(now: Int, _ send: (ToWorker, UInt32, SharedFD?) -> Bool) -> Bool {
        var sent = 0
        while sent < items.count, send(items[sent].message, items[sent].requestID, items[sent].descriptor) { sent += 1 }
        guard sent > 0 else { return items.isEmpty || now - stalledSince < Self.patience }
        items.removeFirst(sent)
        stalledSince = now
        return true
    }
}
