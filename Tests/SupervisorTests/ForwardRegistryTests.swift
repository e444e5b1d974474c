import Glibc
import IPC
import Testing

@testable import Supervisor

extension Listeners {
    /// Sockets on 127.0.0.1, by port.
    static func on(_ sockets: [UInt16: (uid: UInt32, inode: UInt64)]) -> Listeners {
        of(
            sockets.map { port, socket in
                let hex = String(port, radix: 16, uppercase: true)
                return line(
                    "0100007F:\(String(repeating: "0", count: 4 - hex.count))\(hex)", uid: socket.uid,
                    inode: socket.inode)
            })
    }

    static let none = Listeners.of()
}

extension [ForwardRegistry.Action] {
    var answers: [ToWorker.Forwards] { compactMap { if case .answer(let message) = $0 { message } else { nil } } }

    var refusal: ForwardRefusal? {
        guard case .refused(let refusal)? = answers.first, answers.count == 1 else { return nil }
        return refusal
    }

    /// The ports that gates are to have masters open, by the forwards' numbers.
    var opened: [ForwardRegistry.ID: UInt16] {
        reduce(into: [:]) { opened, action in
            if case .order(let id, .open(_, let route), _) = action { opened[id] = route.localPort }
        }
    }

    var notes: [String] { compactMap { if case .note(_, let text, _, _) = $0 { text } else { nil } } }
}

@Suite("Registry of forwards")
struct ForwardRegistryTests {
    static let master = Master(socket: "/run/box", user: "u", address: "h")
    private let ours: (uid: UInt32, inode: UInt64) = (1000, 7)
    private let worker: ConnectionTable.ID = 3
    private let canceller: ConnectionTable.ID = 4

    private func registry() -> ForwardRegistry {
        var registry = ForwardRegistry(uid: 1000)
        #expect(registry.configure(["box": Self.master], .none) == [])
        return registry
    }

    private func request(
        _ registry: inout ForwardRegistry, _ listeners: Listeners = .none, host: String = "box",
        to remoteHost: String = "db",
        _ remotePort: UInt16 = 5432, local: UInt16 = 0, ports: [UInt16] = [20_000]
    ) -> [ForwardRegistry.Action] {
        var next = 0
        return registry.received(
            .request(host: host, target: .tcp(host: remoteHost, port: remotePort), localPort: local), 77, from: worker,
            listeners, now: 100,
            choose: {
                defer { next += 1 }
                return ports[min(next, ports.count - 1)]
            })
    }

    private func say(
        _ message: ToSupervisor.Forwards, _ registry: inout ForwardRegistry, _ listeners: Listeners = .none,
        from connection: ConnectionTable.ID? = nil
    ) -> [ForwardRegistry.Action] {
        registry.received(message, 78, from: connection ?? worker, listeners, now: 200, choose: { 30_000 })
    }

    /// What the gate of a connection saw.
    private func saw(
        _ outcome: ForwardOutcome, _ registry: inout ForwardRegistry, _ listeners: Listeners = .none, of id: UInt32 = 1,
        by connection: ConnectionTable.ID? = nil, holds: Bool? = nil
    ) -> [ForwardRegistry.Action] {
        registry.performed(
            id, outcome, by: connection ?? worker, listeners, holds: { _, _ in holds }, choose: { 30_000 })
    }

    /// With forward 1 running on this port.
    private func running(_ port: UInt16 = 20_000) -> ForwardRegistry {
        var registry = registry()
        _ = request(&registry, ports: [port])
        registry.recorded()
        let actions = saw(.opened(masterPID: 0), &registry, .on([port: ours]))
        #expect(actions.answers == [.running(forward: 1, localPort: port, since: 100)])
        return registry
    }

    @Test func `a port is written down before a master hears of it`() {
        var registry = registry()
        let actions = request(&registry)
        let route = ForwardRoute(master: Self.master, localPort: 20_000, target: .tcp(host: "db", port: 5432))
        #expect(actions == [.record, .order(1, .open(host: "box", route), by: worker)])
        #expect(registry.forwards[1]?.phase == .requested)
        let asker = registry.asker(of: 1)
        #expect(asker?.connection == worker && asker?.requestID == 77)
        registry.recorded()
        #expect(registry.forwards[1]?.phase == .establishing)
        #expect(registry.forwards[1]?.route.specification == "127.0.0.1:20000:db:5432")
    }

    @Test func `a forward that runs on the port that is asked for, to the same target, is the answer`() {
        var registry = running()
        let listeners = Listeners.on([20_000: ours])
        #expect(
            request(&registry, listeners, local: 20_000).answers == [
                .running(forward: 1, localPort: 20_000, since: 100)
            ])
        #expect(registry.forwards.count == 1)
        // Elsewhere it is another one, and the port is told to be taken.
        let other = request(&registry, listeners, to: "other", local: 20_000)
        #expect(other.refusal == .portOfForward(localPort: 20_000, forward: 1))
    }

    @Test func `a forward to a Unix socket is written down before it is ordered, and none to a path that is none`() {
        var registry = registry()
        let target = ForwardTarget.unix(path: "/run/db.sock")
        let actions = registry.received(
            .request(host: "box", target: target, localPort: 0), 77, from: worker, .none, now: 100
        ) { 20_000 }
        let route = ForwardRoute(master: Self.master, localPort: 20_000, target: target)
        #expect(actions == [.record, .order(1, .open(host: "box", route), by: worker)])
        let none = registry.received(
            .request(host: "box", target: .unix(path: "/run/db.sock:1"), localPort: 0), 78, from: worker, .none,
            now: 100)
        #expect(none == [.answer(.refused(.noTarget))])
    }

    @Test func `what cannot be written down is refused, and forgotten`() {
        var registry = registry()
        _ = request(&registry)
        let unmade = registry.unrecorded()
        #expect(unmade.map(\.forward) == [1])
        #expect(unmade.first?.asker?.connection == worker && unmade.first?.asker?.requestID == 77)
        #expect(registry.isEmpty)
        #expect(registry.unrecorded().isEmpty, "nothing was requested")
    }

    @Test func `a forward runs when its listener is seen, and is listed`() {
        var registry = running()
        let actions = say(.list, &registry, .on([20_000: ours]))
        #expect(
            actions.answers == [
                .list([
                    ForwardEntry(
                        forward: 1, host: "box", localPort: 20_000, target: .tcp(host: "db", port: 5432), since: 100)
                ])
            ])
        #expect(registry.forwards[1]?.inode == 7)
    }

    @Test func `a word of the master that nothing bears out is not believed, and what may be there is cancelled`() {
        let seen: [(Listeners, Bool?)] = [
            (.none, nil), (.on([20_000: (1001, 7)]), nil), (.on([20_000: ours]), false), (.on([20_001: ours]), true),
        ]
        for (listeners, holds) in seen {
            var registry = registry()
            _ = request(&registry)
            registry.recorded()
            let actions = saw(.opened(masterPID: 9), &registry, listeners, holds: holds)
            #expect(actions.contains(.cancel(1)) && actions.refusal == .notListening(host: "box", localPort: 20_000))
            #expect(registry.toCancel == [1])
        }
    }

    @Test func `a port that the master could not have is replaced, five times at most, unless it was asked for`() {
        var registry = registry()
        _ = request(&registry)
        for attempt in 1..<5 {
            registry.recorded()
            let actions = registry.performed(1, .refused, by: worker, .none, choose: { 20_000 + UInt16(attempt) })
            #expect(actions.first == .record && actions.opened == [1: 20_000 + UInt16(attempt)] && actions.count == 2)
        }
        registry.recorded()
        #expect(
            saw(.refused, &registry).refusal
                == .notOpened(host: "box", localPort: 20_004, wasNamed: false))
        #expect(registry.isEmpty)

        _ = request(&registry, local: 80)
        registry.recorded()
        let refusal = saw(.refused, &registry, of: 2).refusal
        #expect(refusal == .notOpened(host: "box", localPort: 80, wasNamed: true))
        #expect(registry.isEmpty)
    }

    @Test func `ports in use, of anybody on any address, are not chosen; with none left that is said`() {
        var registry = running(20_000)
        let taken = Listeners.of([Listeners.line("00000000:4E21"), Listeners.line("0100007F:4E20", inode: 7)])
        let actions = request(&registry, taken, ports: [20_000, 20_001, 20_002])
        #expect(actions.opened == [2: 20_002])
        #expect(
            request(&registry, taken, ports: [20_000, 20_001]).refusal
                == .noPort)
    }

    @Test func `a wanted port is used; one that is taken, or another forward's, is refused by its number`() {
        var registry = running(20_000)
        let listeners = Listeners.on([20_000: ours, 22: (0, 1)])
        #expect(
            request(&registry, listeners, to: "other", local: 20_000).refusal
                == .portOfForward(localPort: 20_000, forward: 1))
        #expect(request(&registry, listeners, local: 22).refusal == .portTaken(localPort: 22))
        #expect(request(&registry, listeners, local: 8080).opened == [2: 8080])
    }

    @Test(arguments: [
        "", "-oProxyCommand=x", "a b", "[::1]", "db:80", "u@db", "/run/s", String(repeating: "a", count: 254),
    ])
    func `a hijacked worker's nonsense is refused here as well`(remoteHost: String) {
        var registry = registry()
        #expect(request(&registry, to: remoteHost).refusal != nil)
        #expect(request(&registry, to: "db", 0).refusal != nil)
        #expect(registry.isEmpty)
    }

    @Test func `a host without the capability, or none of the config, is refused`() {
        var registry = registry()
        #expect(
            request(&registry, host: "other").refusal == .notAllowed(host: "other"))
        #expect(registry.isEmpty)
    }

    @Test func `sixty-four forwards and no more; a dead one may be made anew even then`() {
        var registry = registry()
        var sockets: [UInt16: (uid: UInt32, inode: UInt64)] = [:]
        for index in 0..<UInt16(64) {
            let port = 20_000 + index
            _ = request(&registry, .on(sockets), to: "db\(index)", ports: [port])
            registry.recorded()
            sockets[port] = (1000, UInt64(port))
            _ = saw(.opened(masterPID: 0), &registry, .on(sockets), of: UInt32(index) + 1)
        }
        #expect(request(&registry, .on(sockets), ports: [30_000]).refusal == .tooMany)
        sockets[20_063] = nil
        #expect(registry.observe(.on(sockets)).notes == ["forward dead"])
        #expect(request(&registry, .on(sockets), ports: [30_000]).refusal == .tooMany)
        let again = request(&registry, .on(sockets), to: "db63", ports: [30_000])
        #expect(again.opened == [64: 20_063])
    }

    @Test func `a forward whose listener goes is dead, says so once, and is offered at its number and port`() {
        var registry = running()
        #expect(registry.runningPorts == [20_000])
        let actions = registry.observe(.none)
        #expect(actions.notes == ["forward dead"] && actions.contains(.record))
        #expect(registry.forwards[1]?.trouble == .notListening)
        #expect(registry.observe(.none) == [])
        #expect(
            request(&registry, ports: [25_000]).opened == [1: 20_000])
    }

    @Test func `where making it anew fails the forward is dead as before`() {
        for failure in [ForwardOutcome.refused, .down(.hung), .notAllowed(.capability)] {
            var registry = running()
            _ = registry.observe(.none)
            _ = request(&registry, local: 20_000)
            registry.recorded()
            #expect(saw(failure, &registry).refusal != nil)
            #expect(registry.forwards[1]?.phase == .dead && registry.forwards[1]?.inode == 7)
            #expect(request(&registry).opened == [1: 20_000])
        }
    }

    @Test func `another socket on the port is not the forward, and is left alone`() {
        for other in [(1000, 8), (1001, 7)] as [(UInt32, UInt64)] {
            var registry = running()
            #expect(registry.observe(.on([20_000: other])).notes == ["forward dead"])
            #expect(registry.forwards[1]?.trouble == .otherListener)
            #expect(registry.drain(.on([20_000: other])).notes == ["forward closed"])
            #expect(registry.isEmpty)
        }
    }

    @Test func `a master that did not answer and opens the port later: the port is cancelled`() {
        var registry = registry()
        _ = request(&registry)
        registry.recorded()
        #expect(
            saw(.unknown, &registry).refusal == .masterSilent(host: "box"))
        #expect(registry.observe(.none) == [])
        var late = registry
        #expect(late.observe(.on([20_000: ours])) == [.cancel(1)])
        // Until then the master is asked in any case: it takes one request after the other.
        var cancelled = registry
        let order = close(registry)
        #expect(say(.cancel(forward: 1, localPort: 0, host: ""), &cancelled) == [order])
        #expect(registry.drain(.none) == [.cancel(1)])
    }

    // MARK: Closing

    private func close(
        _ registry: ForwardRegistry, by connection: ConnectionTable.ID? = nil
    ) -> ForwardRegistry.Action {
        .order(
            1, .close(registry.forwards[1]?.route ?? ForwardStateFileTests.forward().route), by: connection ?? worker)
    }

    @Test func `a cancel is proved by the listener's end, not by what the master says`() {
        var registry = running()
        let open = Listeners.on([20_000: ours])
        let order = close(registry)
        #expect(say(.cancel(forward: 0, localPort: 20_000, host: "box"), &registry, open) == [order])
        #expect(
            saw(.closed, &registry, open) == [order], "retried once")
        let refused = saw(.refused, &registry, open)
        #expect(refused.refusal == registry.forwards[1].map { .stillOpen(forward: 1, .refused, route: $0.route) })
        #expect(
            registry.forwards[1]?.route.cancelCommand == "ssh -O cancel -S /run/box -L 127.0.0.1:20000:db:5432 u@h")
        #expect(registry.forwards[1]?.phase == .running)
        #expect(say(.cancel(forward: 1, localPort: 0, host: ""), &registry, open) == [order])
        let closed = saw(.closed, &registry)
        #expect(closed.notes == ["forward closed"] && closed.contains(.record))
        #expect(registry.isEmpty)
    }

    @Test func `an unknown port, number or host, and a second cancel, are refused`() {
        var registry = running()
        let open = Listeners.on([20_000: ours])
        for (id, port, host) in [(0, 20_001, ""), (2, 0, ""), (1, 0, "other"), (0, 0, "")]
            as [(UInt32, UInt16, String)]
        {
            let refusal = say(.cancel(forward: id, localPort: port, host: host), &registry, open).refusal
            #expect(refusal == .noSuchForward(forward: id, localPort: port, host: host))
        }
        _ = say(.cancel(forward: 1, localPort: 0, host: ""), &registry, open)
        let second = say(.cancel(forward: 1, localPort: 0, host: ""), &registry, open, from: 9)
        #expect(second.refusal == .busy(forward: 1))
    }

    @Test func `a dead forward is cancelled without asking a master`() {
        var registry = running()
        _ = registry.observe(.none)
        let actions = say(.cancel(forward: 1, localPort: 0, host: ""), &registry)
        guard case .closed? = actions.answers.first else {
            Issue.record("not closed: \(actions)")
            return
        }
        #expect(registry.isEmpty)
    }

    @Test func `what a gate saw counts for its own forwards only, and only in its turn`() {
        var registry = registry()
        _ = request(&registry)
        registry.recorded()
        let open = Listeners.on([20_000: ours])
        for outcome in [ForwardOutcome.opened(masterPID: 0), .refused, .closed] {
            #expect(saw(outcome, &registry, open, by: 9) == [])
            #expect(saw(outcome, &registry, open, of: 2) == [])
        }
        #expect(registry.forwards[1]?.phase == .establishing)
        _ = saw(.opened(masterPID: 0), &registry, open)
        #expect(saw(.down(.hung), &registry, open) == [])
        #expect(registry.forwards[1]?.phase == .running)
    }

    @Test func `a gate that says closed where it was to open knows nothing: the port may be opened yet`() {
        var registry = registry()
        _ = request(&registry)
        registry.recorded()
        #expect(saw(.closed, &registry).refusal == .masterSilent(host: "box"))
        #expect(registry.observe(.on([20_000: ours])) == [.cancel(1)])
    }

    @Test func `what the gate's policy does not allow is refused as such, and forgotten`() {
        var registry = registry()
        _ = request(&registry)
        registry.recorded()
        #expect(saw(.notAllowed(.forwardAllowlist), &registry).refusal == .notAllowed(host: "box"))
        #expect(registry.isEmpty)
    }

    @Test func `a port that a master may open yet is not forgotten before the master has answered`() {
        for (outcome, isForgotten) in [
            (ForwardOutcome.unknown, false), (.down(.hung), false), (.down(.noGate), false), (.closed, true),
            (.refused, true), (.down(.dead(errno: 2, .absent)), true),
        ] {
            var registry = registry()
            _ = request(&registry)
            registry.recorded()
            #expect(registry.ended(worker) == [.cancel(1)])
            _ = registry.handOver(to: canceller)
            let actions = saw(outcome, &registry, by: canceller)
            #expect(registry.isEmpty == isForgotten, "\(outcome)")
            #expect(registry.toCancel == [] && actions.contains(.record))
            guard !isForgotten else { continue }
            #expect(registry.forwards[1]?.trouble == .masterSilent)
            #expect(registry.observe(.on([20_000: ours])) == [.cancel(1)], "it was opened late")
        }
    }

    @Test func `a worker's cancel of a port that a master may open yet forgets it only by the master's answer`() {
        for (outcome, isForgotten) in [
            (ForwardOutcome.unknown, false), (.down(.hung), false), (.closed, true), (.refused, true),
        ] {
            var registry = registry()
            _ = request(&registry)
            registry.recorded()
            #expect(saw(.unknown, &registry).refusal == .masterSilent(host: "box"))
            _ = say(.cancel(forward: 1, localPort: 0, host: ""), &registry)
            let actions = saw(outcome, &registry)
            #expect(registry.isEmpty == isForgotten, "\(outcome)")
            #expect(actions.contains(.record))
            guard !isForgotten else { continue }
            #expect(actions.refusal == .masterSilent(host: "box"))
            #expect(registry.observe(.on([20_000: ours])) == [.cancel(1)], "it was opened late")
        }
    }

    @Test func `a canceller has some orders at a time`() {
        var registry = registry()
        var sockets: [UInt16: (uid: UInt32, inode: UInt64)] = [:]
        for index in 0..<UInt16(40) {
            let port = 20_000 + index
            _ = request(&registry, .on(sockets), to: "db\(index)", ports: [port])
            registry.recorded()
            sockets[port] = (1000, UInt64(port))
            _ = saw(.opened(masterPID: 0), &registry, .on(sockets), of: UInt32(index) + 1)
        }
        #expect(registry.drain(.on(sockets)).count == 40)
        #expect(registry.handOver(to: canceller).count == 32)
        #expect(registry.handOver(to: canceller).isEmpty)
        sockets[20_000] = nil
        _ = saw(.closed, &registry, .on(sockets), by: canceller)
        #expect(registry.handOver(to: canceller).count == 1)
    }

    @Test func `what a worker was at when it ended is cancelled`() {
        var registry = registry()
        _ = request(&registry)
        registry.recorded()
        #expect(registry.ended(9) == [])
        #expect(registry.ended(worker) == [.cancel(1)])
        #expect(registry.handOver(to: canceller) == [close(registry, by: canceller)])
        #expect(registry.handOver(to: canceller) == [], "once")
        // It had not come to it.
        #expect(saw(.refused, &registry, by: canceller).notes == ["forward closed"])
        #expect(registry.isEmpty)
    }

    @Test func `a canceller tries twice, then the line for a person is logged and the daemon goes on`() {
        var registry = running()
        let open = Listeners.on([20_000: ours])
        #expect(registry.drain(open) == [.cancel(1)])
        let order = close(registry, by: canceller)
        #expect(registry.handOver(to: canceller) == [order])
        #expect(saw(.closed, &registry, open, by: canceller) == [.cancel(1)])
        #expect(registry.handOver(to: canceller) == [order])
        let actions = saw(.closed, &registry, open, by: canceller)
        #expect(actions.notes == ["forward not released"])
        #expect(registry.toCancel == [])
        #expect(registry.forwards[1]?.reason.contains("ssh -O cancel -S /run/box") == true)
        #expect(registry.observe(open) == [], "and is not begun again by itself")
    }

    @Test func `cancellers that end are followed by one more, and where none can be had that is said`() {
        var registry = running()
        let open = Listeners.on([20_000: ours])
        _ = registry.drain(open)
        _ = registry.handOver(to: canceller)
        #expect(registry.ended(canceller) == [.cancel(1)])
        _ = registry.handOver(to: 5)
        #expect(registry.ended(5).notes == ["forward not released"])
        var other = running()
        _ = other.drain(open)
        #expect(other.noCanceller().notes == ["forward not released"])
        #expect(other.toCancel == [])
    }

    @Test func `a config without the host, or with another master for it, cancels its forwards; the same one not`() {
        let open = Listeners.on([20_000: ours])
        for masters in [
            [:], ["other": Self.master], ["box": Master(socket: "/run/new", user: "u", address: "h")],
        ] {
            var registry = running()
            #expect(registry.configure(["box": Self.master], open) == [])
            #expect(registry.configure(masters, open) == [.cancel(1)])
        }
        // One that is just being made follows as soon as its worker speaks.
        var registry = registry()
        _ = request(&registry)
        registry.recorded()
        #expect(registry.configure([:], open) == [])
        let actions = saw(.opened(masterPID: 0), &registry, open)
        #expect(actions.contains(.cancel(1)) && actions.refusal != nil)
    }

    @Test func `once the daemon stops nothing is made any more`() {
        var registry = registry()
        _ = request(&registry)
        registry.recorded()
        #expect(registry.drain(.none) == [])
        #expect(request(&registry).refusal == .stopping)
        let actions = saw(.opened(masterPID: 0), &registry, .on([20_000: ours]))
        #expect(actions.contains(.cancel(1)))
    }

    // MARK: What an earlier daemon left

    private func left(_ phase: ForwardRegistry.Phase, inode: UInt64? = 7) -> [UInt32: ForwardRegistry.Forward] {
        var forward = running().forwards[1]
        forward?.phase = phase
        forward?.inode = inode
        return forward.map { [9: $0] } ?? [:]
    }

    private func adopt(
        _ left: [UInt32: ForwardRegistry.Forward], _ listeners: Listeners, masters: [String: Master]? = nil
    ) -> (actions: [ForwardRegistry.Action], phase: ForwardRegistry.Phase?) {
        var registry = ForwardRegistry(uid: 1000)
        let actions = registry.adopt(left, masters: masters ?? ["box": Self.master], listeners)
        return (actions, registry.forwards[9]?.phase)
    }

    @Test func `what an earlier daemon left is adopted, cancelled or forgotten by what listens`() {
        let open = Listeners.on([20_000: ours])
        let adopted = adopt(left(.running), open)
        #expect(adopted.phase == .running && adopted.actions.notes == ["forward adopted"])
        #expect(adopt(left(.running), .none).phase == nil)
        #expect(adopt(left(.running), .on([20_000: (1000, 8)])).phase == nil, "another socket")
        #expect(adopt(left(.running), .on([20_000: (1001, 7)])).phase == nil, "another user")
        #expect(adopt(left(.running), open, masters: [:]).phase == .toCancel)
        #expect(adopt(left(.dead), open).phase == .toCancel, "could not be closed then")
        #expect(adopt(left(.dead), .none).phase == nil)
        #expect(adopt(left(.dead, inode: nil), .none).phase == .toCancel, "may be opened yet")
        for phase in [ForwardRegistry.Phase.requested, .establishing, .cancelling, .toCancel] {
            for listeners in [open, .none] { #expect(adopt(left(phase, inode: nil), listeners).phase == .toCancel) }
        }
    }

    @Test func `numbers are not given twice, also after a start with the largest one`() {
        var registry = ForwardRegistry(uid: 1000)
        let forward = ForwardStateFileTests.forward()
        _ = registry.adopt([UInt32.max: forward], masters: ["box": Self.master], .on([20_000: (1000, 77)]))
        #expect(request(&registry, ports: [20_001]).opened == [1: 20_001])
    }
}
