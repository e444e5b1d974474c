import IPC
import TestSupport
import Testing

@testable import Supervisor

/// What a daemon has to hold for each connection, driven by the table's actions as the event loop does it.
private struct Loop {
    enum Holding { case client, worker(WorkerRole, killed: Bool) }

    var table = ConnectionTable(socket: "/run/mcp.sock", waitMilliseconds: 3_000)
    var holding: [ConnectionTable.ID: Holding] = [:]
    var mistakes: [String] = []
    var served = 0
    var refused = 0

    mutating func perform(_ actions: [ConnectionTable.Action]) {
        for action in actions {
            switch action {
            case .start(let id, let role):
                guard case .client = holding[id] else {
                    mistakes.append("start of \(id) without its client")
                    continue
                }
                holding[id] = .worker(role, killed: false)
                if role == .serve { served += 1 } else { refused += 1 }
            case .close(let id, _):
                guard case .client = holding.removeValue(forKey: id) else {
                    mistakes.append("close of \(id), which has a worker or is gone")
                    continue
                }
            case .kill(let id, _), .drain(let id), .proceed(let id), .refuse(let id, _):
                guard case .worker(let role, _) = holding[id] else {
                    mistakes.append("kill or drain of \(id), which has no worker")
                    continue
                }
                if case .kill = action { holding[id] = .worker(role, killed: true) }
            case .audit(let id, _, _): mistakes.append("a call of \(id), which began none")
            case .files(let id, _, _), .refuseFiles(let id, _), .forwards(let id, _, _):
                mistakes.append("local files or forwards for \(id), which did not ask")
            }
        }
        check()
    }

    private mutating func check() {
        let phases = table.entries.values.map(\.phase)
        let started = table.entries.filter { id, entry in
            guard case .worker(.refuse, _) = holding[id] else { return false }
            return !entry.isRefusedUnheard
        }
        if phases.count(where: { $0 == .serving || $0 == .starting(.serve) }) > 1 { mistakes.append("two are served") }
        let refusals = started.values.count {
            switch $0.phase {
            case .refusing, .starting(.refuse), .starting(.check): true
            case .silent, .waiting, .toRefuse, .starting(.serve), .serving, .unheard,
                .waitingReady,
                .departing, .releasing:
                false
            }
        }
        if refusals > 4 { mistakes.append("\(refusals) are refused at once") }
        // Nobody but an end or a hang-up would ever wake who waits for a free place.
        let waits = table.entries.values.contains {
            $0.isInLine
        }
        let taken = phases.contains { $0 == .serving || $0 == .starting(.serve) }
        if waits && !taken { mistakes.append("the place is free and somebody waits") }
        if Set(table.entries.keys) != Set(holding.keys) {
            mistakes.append("the table and the loop disagree on who is there")
        }
        for (id, entry) in table.entries
        where entry.deadline == nil && entry.phase != .serving && entry.phase != .unheard {
            switch (entry.phase, holding[id]) {
            case (.silent, _), (.toRefuse, _), (_, .worker(_, killed: true)): break
            default: mistakes.append("\(entry.phase) has no end")
            }
        }
    }
}

@Suite("Connection table against random events")
struct ConnectionTableRandomTests {
    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func `nobody is lost, and no two are served, whatever happens`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var loop = Loop()
        var now = 0
        for _ in 0..<3_000 where loop.mistakes.isEmpty {
            now += Int.random(in: 0...400, using: &generator)
            loop.perform(loop.table.advance(now: now))
            let id = loop.table.entries.keys.sorted().randomElement(using: &generator) ?? 1
            switch Int.random(in: 0..<12, using: &generator) {
            case 0...2 where loop.holding.count < 12:
                let (id, actions) = loop.table.arrived(pid: 1, now: now)
                loop.holding[id] = .client
                loop.perform(actions)
            case 3: loop.perform(loop.table.hungUp(id, now: now))
            case 4...6:
                guard case .worker = loop.holding[id] else { continue }
                let message: ToSupervisor = [
                    .life(.ready(landlockABI: 6)), .life(.ready(landlockABI: 6)), .life(.clientGone),
                    .life(.clientDropped(reason: "")), .life(.clientUnheard), .life(.clientUnheard),
                    .life(.clientSpeaks), .life(.clientSpeaks),
                ][
                    Int.random(in: 0..<8, using: &generator)]
                loop.perform(loop.table.received(message, from: id, now: now))
            case 10 where loop.holding.count < 12:
                let (id, actions) = loop.table.accepted(pid: 1, now: now)
                loop.holding[id] = .client
                loop.perform(actions)
            case 11:
                switch (loop.table.entries[id]?.phase, loop.holding[id]) {
                case (.silent, _): loop.perform(loop.table.spoke(id, now: now))
                case (.starting(.serve), .worker):
                    loop.holding[id] = .client
                    loop.perform(loop.table.failedToServe(id, .confinement, now: now))
                default: break
                }
            case 7, 8:
                guard case .worker = loop.holding[id] else { continue }
                loop.holding[id] = nil
                loop.perform(loop.table.ended(id, now: now))
            default: break
            }
        }
        #expect(loop.mistakes == [])
        #expect(loop.served > 20 && loop.refused > 20, "both were common: \(loop.served), \(loop.refused)")
        // And then it stops: every worker that ends leaves, and nothing remains.
        loop.perform(loop.table.drain(now: now))
        loop.perform(loop.table.advance(now: now + 5_000))
        for (id, holding) in loop.holding {
            guard case .worker(_, killed: true) = holding else {
                Issue.record("\(id) was neither closed nor killed")
                continue
            }
            loop.holding[id] = nil
            loop.perform(loop.table.ended(id, now: now))
        }
        #expect(loop.table.isEmpty)
        #expect(loop.mistakes == [])
    }
}
