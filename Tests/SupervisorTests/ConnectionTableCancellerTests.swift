import IPC
import Testing

@testable import Supervisor

@Suite("Connection table: workers that cancel forwards")
struct ConnectionTableCancellerTests {
    private func cancelling() -> (ConnectionTable, ConnectionTable.ID)? {
        var table = ConnectionTable(socket: "/run/mcp.sock", waitMilliseconds: 20_000)
        guard let (id, actions) = table.startCanceller(now: 0) else { return nil }
        #expect(actions == [.start(id, .cancelForwards)])
        #expect(table.canceller?.ready == false)
        #expect(table.received(.life(.ready(landlockABI: 6)), from: id, now: 10) == [])
        #expect(table.canceller?.ready == true)
        return (table, id)
    }

    @Test func `a canceller takes nobody's place`() throws {
        var (table, canceller) = try #require(cancelling())
        let client = table.arrived(pid: 1, now: 20)
        #expect(client.actions == [.start(client.id, .serve)])
        #expect(table.ended(canceller, now: 30) == [])
        #expect(table.canceller == nil)
    }

    @Test func `it speaks of cancelled forwards and of nothing else`() throws {
        let (table, canceller) = try #require(cancelling())
        for message in ToSupervisor.oneOfEach {
            var table = table
            let actions = table.received(message, from: canceller, now: 20)
            if case .forwards(.cancelled(let forward, let said)) = message {
                #expect(
                    actions == [.forwards(canceller, .cancelled(forward: forward, said: said), requestID: 0)])
            } else {
                #expect(actions == [.kill(canceller, reason: "it sent a message out of turn")], "\(message)")
            }
        }
    }

    @Test func `forwards are spoken of by who serves, or has served, and by nobody who starts or refuses`() {
        let forwarding: [ToSupervisor.Forwards] = [
            .request(host: "a", remoteHost: "b", remotePort: 1, localPort: 0), .list,
            .established(forward: 1, masterPID: 0), .failed(forward: 1, .refused),
            .cancel(forward: 1, localPort: 0, host: ""), .cancelled(forward: 1, said: ""),
        ]
        for word in forwarding {
            let message = ToSupervisor.forwards(word)
            var table = ConnectionTable(socket: "/run/mcp.sock", waitMilliseconds: 0)
            let first = table.arrived(pid: 1, now: 0).id
            let early = table.received(message, from: first, now: 1)
            #expect(early == [.kill(first, reason: "it sent a message out of turn")])
            _ = table.received(.life(.ready(landlockABI: 6)), from: first, now: 2)
            #expect(table.received(message, 3, from: first, now: 3) == [.forwards(first, word, requestID: 3)])
            let second = table.arrived(pid: 2, now: 4).id
            _ = table.received(.life(.ready(landlockABI: 6)), from: second, now: 5)
            let refusing = table.received(message, from: second, now: 6)
            #expect(refusing == [.kill(second, reason: "it sent a message out of turn")])
            _ = table.received(.life(.clientGone), from: first, now: 7)
            #expect(table.received(message, 4, from: first, now: 8) == [.forwards(first, word, requestID: 4)])
        }
    }

    @Test func `it is told to end when there is no more to do, and has an end in any case`() throws {
        var (table, canceller) = try #require(cancelling())
        #expect(table.nextDeadline == 10 + ConnectionTable.Bound.cancelling)
        #expect(table.nothingToCancel(now: 20) == [.drain(canceller)])
        #expect(table.canceller == nil, "what comes later is another one's")
        #expect(table.nextDeadline == 20 + ConnectionTable.Bound.drain)
        var (slow, other) = try #require(cancelling())
        let killed = slow.advance(now: 10 + ConnectionTable.Bound.cancelling)
        #expect(killed == [.kill(other, reason: "it did not cancel the forwards in time")])
    }

    @Test func `while the daemon stops it has the time that is left, and none is started after it`() throws {
        var table = ConnectionTable(socket: "/run/mcp.sock", waitMilliseconds: 0)
        _ = table.drain(now: 100)
        let started = table.startCanceller(now: 4_999)
        let canceller = try #require(started?.id)
        #expect(table.received(.life(.ready(landlockABI: 6)), from: canceller, now: 4_999) == [])
        #expect(table.nextDeadline == 5_000)
        let late = table.startCanceller(now: 5_000)
        #expect(late?.id == nil)
        #expect(table.advance(now: 5_000) == [.kill(canceller, reason: "it did not cancel the forwards in time")])
        var running = try #require(cancelling()).0
        _ = running.drain(now: 200)
        #expect(running.nextDeadline == 5_100)
    }
}

extension ToSupervisor {
    fileprivate static let oneOfEach: [ToSupervisor] = [
        .life(.ready(landlockABI: 6)), .life(.clientGone), .life(.clientDropped(reason: "")), .files(.open(path: "/a")),
        .files(.create(path: "/a")),
        .files(.commit(handle: 1)), .files(.abandon(handle: 1)), .forwards(.list),
        .forwards(.established(forward: 1, masterPID: 0)),
        .forwards(.request(host: "a", remoteHost: "b", remotePort: 1, localPort: 0)),
        .forwards(.failed(forward: 1, .refused)),
        .forwards(.cancel(forward: 1, localPort: 0, host: "")), .forwards(.cancelled(forward: 1, said: "")),
    ]
}
