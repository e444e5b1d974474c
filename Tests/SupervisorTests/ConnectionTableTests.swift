import IPC
import Testing

@testable import Supervisor

private let socket = "/run/user/1000/mcp.sock"
private let outOfTurn = "it sent a message out of turn"

@Suite("Connection table")
struct ConnectionTableTests {
    private typealias Action = ConnectionTable.Action

    private func occupied(by client: ClientInTheWay) -> ClientRefusal {
        .occupied(socket: socket, by: client, waited: 20)
    }

    /// A table with one served client, accepted and ready at `now`.
    private func serving(_ now: Int = 0, wait: Int = 20_000) -> (ConnectionTable, ConnectionTable.ID) {
        var table = ConnectionTable(socket: socket, waitMilliseconds: wait, servedInLine: 0)
        let first = table.arrived(pid: 100, now: now)
        #expect(first.actions == [.start(first.id, .serve)])
        #expect(table.began(first.id, now: now) == [])
        return (table, first.id)
    }

    @Test func `the first client is served at once`() {
        let (table, id) = serving(5)
        #expect(table.entries[id]?.phase == .serving)
        #expect(table.nextDeadline == nil, "a served client may stay as long as it likes")
        #expect(!table.isEmpty)
    }

    @Test func `one is served at a time, the others in the order in which they came`() {
        var (table, first) = serving()
        let second = table.arrived(pid: 101, now: 10)
        let third = table.arrived(pid: 102, now: 20)
        #expect(second.actions == [] && third.actions == [])
        #expect(table.advance(now: 30) == [])
        #expect(table.ended(first, now: 40) == [.start(second.id, .serve)])
        #expect(table.arrived(pid: 103, now: 50).actions == [], "a start counts as the place taken")
        #expect(table.ended(second.id, now: 60) == [.start(third.id, .serve)])
        #expect(Set([first, second.id, third.id]).count == 3)
    }

    @Test(arguments: [ToSupervisor.life(.clientGone), .life(.clientDropped(reason: "a line was too long"))])
    func `a client that has gone frees the place while its worker still stops remote work`(message: ToSupervisor) {
        var (table, first) = serving()
        let second = table.arrived(pid: 101, now: 10)
        #expect(table.received(message, from: first, now: 20) == [.start(second.id, .serve)])
        #expect(table.entries[first]?.phase == .releasing)
        // The old worker's end starts nobody.
        #expect(table.ended(first, now: 30) == [])
        #expect(table.entries[second.id]?.phase == .starting(.serve))
    }

    @Test func `who waited too long is refused, with the pid, age and socket of who is in the way`() {
        var (table, first) = serving(1_000)
        let second = table.arrived(pid: 101, now: 43_000)
        #expect(table.nextDeadline == 63_000)
        #expect(table.advance(now: 62_999) == [])
        let actions = table.advance(now: 63_000)
        #expect(
            actions == [
                .start(second.id, .refuse(occupied(by: ClientInTheWay(pid: 100, seconds: 62))))
            ])
        #expect(table.began(second.id, now: 63_100) == [])
        #expect(table.entries[second.id]?.phase == .refusing)
        #expect(table.entries[first]?.phase == .serving, "the served client notices nothing")
        #expect(table.ended(second.id, now: 63_200) == [])
        #expect(table.entries.count == 1)
    }

    @Test func `a wait of zero refuses at once, but never a client that finds the place free`() {
        var table = ConnectionTable(socket: socket, waitMilliseconds: 0, servedInLine: 0)
        let first = table.arrived(pid: 1, now: 7)
        #expect(first.actions == [.start(first.id, .serve)])
        let second = table.arrived(pid: 2, now: 8)
        guard case .start(second.id, .refuse) = second.actions.first else {
            Issue.record("no refusal: \(second.actions)")
            return
        }
    }

    @Test func `a changed wait is for clients that come from then on`() {
        var (table, _) = serving()
        _ = table.arrived(pid: 2, now: 0)
        table.waitMilliseconds = 1_000
        #expect(table.nextDeadline == 20_000)
        _ = table.arrived(pid: 3, now: 0)
        #expect(table.nextDeadline == 1_000)
    }

    @Test func `at most four are refused at once, the next as soon as one of them is done`() {
        var (table, first) = serving()
        let ids = (0..<7).map { table.arrived(pid: 200 + $0, now: 0).id }
        let started = table.advance(now: 20_000).compactMap { action -> ConnectionTable.ID? in
            guard case .start(let id, .refuse) = action else { return nil }
            return id
        }
        #expect(started == Array(ids[..<4]))
        #expect(table.entries[ids[4]]?.phase == .toRefuse)
        // Being told counts as well as being started.
        #expect(table.began(ids[0], now: 20_001) == [])
        #expect(table.advance(now: 20_002) == [])
        let next = table.ended(ids[0], now: 20_003)
        guard case .start(ids[4], .refuse) = next.first, next.count == 1 else {
            Issue.record("\(next)")
            return
        }
        // The place becomes free: who is still to be refused has waited longest, and is served after all.
        #expect(table.ended(first, now: 20_004) == [.start(ids[5], .serve)])
        #expect(table.entries[ids[6]]?.phase == .toRefuse)
    }

    @Test func `where wait and place run out in the same moment, the client is served`() {
        var (table, first) = serving()
        let second = table.arrived(pid: 2, now: 0)
        #expect(table.received(.life(.clientGone), from: first, now: 20_000) == [.start(second.id, .serve)])
    }

    @Test func `a client that hangs up while it waits is closed, and nothing else changes`() {
        var (table, first) = serving()
        let second = table.arrived(pid: 2, now: 0)
        #expect(table.hungUp(second.id, now: 1) == [.close(second.id, reason: "the client closed while it waited")])
        #expect(table.entries.keys.sorted() == [first])
        #expect(table.hungUp(second.id, now: 2) == [], "it is not known any more")
        #expect(table.entries[first]?.phase == .serving)
    }

    @Test func `a served client that hangs up frees the place, whatever its worker says or does not say`() {
        var (table, first) = serving()
        let second = table.arrived(pid: 2, now: 0)
        #expect(table.hungUp(first, now: 5) == [.start(second.id, .serve)])
        #expect(table.entries[first]?.phase == .releasing)
        #expect(table.hungUp(first, now: 6) == [])
        var honest = table
        #expect(honest.received(.life(.clientGone), from: first, now: 7) == [], "it may say so once")
        #expect(honest.received(.life(.clientGone), from: first, now: 8) == [.kill(first, reason: outOfTurn)])
        // One that says nothing has the time of one that stops remote commands, and no more.
        let killed = table.advance(now: 5 + ConnectionTable.Bound.release)
        #expect(killed.contains(.kill(first, reason: "it did not stop its remote commands in time")))
    }

    @Test func `a client that hangs up while its worker starts frees the place, and the worker follows`() {
        var table = ConnectionTable(socket: socket, waitMilliseconds: 20_000, servedInLine: 0)
        let first = table.arrived(pid: 1, now: 0).id
        let second = table.arrived(pid: 2, now: 0).id
        #expect(table.hungUp(first, now: 1) == [.start(second, .serve)])
        #expect(table.received(.life(.clientGone), from: first, now: 2) == [.kill(first, reason: outOfTurn)])
        var late = table
        #expect(late.advance(now: 10_000).contains(.kill(first, reason: "it was not ready in time")))
        // Nobody is there for whom it could do something.
        #expect(table.received(.life(.ready(landlockABI: 6)), from: first, now: 2) == [.drain(first)])
        #expect(table.received(.life(.clientGone), from: first, now: 3) == [])
        #expect(table.entries[first]?.phase == .leaving)
        #expect(table.entries[first]?.deadline == 2 + ConnectionTable.Bound.drain)
    }

    @Test func `a client whose worker cannot start is told so, and the place goes to the next`() {
        var table = ConnectionTable(socket: socket, waitMilliseconds: 20_000, servedInLine: 0)
        let first = table.arrived(pid: 1, now: 0).id
        let second = table.arrived(pid: 2, now: 0).id
        let actions = table.failedToServe(first, .library, now: 1)
        #expect(actions == [.start(second, .serve), .start(first, .refuse(.noWorker(.library)))])
        #expect(table.began(first, now: 2) == [])
        #expect(table.ended(first, now: 3) == [])
        // Where not even a refusing worker starts, its end is the end.
        let third = table.failedToServe(second, .library, now: 4)
        #expect(third == [.start(second, .refuse(.noWorker(.library)))])
        #expect(table.failedToServe(second, .library, now: 5) == [])
        #expect(table.isEmpty)
    }

    @Test func `a client that is to be refused may hang up too, and makes room for the next refusal`() {
        var (table, _) = serving()
        let ids = (0..<6).map { table.arrived(pid: 200 + $0, now: 0).id }
        _ = table.advance(now: 20_000)
        #expect(table.hungUp(ids[4], now: 20_001) == [.close(ids[4], reason: "the client closed while it waited")])
        guard case .start(ids[5], .refuse) = table.ended(ids[1], now: 20_002).first else {
            Issue.record("the sixth was forgotten")
            return
        }
    }

    @Test func `a worker that is not ready in time is killed once, and its place goes on only with its end`() {
        var table = ConnectionTable(socket: socket, waitMilliseconds: 60_000, servedInLine: 0)
        let first = table.arrived(pid: 1, now: 0)
        let second = table.arrived(pid: 2, now: 0)
        #expect(table.nextDeadline == 10_000)
        #expect(table.advance(now: 9_999) == [])
        #expect(table.advance(now: 10_000) == [.kill(first.id, reason: "it was not ready in time")])
        #expect(table.advance(now: 10_001) == [])
        #expect(table.ended(first.id, now: 10_002) == [.start(second.id, .serve)])
    }

    @Test func `a releasing worker has twenty seconds, a refusing one ten`() {
        var (table, first) = serving()
        _ = table.received(.life(.clientGone), from: first, now: 1_000)
        #expect(table.advance(now: 20_999) == [])
        #expect(table.advance(now: 21_000) == [.kill(first, reason: "it did not stop its remote commands in time")])

        var (busy, _) = serving(0, wait: 0)
        let second = busy.arrived(pid: 2, now: 0).id
        _ = busy.began(second, now: 500)
        #expect(busy.advance(now: 10_499) == [])
        #expect(busy.advance(now: 10_500) == [.kill(second, reason: "the waiting client sent no request")])
    }

    /// A table with one connection in each phase, and their ids.
    private func everyPhase() -> (ConnectionTable, [String: ConnectionTable.ID]) {
        var (table, releasing) = serving()
        _ = table.received(.life(.clientGone), from: releasing, now: 0)
        let serving = table.arrived(pid: 2, now: 0).id
        _ = table.began(serving, now: 0)
        var ids = ["releasing": releasing, "serving": serving]
        for name in ["refusing", "startingRefusal", "second", "third", "toRefuse"] {
            ids[name] = table.arrived(pid: 3, now: 0).id
        }
        ids["waiting"] = table.arrived(pid: 4, now: 1).id
        _ = table.advance(now: 20_000)
        _ = table.began(ids["refusing"] ?? 0, now: 20_000)
        return (table, ids)
    }

    @Test func `a message out of turn kills, in every phase`() {
        let messages: [ToSupervisor] = [
            .life(.ready(landlockABI: 6)), .life(.clientGone), .life(.clientDropped(reason: "x")),
        ]
        let allowed: [String: Set<Int>] = ["startingRefusal": [0], "serving": [1, 2]]
        for name in ["releasing", "serving", "refusing", "startingRefusal", "toRefuse", "waiting"] {
            for (index, message) in messages.enumerated() {
                var (table, ids) = everyPhase()
                let id = ids[name] ?? 0
                let before = table.entries[id]
                let actions = table.received(message, from: id, now: 20_001)
                let isKilled = actions == [.kill(id, reason: outOfTurn)]
                #expect(isKilled == !(allowed[name, default: []].contains(index)), "\(message) while \(name)")
                if isKilled { #expect(table.entries[id] == before, "only its end removes it") }
            }
        }
        for message in messages.dropFirst() {
            var table = ConnectionTable(socket: socket, waitMilliseconds: 1, servedInLine: 0)
            let starting = table.arrived(pid: 1, now: 0).id
            #expect(table.received(message, from: starting, now: 0) == [.kill(starting, reason: outOfTurn)])
        }
    }

    @Test func `a message of a connection that has ended means nothing`() {
        var (table, first) = serving()
        _ = table.ended(first, now: 1)
        #expect(table.received(.life(.clientGone), from: first, now: 2) == [])
        #expect(table.began(77, now: 2) == [])
        #expect(table.ended(77, now: 3) == [])
        #expect(table.isEmpty)
    }

    @Test func `there is room for 256 connections, and again when one has gone`() {
        var table = ConnectionTable(socket: socket, waitMilliseconds: 20_000, servedInLine: 0)
        var ids: [ConnectionTable.ID] = []
        for index in 0..<300 where table.hasRoom {
            ids.append(table.arrived(pid: Int32(index), now: 0).id)
        }
        #expect(ids.count == 256)
        #expect(!table.hasRoom)
        _ = table.hungUp(ids[255], now: 1)
        #expect(table.hasRoom)
        _ = table.arrived(pid: 1, now: 2)
        #expect(!table.hasRoom)
    }

    @Test("local files are for the worker that serves; a worker whose client has gone may still drop them")
    func localFiles() {
        let requests: [ToSupervisor.Files] = [
            .open(path: "/a"), .create(path: "/a"), .commit(handle: 1, mode: 0o600), .abandon(handle: 1),
        ]
        for request in requests {
            var table = ConnectionTable(socket: "/s", waitMilliseconds: 1000, servedInLine: 0)
            let (id, _) = table.arrived(pid: 1, now: 0)
            var early = table
            let actions = early.received(.files(request), 5, from: id, now: 1)
            #expect(actions == [.kill(id, reason: "it sent a message out of turn")])
            #expect(table.began(id, now: 1).isEmpty)
            #expect(
                table.received(.files(request), 6, from: id, now: 2) == [.files(id, request, requestID: 6)])
            #expect(table.received(.life(.clientGone), from: id, now: 3).isEmpty)
            let late = table.received(.files(request), 7, from: id, now: 4)
            #expect(
                late == [
                    request == .abandon(handle: 1)
                        ? .files(id, request, requestID: 7) : .refuseFiles(id, requestID: 7)
                ])
        }
    }

    @Test("calls are written down for a worker that serves, also while it only stops its work")
    func audit() {
        let call = AuditCall(tool: "ssh_exec", host: "box", fields: [])
        let outcome = AuditOutcome(rule: "", ending: .ok, exitCode: 0, bytesIn: 0, bytesOut: 0)
        for word in [ToSupervisor.Audit.begin(call), .end(outcome)] {
            let message = ToSupervisor.audit(word)
            for name in ["releasing", "serving", "refusing", "startingRefusal", "toRefuse", "waiting"] {
                var (table, ids) = everyPhase()
                let id = ids[name] ?? 0
                let isServed = name == "serving" || name == "releasing"
                #expect(
                    table.received(message, 8, from: id, now: 20_001)
                        == [isServed ? .audit(id, word, requestID: 8) : .kill(id, reason: outOfTurn)],
                    "\(message) while \(name)")
            }
            var table = ConnectionTable(socket: socket, waitMilliseconds: 1, servedInLine: 0)
            let starting = table.arrived(pid: 1, now: 0).id
            #expect(table.received(message, from: starting, now: 0) == [.kill(starting, reason: outOfTurn)])
        }
    }

    @Test("a connection that has sent nothing is in nobody's way, and is served in its turn when it speaks")
    func silentClients() {
        var table = ConnectionTable(socket: socket, waitMilliseconds: 1_000, servedInLine: 0)
        let silent = table.accepted(pid: 1, now: 0)
        #expect(silent.actions == [] && table.nextDeadline == nil)
        let second = table.arrived(pid: 2, now: 10)
        #expect(second.actions == [.start(second.id, .serve)], "at once, though another one came first")
        _ = table.began(second.id, now: 20)
        #expect(table.advance(now: 600_000) == [], "it has asked for nothing, so there is nothing to refuse")
        #expect(table.spoke(silent.id, now: 600_000) == [])
        #expect(table.nextDeadline == 601_000, "its wait begins with its first byte")
        let third = table.arrived(pid: 3, now: 600_001)
        #expect(table.ended(second.id, now: 600_002) == [.start(silent.id, .serve)])
        #expect(table.spoke(silent.id, now: 600_003) == [])
        #expect(table.ended(silent.id, now: 600_004) == [.start(third.id, .serve)])
    }

    @Test("connections that have sent nothing give their room to others, the oldest first")
    func roomOfSilentClients() {
        var (table, first) = serving()
        let silent = (0..<255).map { table.accepted(pid: Int32($0), now: 0).id }
        #expect(table.hasRoom)
        let next = table.arrived(pid: 1, now: 1)
        #expect(next.actions == [.close(silent[0], reason: "it sent nothing, and another one needed its room")])
        for id in silent.dropFirst() { _ = table.spoke(id, now: 2) }
        #expect(!table.hasRoom)
        _ = table.ended(first, now: 3)
        #expect(table.hasRoom && table.entries[next.id]?.phase == .starting(.serve))
    }

    // MARK: Clients that have sent no whole request

    private typealias ID = ConnectionTable.ID

    /// A table whose first client has a worker, which has not said whether there is a request.
    private func listening(wait: Int = 20_000) -> (ConnectionTable, ID) {
        var table = ConnectionTable(socket: socket, waitMilliseconds: wait, servedInLine: 0)
        let first = table.arrived(pid: 100, now: 0).id
        #expect(table.received(.life(.ready(landlockABI: 6)), from: first, now: 0) == [])
        #expect(table.entries[first]?.phase == .listening)
        return (table, first)
    }

    /// A table whose first client has a worker and has sent no whole request.
    private func unheard(wait: Int = 20_000) -> (ConnectionTable, ID) {
        var (table, first) = listening(wait: wait)
        #expect(table.received(.life(.clientUnheard), from: first, now: 1) == [.takeGate(first)])
        #expect(table.entries[first]?.phase == .unheard)
        #expect(table.nextDeadline == nil, "it is in nobody's way")
        return (table, first)
    }

    @Test func `one that has sent no whole request gives way at once, and has its turn when it has`() {
        var (table, first) = unheard()
        let second = table.arrived(pid: 2, now: 10)
        #expect(second.actions == [.start(second.id, .serve)])
        #expect(table.began(second.id, now: 11) == [])
        #expect(table.received(.life(.clientSpeaks), from: first, now: 20) == [])
        let third = table.arrived(pid: 3, now: 30)
        #expect(table.received(.life(.clientGone), from: second.id, now: 40) == [.proceed(first)])
        #expect(table.entries[first]?.phase == .serving)
        let begin = ToSupervisor.Audit.begin(AuditCall(tool: "t", host: "h", fields: []))
        #expect(
            table.received(.audit(begin), 3, from: first, now: 41) == [.audit(first, begin, requestID: 3)])
        #expect(table.received(.life(.clientGone), from: first, now: 50) == [.start(third.id, .serve)])
    }

    @Test func `a worker that does not say whether its client asks for something is killed`() {
        var (table, first) = listening()
        let second = table.arrived(pid: 2, now: 10).id
        let why = "it did not say in time whether its client asks for something"
        #expect(table.advance(now: ConnectionTable.Bound.start) == [.kill(first, reason: why)])
        #expect(table.ended(first, now: 10_001) == [.start(second, .serve)])
    }

    @Test func `where nobody else is there, it is served at once`() {
        var (table, first) = unheard(wait: 0)
        #expect(table.received(.life(.clientSpeaks), from: first, now: 20) == [.proceed(first)])
        #expect(table.nextDeadline == nil)
    }

    @Test func `it is refused as others are when it has waited with its request`() {
        var (table, first) = unheard()
        let second = table.arrived(pid: 222, now: 10)
        _ = table.began(second.id, now: 11)
        #expect(table.received(.life(.clientSpeaks), from: first, now: 20) == [])
        let actions = table.advance(now: 20_020)
        #expect(actions == [.refuse(first, occupied(by: ClientInTheWay(pid: 222, seconds: 20)))])
        #expect(table.advance(now: 20_020 + ConnectionTable.Bound.refusal).count == 1, "and has a bound then")
    }

    @Test func `those in line while it is found out are served one after the other`() {
        var (table, first) = listening()
        let others = (0..<3).map { table.arrived(pid: 10 + $0, now: 5).id }
        #expect(
            table.received(.life(.clientUnheard), from: first, now: 6)
                == [.takeGate(first), .start(others[0], .serve)])
        _ = table.received(.life(.ready(landlockABI: 6)), from: others[0], now: 7)
        #expect(
            table.received(.life(.clientUnheard), from: others[0], now: 8)
                == [.takeGate(others[0]), .start(others[1], .serve)])
        _ = table.began(others[1], now: 9)
        #expect(
            table.received(.forwards(.list), from: others[1], now: 10) == [.forwards(others[1], .list, requestID: 0)])
    }

    @Test func `only the first word of a worker gives the place away, and then nothing but asking for it is in turn`() {
        var (late, id) = serving()
        #expect(late.received(.life(.clientUnheard), from: id, now: 2) == [.kill(id, reason: outOfTurn)])
        for message: ToSupervisor in [
            .life(.clientUnheard), .forwards(.list), .files(.open(path: "/a")), .life(.ready(landlockABI: 1)),
            .audit(.begin(AuditCall(tool: "t", host: "h", fields: []))),
            .forwards(.cancel(forward: 1, localPort: 0, host: "")),
        ] {
            var (table, first) = unheard()
            #expect(table.received(message, from: first, now: 3) == [.kill(first, reason: outOfTurn)], "\(message)")
            var (waiting, second) = unheard()
            let third = waiting.arrived(pid: 3, now: 3)
            _ = waiting.began(third.id, now: 4)
            _ = waiting.received(.life(.clientSpeaks), from: second, now: 5)
            #expect(waiting.received(message, from: second, now: 6) == [.kill(second, reason: outOfTurn)], "\(message)")
            #expect(
                waiting.received(.life(.clientSpeaks), from: third.id, now: 7) == [.kill(third.id, reason: outOfTurn)],
                "who has the place does not ask for it")
        }
    }

    @Test func `one that hangs up before it is served is let go at once`() {
        var (table, first) = unheard()
        #expect(table.hungUp(first, now: 5) == [.drain(first)])
        #expect(table.received(.life(.clientSpeaks), from: first, now: 6) == [])
        #expect(table.received(.life(.clientGone), from: first, now: 7) == [])
        #expect(table.advance(now: 5 + ConnectionTable.Bound.drain).count == 1)
    }

    @Test func `there are few such workers, and the longest there goes first`() {
        var table = ConnectionTable(socket: socket, waitMilliseconds: 20_000, servedInLine: 0)
        var ids: [ID] = []
        for count in 0...ConnectionTable.maximumUnheard {
            let next = table.arrived(pid: 1, now: count)
            #expect(next.actions == [.start(next.id, .serve)])
            _ = table.received(.life(.ready(landlockABI: 6)), from: next.id, now: count)
            let actions = table.received(.life(.clientUnheard), from: next.id, now: count)
            ids.append(next.id)
            guard count == ConnectionTable.maximumUnheard else {
                #expect(actions == [.takeGate(next.id)])
                continue
            }
            guard case .kill(ids[0], _) = actions.last, actions.count == 2 else {
                Issue.record("\(actions)")
                return
            }
        }
    }

    @Test func `those that have sent their request late count as well, and are not killed for others`() {
        var table = ConnectionTable(socket: socket, waitMilliseconds: 20_000, servedInLine: 1)
        _ = table.began(table.arrived(pid: 1, now: 0).id, now: 0)
        let late = (0..<ConnectionTable.maximumUnheard).map { _ in
            let id = table.arrived(pid: 2, now: 1).id
            _ = table.received(.life(.ready(landlockABI: 6)), from: id, now: 1)
            #expect(table.received(.life(.clientUnheard), from: id, now: 1) == [])
            return id
        }
        let inLine = table.arrived(pid: 3, now: 2).id
        #expect(table.began(inLine, now: 2) == [.wait(inLine)])
        let unread = table.arrived(pid: 4, now: 3)
        #expect(unread.actions == [])
        for id in late { #expect(table.received(.life(.clientSpeaks), from: id, now: 4) == []) }
        #expect(table.hungUp(inLine, now: 5) == [.drain(inLine)])
        #expect(table.ended(inLine, now: 6) == [.start(unread.id, .serve)])
        _ = table.received(.life(.ready(landlockABI: 6)), from: unread.id, now: 7)
        let why = "its client sent no whole request, and others came after it"
        #expect(
            table.received(.life(.clientUnheard), from: unread.id, now: 8)
                == [.kill(unread.id, reason: why), .wait(late[0])])
    }

    @Test func `those who are to be refused and send no request hold up no other refusal`() {
        var (table, _) = serving()
        let ids = (0..<6).map { table.arrived(pid: 200 + $0, now: 0).id }
        #expect(table.advance(now: 20_000).count == 4)
        for (index, id) in ids[..<2].enumerated() {
            _ = table.began(id, now: 20_001)
            guard
                case .start(ids[4 + index], .refuse) = table.received(.life(.clientUnheard), from: id, now: 20_002)
                    .first
            else {
                Issue.record("\(id) holds a place")
                return
            }
        }
    }

    @Test func `a drain ends them as well`() {
        var (table, first) = unheard()
        #expect(table.drain(now: 5) == [.drain(first)])
        #expect(table.received(.life(.clientSpeaks), from: first, now: 6) == [])
        #expect(table.advance(now: 5 + ConnectionTable.Bound.drain).count == 1)
    }

    @Test func `forwards are spoken of by who serves, or has served, and by nobody who starts or refuses`() {
        let forwarding: [ToSupervisor.Forwards] = [
            .request(host: "a", target: .tcp(host: "b", port: 1), localPort: 0), .list,
            .cancel(forward: 1, localPort: 0, host: ""),
        ]
        for word in forwarding {
            let message = ToSupervisor.forwards(word)
            var table = ConnectionTable(socket: "/run/mcp.sock", waitMilliseconds: 0, servedInLine: 0)
            let first = table.arrived(pid: 1, now: 0).id
            let early = table.received(message, from: first, now: 1)
            #expect(early == [.kill(first, reason: "it sent a message out of turn")])
            _ = table.began(first, now: 2)
            #expect(table.received(message, 3, from: first, now: 3) == [.forwards(first, word, requestID: 3)])
            let second = table.arrived(pid: 2, now: 4).id
            _ = table.began(second, now: 5)
            let refusing = table.received(message, from: second, now: 6)
            #expect(refusing == [.kill(second, reason: "it sent a message out of turn")])
            _ = table.received(.life(.clientGone), from: first, now: 7)
            #expect(table.received(message, 4, from: first, now: 8) == [.forwards(first, word, requestID: 4)])
        }
    }
}

extension ConnectionTable {
    /// A client that connects and asks at once, as real ones do.
    mutating func arrived(pid: Int32, now: Int) -> (id: ID, actions: [Action]) {
        let (id, actions) = accepted(pid: pid, now: now)
        return (id, actions + spoke(id, now: now))
    }

    /// A worker gets ready and, where it is to serve, says that its client has sent a request. What comes of it for others.
    mutating func began(_ id: ID, now: Int) -> [Action] {
        let actions = received(.life(.ready(landlockABI: 6)), from: id, now: now)
        guard entries[id]?.phase == .listening, !draining else { return actions }
        return actions + received(.life(.clientSpeaks), from: id, now: now).filter { $0 != .proceed(id) }
    }
}
