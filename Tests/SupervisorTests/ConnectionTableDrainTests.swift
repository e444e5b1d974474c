import IPC
import Testing

@testable import Supervisor

@Suite("Connection table: stopping")
struct ConnectionTableDrainTests {
    private func table(wait: Int = 20_000) -> ConnectionTable {
        ConnectionTable(socket: "/run/mcp.sock", waitMilliseconds: wait, servedInLine: 0)
    }

    @Test func `with nobody there it is done at once`() {
        var table = table()
        #expect(table.drain(now: 0) == [])
        #expect(table.draining && table.isEmpty)
    }

    @Test func `a served client's worker is told to stop, and killed after five seconds`() {
        var table = table()
        let id = table.arrived(pid: 1, now: 0).id
        _ = table.began(id, now: 0)
        #expect(table.drain(now: 100) == [.drain(id)])
        #expect(table.nextDeadline == 4_600)
        #expect(table.advance(now: 4_599) == [])
        #expect(table.advance(now: 4_600) == [.kill(id, reason: "it did not end in time after the order to stop")])
        #expect(!table.isEmpty, "the daemon waits for the process to be gone")
        #expect(table.ended(id, now: 5_200) == [])
        #expect(table.isEmpty)
    }

    @Test func `a worker that just starts is told to stop when it is ready`() {
        var table = table()
        let id = table.arrived(pid: 1, now: 0).id
        #expect(table.drain(now: 100) == [])
        #expect(table.nextDeadline == 4_600)
        #expect(table.began(id, now: 200) == [.drain(id)])
        #expect(table.nextDeadline == 4_600, "the order to stop counts from the signal")
    }

    @Test func `a worker that just starts and does not get ready is killed within the five seconds`() {
        var table = table()
        let id = table.arrived(pid: 1, now: 0).id
        _ = table.drain(now: 100)
        #expect(table.advance(now: 4_600) == [.kill(id, reason: "it was not ready in time")])
    }

    @Test func `who waits is closed, and nobody takes the place of who ends`() {
        var table = table()
        let first = table.arrived(pid: 1, now: 0).id
        _ = table.began(first, now: 0)
        let second = table.arrived(pid: 2, now: 0).id
        let third = table.arrived(pid: 3, now: 0).id
        #expect(
            table.drain(now: 1) == [
                .drain(first), .close(second, reason: "the daemon stops"), .close(third, reason: "the daemon stops"),
            ])
        #expect(!table.hasRoom)
        #expect(table.ended(first, now: 2) == [])
        #expect(table.isEmpty)
    }

    @Test func `who is being refused is killed, who is still to be is closed`() {
        var table = table(wait: 0)
        let first = table.arrived(pid: 1, now: 0).id
        let refused = (0..<5).map { table.arrived(pid: 10 + $0, now: 0).id }
        _ = table.began(refused[0], now: 0)
        #expect(table.entries[refused[0]]?.phase == .refusing)
        #expect(table.entries[refused[4]]?.phase == .toRefuse)
        let kills = refused[..<4].map { ConnectionTable.Action.kill($0, reason: "the daemon stops") }
        #expect(table.drain(now: 1) == kills + [.close(refused[4], reason: "the daemon stops")])
        for id in refused[..<4] { #expect(table.ended(id, now: 2) == []) }
        #expect(table.entries.keys.sorted() == [first])
    }

    @Test func `a releasing worker gets the time of a drain too, no more`() {
        var table = table()
        let id = table.arrived(pid: 1, now: 0).id
        _ = table.began(id, now: 0)
        _ = table.received(.life(.clientGone), from: id, now: 0)
        #expect(table.nextDeadline == 20_000)
        #expect(table.drain(now: 1_000) == [])
        #expect(table.nextDeadline == 5_500)
        #expect(table.advance(now: 5_500) == [.kill(id, reason: "it did not stop its remote commands in time")])
    }

    @Test func `a client that goes while its worker is stopping wins no time`() {
        var table = table()
        let id = table.arrived(pid: 1, now: 0).id
        _ = table.began(id, now: 0)
        _ = table.drain(now: 1_000)
        #expect(table.received(.life(.clientGone), from: id, now: 4_600) == [])
        #expect(table.nextDeadline == 5_500)
    }

    @Test func `nobody is started any more`() {
        var table = table()
        let first = table.arrived(pid: 1, now: 0).id
        _ = table.drain(now: 1)
        #expect(table.arrived(pid: 2, now: 2).actions == [])
        #expect(table.ended(first, now: 3) == [])
    }
}
