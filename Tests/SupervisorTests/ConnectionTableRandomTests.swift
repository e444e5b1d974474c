import IPC
import TestSupport
import Testing

@testable import Supervisor

/// What a daemon has to hold for each connection, driven by the table's actions as the event loop does it.
private struct Loop {
    enum Holding { case client, worker(WorkerRole, killed: Bool) }

    var table: ConnectionTable
    var holding: [ConnectionTable.ID: Holding] = [:]
    var mistakes: [String] = []
    var served = 0
    var refused = 0
    /// The workers that have a gate, and those whose gate starts beside them.
    var gates: Set<ConnectionTable.ID> = []
    let servedInLine: Int

    init(servedInLine: Int) {
        self.servedInLine = servedInLine
        table = ConnectionTable(socket: "/run/mcp.sock", waitMilliseconds: 3_000, servedInLine: servedInLine)
    }

    mutating func perform(_ actions: [ConnectionTable.Action]) {
        for action in actions {
            switch action {
            case .start(let id, let role):
                guard case .client = holding[id] else {
                    mistakes.append("start of \(id) without its client")
                    continue
                }
                holding[id] = .worker(role, killed: false)
                if role != .serve { refused += 1 } else if table.entries[id]?.hasPlace == true { gates.insert(id) }
            case .close(let id, _):
                guard case .client = holding.removeValue(forKey: id) else {
                    mistakes.append("close of \(id), which has a worker or is gone")
                    continue
                }
            case .kill(let id, _), .drain(let id), .proceed(let id), .takeGate(let id), .wait(let id),
                .refuse(let id, _), .refuseCall(let id, _, _):
                guard case .worker(let role, _) = holding[id] else {
                    mistakes.append("kill or drain of \(id), which has no worker")
                    continue
                }
                switch action {
                case .kill: holding[id] = .worker(role, killed: true)
                case .proceed:
                    served += 1
                    gates.insert(id)
                case .takeGate: gates.remove(id)
                default: break
                }
            case .audit(let id, _, _): mistakes.append("a call of \(id), which began none")
            case .files(let id, _, _), .refuseFiles(let id, _), .forwards(let id, _, _):
                mistakes.append("local files or forwards for \(id), which did not ask")
            }
        }
        check()
    }

    private mutating func check() {
        let withPlace = table.entries.filter(\.value.hasPlace)
        let started = table.entries.filter { id, entry in
            guard case .worker(.refuse, _) = holding[id] else { return false }
            return !entry.isRefusedUnheard
        }
        if withPlace.count > 1 { mistakes.append("two are served") }
        for (id, entry) in table.entries {
            if entry.phase == .serving, !entry.hasPlace || !gates.contains(id) {
                mistakes.append("\(id) serves without")
            }
            switch entry.phase {
            case .listening, .unheard, .waitingReady:
                if !entry.hasPlace, gates.contains(id) { mistakes.append("\(id) has a gate in line") }
            case .silent, .waiting, .toRefuse, .starting, .serving, .departing, .leaving, .refusing, .releasing: break
            }
        }
        let inLine = table.entries.values.count { $0.isServedInLine }
        if inLine > servedInLine { mistakes.append("\(inLine) workers in line") }
        if inLine < servedInLine, table.entries.values.contains(where: \.isUnanswered), !table.draining {
            mistakes.append("somebody in line is not answered")
        }
        if table.entries.values.count(where: \.isBoundedAsUnheard) > ConnectionTable.maximumUnheard {
            mistakes.append("too many are unheard")
        }
        let refusals = started.values.count {
            switch $0.phase {
            case .refusing, .starting(.refuse), .starting(.check): true
            case .silent, .waiting, .toRefuse, .starting(.serve), .listening, .serving, .unheard, .waitingReady,
                .departing, .leaving, .releasing:
                false
            }
        }
        if refusals > 4 { mistakes.append("\(refusals) are refused at once") }
        // Nobody but an end or a hang-up would ever wake who waits for a free place.
        let waits = table.entries.values.contains {
            $0.isInLine
        }
        if waits && withPlace.isEmpty && !table.draining { mistakes.append("the place is free and somebody waits") }
        if Set(table.entries.keys) != Set(holding.keys) {
            mistakes.append("the table and the loop disagree on who is there")
        }
        for (id, entry) in table.entries
        where entry.deadline == nil && entry.phase != .serving && entry.phase != .unheard {
            switch (entry.phase, holding[id]) {
            case (.silent, _), (.toRefuse, _), (_, .worker(_, killed: true)): break
            case (.waitingReady, _) where entry.isServedInLine: break
            default: mistakes.append("\(entry.phase) has no end")
            }
        }
    }
}

@Suite("Connection table against random events")
struct ConnectionTableRandomTests {
    /// What an honest worker says next; nil if nothing.
    private static func honestWord(
        in phase: ConnectionTable.Phase?, _ generator: inout SeededGenerator
    ) -> ToSupervisor? {
        switch phase {
        case .starting, .departing: .life(.ready(landlockABI: 6))
        case .listening: Bool.random(using: &generator) ? .life(.clientSpeaks) : .life(.clientUnheard)
        case .unheard: .life(.clientSpeaks)
        case .silent, .waiting, .toRefuse, .serving, .waitingReady, .leaving, .refusing, .releasing, .none: nil
        }
    }

    @Test(arguments: 1...12 as ClosedRange<UInt64>, [0, 3])
    func `nobody is lost, and no two are served, whatever happens`(seed: UInt64, servedInLine: Int) {
        var generator = SeededGenerator(seed: seed)
        var loop = Loop(servedInLine: servedInLine)
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
                let honest = Self.honestWord(in: loop.table.entries[id]?.phase, &generator)
                let any: ToSupervisor = [
                    .life(.ready(landlockABI: 6)), .life(.ready(landlockABI: 6)), .life(.clientGone),
                    .life(.clientDropped(reason: "")), .life(.clientUnheard), .life(.clientUnheard),
                    .life(.clientSpeaks), .life(.clientSpeaks), .life(.clientSpeaks), .life(.callWaited),
                    .life(.clientNamed("n")),
                ][
                    Int.random(in: 0..<11, using: &generator)]
                let message = Int.random(in: 0..<4, using: &generator) > 0 ? honest ?? any : any
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
                    loop.gates.remove(id)
                    loop.perform(loop.table.failedToServe(id, .confinement, now: now))
                default: break
                }
            case 7, 8:
                guard case .worker = loop.holding[id] else { continue }
                loop.holding[id] = nil
                loop.gates.remove(id)
                loop.perform(loop.table.ended(id, now: now))
            case 9:
                if loop.table.entries[id]?.phase == .serving { loop.perform(loop.table.cannotProceed(id, now: now)) }
            default: break
            }
        }
        #expect(loop.mistakes == [])
        #expect(loop.served > 0 && loop.refused > 5, "both happened: \(loop.served), \(loop.refused)")
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
