import IPC
import Testing

@testable import Exec
@testable import Gate
@testable import Mux

@Suite("Commands and errands that need a ControlMaster")
struct CommandRequestsTests {
    private static func policy(exec: Bool = true, allowlist: [String]? = nil, base: String? = nil) -> PolicySnapshot {
        var capabilities = PolicySnapshot.Capabilities()
        capabilities.exec = exec
        let host = PolicySnapshot.Host(
            name: "a", socket: "/a", user: "u", host: "h", baseDir: base, execAllowlist: allowlist,
            capabilities: capabilities)
        return PolicySnapshot(hosts: [host], defaultHost: "a")
    }

    private static func command(_ text: String, _ nonce: String = "abcd1234", directory: String = "") -> GateCommand {
        GateCommand(host: "a", command: text, directory: directory, seconds: 30, nonce: nonce)
    }

    /// What a request comes to at once: nil where a connection is asked for. What the policy refuses is written down before.
    private func refusal(
        _ taken: (id: MasterRequests.ID?, actions: [MasterRequests.Action])?, _ requests: inout MasterRequests
    ) throws -> SessionFailure? {
        let taken = try #require(taken)
        guard taken.id == nil else { return nil }
        let actions = requests.noting(taken.actions)
        guard case .answer(_, .notOpened(let failure)) = try #require(actions.first) else {
            Issue.record("\(actions)")
            return nil
        }
        return failure
    }

    @Test func `a command is judged, composed by the gate, opened, and told of`() throws {
        let policy = Self.policy(base: "/srv")
        var requests = MasterRequests(policy, number: 3)
        var command = Self.command("git status", directory: "/srv/x")
        command.environment = ["B": "secret", "A": "secret"]
        command.call = 12
        let first = requests.run(command, 7, now: 0)
        let taken = try #require(first)
        let report = GateReport(
            host: "a", call: 12,
            .command([.init(.command, "git status"), .init(.cwd, "/srv/x"), .init(.env, "A"), .init(.env, "B")]))
        #expect(taken.id == 1 && taken.actions == [.open(1, report, host: 0, policy: 3)])
        let line = try #require(MuxSession(command: Observer.guardedLine(for: command, on: policy.hosts[0])))
        #expect(requests.connected(1).use == .ask(.session(line), nil))
        #expect(
            requests.seen(1, .sessionOpened, now: 0)
                == [.tell(.command, host: 0, policy: 3), .answer(requestID: 7, .opened)])
        #expect(requests.seen(1, .sessionExited(status: 3), now: 0) == [.answer(requestID: 7, .exited(status: 3))])
        #expect(
            requests.seen(1, .sessionEnded(status: 3), now: 0) == [.close(1), .answer(requestID: 7, .ended)])
    }

    /// The line that a command is asked for with. It runs to its end.
    private func line(_ requests: inout MasterRequests, _ request: UInt32, _ nonce: String) throws -> String {
        let first = requests.run(Self.command("id", nonce), request, now: 0)
        let taken = try #require(first)
        let id = try #require(taken.id)
        guard case .ask(.session(let session), _) = requests.connected(id).use else { return "" }
        _ = requests.seen(id, .sessionOpened, now: 0)
        _ = requests.seen(id, .sessionExited(status: 0), now: 0)
        _ = requests.seen(id, .sessionEnded(status: 0), now: 0)
        return session.command
    }

    @Test func `the worker tells where lines may use export, which is forgotten with the host`() throws {
        let policy = Self.policy()
        var requests = MasterRequests(policy, number: 1)
        requests.takeNotice("a", exports: true)
        requests.takeNotice("b", exports: true)
        #expect(try line(&requests, 1, "abcd1234").hasPrefix("exec /bin/sh -c "), "it asks who runs it")
        #expect(try line(&requests, 2, "abcd1235").hasPrefix("'export' "))
        requests.takeNotice("a", exports: false)
        #expect(try line(&requests, 3, "abcd1236").hasPrefix("exec /usr/bin/env "))
        requests.takeNotice("a", exports: true)
        #expect(try line(&requests, 4, "abcd1237").hasPrefix("'export' "))
        requests.adopt(PolicySnapshot(hosts: [], defaultHost: ""), number: 2, now: 0)
        requests.adopt(policy, number: 3, now: 0)
        _ = try line(&requests, 5, "abcd1238")
        #expect(try line(&requests, 6, "abcd1239").hasPrefix("exec /usr/bin/env "))
    }

    @Test func `no command runs longer than the policy lets any`() throws {
        var policy = Self.policy()
        policy.limits.maxTimeoutSeconds = 10
        var requests = MasterRequests(policy, number: 1)
        var command = Self.command("id")
        command.seconds = GateCommand.longest
        _ = requests.run(command, 7, now: 0)
        command.seconds = 10
        let line = try #require(MuxSession(command: Observer.guardedLine(for: command, on: policy.hosts[0])))
        #expect(requests.connected(1).use == .ask(.session(line), nil))
    }

    @Test func `what the policy does not allow asks nobody`() throws {
        var requests = MasterRequests(Self.policy(allowlist: ["git "], base: "/srv"), number: 1)
        func failure(_ text: String, _ id: UInt32, _ directory: String = "/srv") throws -> SessionFailure? {
            try refusal(requests.run(Self.command(text, directory: directory), id, now: 0), &requests)
        }
        guard case .notAllowed(let refused) = try failure("id", 1), case .notCovered = refused.reason else {
            Issue.record("id passed")
            return
        }
        let outside = try failure("git log", 2, "/etc")
        #expect(outside == .notAllowed(GateRefusal(host: "a", .outside(base: "/srv", path: "/etc"))))
        requests.adopt(Self.policy(exec: false), number: 2, now: 0)
        let off = try failure("git log", 3)
        #expect(off == .notAllowed(GateRefusal(host: "a", .capability(.exec))))
        #expect(requests.nextDeadline == nil)
    }

    @Test func `a command that a new policy finds on its way is judged anew`() throws {
        var requests = MasterRequests(Self.policy(), number: 1)
        _ = requests.run(Self.command("id"), 7, now: 0)
        requests.adopt(Self.policy(exec: false), number: 2, now: 0)
        let refusal = GateRefusal(host: "a", .capability(.exec))
        #expect(
            requests.notConnected(1, .otherPolicy)
                == [.close(1), .refuse(2, GateReport(Self.command("id")), .capability)])
        #expect(requests.noted(2) == [.answer(requestID: 7, .notOpened(.notAllowed(refusal)))])
    }

    @Test func `a session for a call that is not open is not opened, and one more may be asked for`() throws {
        var requests = MasterRequests(Self.policy(), number: 1)
        _ = requests.run(Self.command("id"), 7, now: 0)
        #expect(
            requests.notConnected(1, .noCall) == [.close(1), .answer(requestID: 7, .notOpened(.refused(.call)))])
        #expect(requests.nextDeadline == nil)
        let again = requests.run(Self.command("id"), 7, now: 0)
        #expect(again?.id == 2)
        _ = requests.askAlive("a", 8, now: 0)
        #expect(requests.notConnected(3, .noCall) == nil, "a question is for no call")
    }

    @Test func `a command is judged before its master is asked, and a refusal is told once it is written down`() throws
    {
        var requests = MasterRequests(Self.policy(allowlist: ["git "]), number: 1)
        #expect(requests.judge(Self.command("git log"), 7, now: 0) == [.connect(1, host: 0, policy: 1)])
        let id = Self.command("id")
        let refused = requests.judge(id, 8, now: 0)
        #expect(refused == [.refuse(2, GateReport(id), .execAllowlist)])
        guard case .answer(8, .refused(let refusal)) = requests.noted(2)?.first else {
            Issue.record("no refusal")
            return
        }
        #expect(refusal.rule == .execAllowlist && requests.noted(2) == nil)
        var elsewhere = Self.command("id")
        elsewhere.host = "b"
        #expect(requests.judge(elsewhere, 9, now: 0) == [.answer(requestID: 9, .master(.down(.noHost)))])
    }

    @Test func `a forward is judged by the capability and the list of its host`() {
        var policy = Self.policy()
        var requests = MasterRequests(policy, number: 1)
        func judged(_ target: String, _ request: UInt32, _ host: String = "a") -> [MasterRequests.Action] {
            requests.judgeForward(host, to: .tcp(host: target, port: 5432), call: 12, request)
        }
        let report = GateReport(
            host: "a", call: 12, .forward([.init(.remoteHost, "db"), .init(.remotePort, "5432")]))
        #expect(judged("db", 1) == [.refuse(1, report, .capability)])
        policy.hosts[0].capabilities.portForward = true
        policy.hosts[0].forwardAllowlist = ["web:80"]
        requests.adopt(policy, number: 2, now: 0)
        #expect(judged("db", 2) == [.refuse(2, report, .forwardAllowlist)])
        policy.hosts[0].forwardAllowlist = ["db:5432"]
        requests.adopt(policy, number: 3, now: 0)
        #expect(judged("db", 3) == [.answer(requestID: 3, .allowed)])
        #expect(judged("db", 4, "none") == [.answer(requestID: 4, .master(.down(.noHost)))])
    }

    @Test func `a worker whose refusals are not written down yet is not heard`() {
        var requests = MasterRequests(Self.policy(exec: false), number: 1)
        for id in 0..<UInt32(MasterRequests.maximumRefusals) {
            #expect(!requests.isFull)
            _ = requests.judge(Self.command("id"), id, now: 0)
        }
        #expect(requests.isFull)
        _ = requests.noted(1)
        #expect(!requests.isFull)
    }

    @Test func `a line that is too long for a host is not sent`() throws {
        var requests = MasterRequests(Self.policy(), number: 1)
        let room =
            Observer.maximumLine - Observer.guardedLine(for: Self.command(""), on: Self.policy().hosts[0]).utf8.count
        let fits = try refusal(requests.run(Self.command(String(repeating: "x", count: room)), 1, now: 0), &requests)
        #expect(fits == nil)
        let long = try refusal(
            requests.run(Self.command(String(repeating: "x", count: room + 1)), 2, now: 0), &requests)
        #expect(
            long == .tooLong(bytes: UInt32(Observer.maximumLine) + 1, limit: UInt32(Observer.maximumLine)))
    }

    @Test func `only what this gate has sent is stopped or swept away, also when nothing is on any more`() throws {
        var requests = MasterRequests(Self.policy(), number: 1)
        let (mark, nonce) = (requests.mark, Nonce.make(marked: requests.mark))
        let own = ObserverID(processID: 77, nonce: nonce)
        let early = try refusal(requests.run(.stop([own]), "a", 1, now: 0), &requests)
        #expect(early == .refused(.errand))
        _ = requests.run(Self.command("id", nonce), 2, now: 0)
        requests.adopt(Self.policy(exec: false), number: 2, now: 0)
        let errands: [Errand] = [.stop([own]), .sweep(nonces: [nonce])]
        for (index, errand) in errands.enumerated() {
            let failure = try refusal(requests.run(errand, "a", UInt32(10 + index), now: 0), &requests)
            #expect(failure == nil, "\(errand)")
        }
        let strange: [Errand] = [
            .stop([]), .stop([ObserverID(processID: 1, nonce: nonce)]), .sweep(nonces: []),
            .sweep(nonces: ["sshd"]),
            .stop([own, ObserverID(processID: 77, nonce: Nonce.make(marked: mark))]),
            .sweep(nonces: [nonce, Nonce.make(marked: mark)]),
            .trial(nonce: nonce), .probe(nonce: nonce), .probe(nonce: "x; id; x1"),
        ]
        for (index, errand) in strange.enumerated() {
            let failure = try refusal(requests.run(errand, "a", UInt32(20 + index), now: 0), &requests)
            #expect(failure == .refused(.errand), "\(errand)")
        }
        requests.adopt(Self.policy(), number: 3, now: 0)
        // Text that stands in the arguments of other processes there, and the marks of other gates.
        let others = [
            "postgres", "x'; id; '", "$(id)1234", mark, mark + "postgres", Nonce.make(),
            Nonce.make(marked: Nonce.makeMark()),
        ]
        for other in others { _ = requests.run(Self.command("id", other), 30, now: 0) }
        let wrong = others.flatMap {
            [
                Errand.trial(nonce: $0), .probe(nonce: $0), .sweep(nonces: [$0]),
                .stop([ObserverID(processID: 77, nonce: $0)]),
            ]
        }
        for (index, errand) in wrong.enumerated() {
            let failure = try refusal(requests.run(errand, "a", UInt32(40 + index), now: 0), &requests)
            #expect(failure == .refused(.errand), "\(errand)")
        }
        let another = Nonce.make(marked: mark)
        let trial = try refusal(requests.run(.trial(nonce: another), "a", 150, now: 0), &requests)
        let sweep = try refusal(requests.run(.sweep(nonces: [another]), "a", 151, now: 0), &requests)
        #expect(trial == nil && sweep == nil)
        let question = requests.run(.question, "a", 152, now: 0)
        #expect(try #require(question).id != nil)
    }

    @Test func `as many nonces are remembered as may matter, the last ones`() {
        var nonces = OwnNonces()
        let made = (0..<(OwnNonces.maximum + 10)).map { _ in Nonce.make(marked: nonces.mark) }
        for nonce in made { nonces.insert(nonce) }
        nonces.insert(made[10])
        func knows(_ nonce: String) -> Bool { nonces.allow(.sweep(nonces: [nonce]), PolicySnapshot.Capabilities()) }
        #expect(!knows(made[9]) && knows(made[10]) && knows(made[OwnNonces.maximum + 9]))
    }
}
