import IPC
import Testing

@testable import Supervisor

/// Clients in line that have a worker: it answers what needs no place, and has no gate.
@Suite("Clients in line")
struct WaitingClientTests {
    private typealias Action = ConnectionTable.Action
    private typealias ID = ConnectionTable.ID

    private static let outOfTurn = "it sent a message out of turn"

    /// A table whose first client has the place, and in which these are in line, each with a worker that was told to wait.
    private func waiting(_ count: Int, wait: Int = 20_000) -> (ConnectionTable, first: ID, waiting: [ID]) {
        var table = ConnectionTable(socket: "/run/mcp.sock", waitMilliseconds: wait)
        let first = table.arrived(pid: 100, now: 0).id
        _ = table.began(first, now: 0)
        let waiting = (0..<count).map { index in
            let next = table.arrived(pid: 200 + Int32(index), now: 1)
            #expect(next.actions == [.start(next.id, .serve)])
            #expect(table.began(next.id, now: 2) == [.wait(next.id)])
            return next.id
        }
        return (table, first, waiting)
    }

    @Test func `a worker serves a client in line at once, and nothing ends that but the client`() {
        var (table, _, waiting) = waiting(1)
        #expect(table.entries[waiting[0]]?.phase == .waitingReady)
        #expect(table.nextDeadline == nil)
        #expect(table.advance(now: 3_600_000) == [])
    }

    @Test func `eight have a worker, more wait unread and are refused, and the next one gets a worker when one ends`() {
        var (table, _, waiting) = waiting(8)
        let more = (0..<3).map { table.arrived(pid: 300 + $0, now: 5) }
        #expect(more.allSatisfy { $0.actions.isEmpty })
        #expect(table.hungUp(waiting[3], now: 6) == [.drain(waiting[3])])
        #expect(table.advance(now: 7) == [], "its worker still counts")
        #expect(table.ended(waiting[3], now: 8) == [.start(more[0].id, .serve)])
        let late = table.advance(now: 20_005)
        for next in more[1...] {
            guard late.contains(where: { if case .start(next.id, .refuse(.occupied)) = $0 { true } else { false } })
            else {
                Issue.record("\(next.id) waits on: \(late)")
                return
            }
        }
        #expect(late.count == 3, "and the one that did not get ready is killed")
    }

    @Test func `the place goes to the one that has waited longest, whose worker gets a gate`() {
        var (table, first, waiting) = waiting(3)
        let unread = (0..<6).map { table.arrived(pid: 300 + $0, now: 5).id }
        #expect(table.entries[unread[4]]?.phase == .starting(.serve))
        #expect(table.entries[unread[5]]?.phase == .waiting)
        // The one that goes makes room for another worker.
        #expect(
            table.received(.life(.clientGone), from: first, now: 6)
                == [.proceed(waiting[0]), .start(unread[5], .serve)])
        #expect(table.hungUp(waiting[0], now: 7) == [.proceed(waiting[1])])
        #expect(table.entries[waiting[1]]?.phase == .serving)
    }

    @Test func `one whose worker just starts has its turn when the place is free, and loses it without a request`() {
        var (table, first, _) = waiting(0)
        let second = table.arrived(pid: 2, now: 1).id
        let third = table.arrived(pid: 3, now: 2).id
        _ = table.received(.life(.ready(landlockABI: 6)), from: second, now: 3)
        #expect(table.began(third, now: 4) == [.wait(third)])
        #expect(table.hungUp(first, now: 5) == [], "the second one comes first, and says soon whether it wants to")
        var unheard = table
        #expect(
            unheard.received(.life(.clientUnheard), from: second, now: 6) == [.takeGate(second), .proceed(third)])
        #expect(table.received(.life(.clientSpeaks), from: second, now: 6) == [.proceed(second)])
    }

    @Test func `a call that has waited is refused with who is in the way, by the name that client gave itself`() {
        var (table, first, waiting) = waiting(1)
        #expect(table.received(.life(.clientNamed("claude-code")), from: first, now: 5) == [])
        let client = ClientInTheWay(pid: 100, name: "claude-code", seconds: 31)
        let refusal = ClientRefusal.occupied(socket: "/run/mcp.sock", by: client, waited: 20)
        for call in [7, 9] as [UInt32] {
            #expect(
                table.received(.life(.callWaited), call, from: waiting[0], now: 31_000)
                    == [.refuseCall(waiting[0], refusal, requestID: call)])
        }
        #expect(table.entries[waiting[0]]?.phase == .waitingReady, "it stays in line")
        // Both may cross: the place has come meanwhile, or the client has gone.
        _ = table.hungUp(first, now: 32_000)
        #expect(table.received(.life(.callWaited), 11, from: waiting[0], now: 32_001) == [])
        _ = table.hungUp(waiting[0], now: 32_002)
        #expect(table.received(.life(.callWaited), 12, from: waiting[0], now: 32_003) == [])
    }

    @Test func `a client has one name`() {
        for isFirst in [true, false] {
            var (table, first, waiting) = waiting(1)
            let id = isFirst ? first : waiting[0]
            #expect(table.received(.life(.clientNamed("a")), from: id, now: 5) == [])
            #expect(
                table.received(.life(.clientNamed("b")), from: id, now: 6) == [.kill(id, reason: Self.outOfTurn)])
            #expect(table.entries[id]?.name == "a")
        }
    }

    @Test func `a worker in line gets nothing that needs the place, also when its client has gone`() {
        let messages: [ToSupervisor] =
            ToSupervisor.Files.kinds.map { .files($0) } + ToSupervisor.Audit.kinds.map { .audit($0) }
            + ToSupervisor.Forwards.kinds.map { .forwards($0) } + ToSupervisor.Patterns.kinds.map { .patterns($0) }
            + [.life(.ready(landlockABI: 1)), .life(.clientUnheard), .life(.clientSpeaks)]
        for message in messages {
            var (table, _, waiting) = waiting(1)
            let killed = [Action.kill(waiting[0], reason: Self.outOfTurn)]
            #expect(table.received(message, from: waiting[0], now: 5) == killed, "\(message)")
            var said = table
            #expect(said.received(.life(.clientGone), from: waiting[0], now: 6) == [])
            #expect(said.received(message, from: waiting[0], now: 7) == killed, "\(message) after its own word")
            _ = table.hungUp(waiting[0], now: 6)
            let crossed = table.received(message, from: waiting[0], now: 7)
            let mayCross = message == .life(.clientUnheard) || message == .life(.clientSpeaks)
            #expect(crossed == (mayCross ? [] : killed), "\(message) after the hang-up")
        }
    }

    @Test func `one that hangs up goes at once, and its worker has the time of a stop to end`() {
        var (table, first, waiting) = waiting(2)
        #expect(table.hungUp(waiting[0], now: 5) == [.drain(waiting[0])])
        #expect(table.received(.life(.clientGone), from: waiting[0], now: 6) == [], "it may say so as well")
        #expect(table.hungUp(first, now: 7) == [.proceed(waiting[1])])
        let killed = table.advance(now: 5 + ConnectionTable.Bound.drain)
        #expect(killed == [.kill(waiting[0], reason: "it did not end in time after its client had gone")])
    }

    @Test func `one that cannot be given a gate is told so, and the next one has its turn`() {
        var (table, first, waiting) = waiting(2)
        #expect(table.hungUp(first, now: 5) == [.proceed(waiting[0])])
        #expect(
            table.cannotProceed(waiting[0], now: 6)
                == [.refuse(waiting[0], .noWorker(.gate)), .proceed(waiting[1])])
        #expect(table.received(.life(.clientDropped(reason: "x")), from: waiting[0], now: 7) == [])
        #expect(table.cannotProceed(waiting[0], now: 8) == [], "it is not the one that has the place")
    }

    @Test func `a stop tells them to end, in the time of a stop`() {
        var (table, first, waiting) = waiting(2)
        #expect(table.drain(now: 10) == [.drain(first), .drain(waiting[0]), .drain(waiting[1])])
        #expect(
            table.received(.life(.callWaited), 3, from: waiting[0], now: 11).count == 1, "a call may still be refused")
        #expect(table.ended(first, now: 12) == [], "nobody gets the place any more")
        let why = "it did not end in time after the order to stop"
        #expect(
            table.advance(now: 10 + ConnectionTable.Bound.drain)
                == [.kill(waiting[0], reason: why), .kill(waiting[1], reason: why)])
    }
}
