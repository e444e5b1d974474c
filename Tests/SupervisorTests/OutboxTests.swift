import IPC
import Testing

@testable import Supervisor

/// Answers that a worker's channel has no room for.
@Suite struct OutboxTests {
    @Test("what had no room is sent in its order, as far as there is room")
    func order() {
        let outbox = Outbox()
        for id in 1...5 as ClosedRange<UInt32> { #expect(outbox.add(.files(.failed(.waited)), id, nil, now: 0)) }
        var sent: [UInt32] = []
        #expect(
            outbox.flush(now: 5) { _, id, _ in
                sent.append(id); return sent.count < 3
            })
        // The third found no room.
        #expect(sent == [1, 2, 3])
        sent = []
        #expect(
            outbox.flush(now: 10) { _, id, _ in
                sent.append(id); return true
            })
        #expect(sent == [3, 4, 5] && outbox.isEmpty)
    }

    @Test("a worker that takes nothing for ten seconds, or leaves two thousand messages lying, is given up")
    func bounds() {
        let outbox = Outbox()
        #expect(outbox.add(.files(.failed(.waited)), 1, nil, now: 0))
        #expect(outbox.flush(now: 9_999) { _, _, _ in false })
        #expect(!outbox.flush(now: 10_000) { _, _, _ in false })
        let full = Outbox()
        for id in 1...2048 as ClosedRange<UInt32> { #expect(full.add(.files(.failed(.waited)), id, nil, now: 0)) }
        #expect(!full.add(.files(.failed(.waited)), 2049, nil, now: 0))
    }
}
