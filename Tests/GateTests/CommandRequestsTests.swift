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

    /// What a request comes to at once: nil where a connection is asked for.
    private func refusal(_ taken: (id: MasterRequests.ID?, actions: [MasterRequests.Action])?) throws -> SessionFailure?
    {
        let taken = try #require(taken)
        guard taken.id == nil else { return nil }
        guard case .answer(_, .notOpened(let failure)) = try #require(taken.actions.first) else {
            Issue.record("\(taken.actions)")
            return nil
        }
        return failure
    }

    @Test func `a command is judged, composed by the gate, opened, and told of`() throws {
        let policy = Self.policy(allowlist: ["git "], base: "/srv")
        var requests = MasterRequests(policy, number: 3)
        let command = Self.command("git status", directory: "/srv/x")
        let first = requests.run(command, 7, now: 0)
        let taken = try #require(first)
        #expect(taken.id == 1 && taken.actions == [.connect(1, host: 0, policy: 3)])
        let line = try #require(MuxSession(command: Observer.line(for: command, on: policy.hosts[0])))
        #expect(requests.connected(1).use == .ask(.session(line), nil))
        #expect(
            requests.seen(1, .sessionOpened)
                == [.tell(.command, host: 0, policy: 3), .answer(requestID: 7, .opened)])
        #expect(requests.seen(1, .sessionExited(status: 3)) == [.answer(requestID: 7, .exited(status: 3))])
        #expect(
            requests.seen(1, .sessionEnded(status: 3)) == [.close(1), .answer(requestID: 7, .ended)])
    }

    @Test func `what the policy does not allow asks nobody`() throws {
        var requests = MasterRequests(Self.policy(allowlist: ["git "], base: "/srv"), number: 1)
        func failure(_ text: String, _ id: UInt32, _ directory: String = "/srv") throws -> SessionFailure? {
            try refusal(requests.run(Self.command(text, directory: directory), id, now: 0))
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
        #expect(
            requests.notConnected(1, .otherPolicy) == [
                .close(1), .answer(requestID: 7, .notOpened(.notAllowed(GateRefusal(host: "a", .capability(.exec))))),
            ])
    }

    @Test func `a line that is too long for a host is not sent`() throws {
        var requests = MasterRequests(Self.policy(), number: 1)
        let room = Observer.maximumLine - Observer.line(for: Self.command(""), on: Self.policy().hosts[0]).utf8.count
        let fits = try refusal(requests.run(Self.command(String(repeating: "x", count: room)), 1, now: 0))
        #expect(fits == nil)
        let long = try refusal(requests.run(Self.command(String(repeating: "x", count: room + 1)), 2, now: 0))
        #expect(
            long == .tooLong(bytes: UInt32(Observer.maximumLine) + 1, limit: UInt32(Observer.maximumLine)))
    }

    @Test func `only what this gate has sent is stopped or swept away, also when nothing is on any more`() throws {
        var requests = MasterRequests(Self.policy(), number: 1)
        let own = ObserverID(processID: 77, nonce: "abcd1234")
        let early = try refusal(requests.run(.stop([own]), "a", 1, now: 0))
        #expect(early == .refused(.errand))
        _ = requests.run(Self.command("id"), 2, now: 0)
        requests.adopt(Self.policy(exec: false), number: 2, now: 0)
        let errands: [Errand] = [.stop([own]), .sweep(nonces: ["abcd1234"])]
        for (index, errand) in errands.enumerated() {
            let failure = try refusal(requests.run(errand, "a", UInt32(10 + index), now: 0))
            #expect(failure == nil, "\(errand)")
        }
        let strange: [Errand] = [
            .stop([]), .stop([ObserverID(processID: 1, nonce: "abcd1234")]), .sweep(nonces: []),
            .sweep(nonces: ["sshd"]),
            .stop([own, ObserverID(processID: 77, nonce: "other1234")]), .sweep(nonces: ["abcd1234", "other1234"]),
            .trial(nonce: "abcd1234"), .probe(nonce: "abcd1234"), .probe(nonce: "x; id; x1"),
        ]
        for (index, errand) in strange.enumerated() {
            let failure = try refusal(requests.run(errand, "a", UInt32(20 + index), now: 0))
            #expect(failure == .refused(.errand), "\(errand)")
        }
        requests.adopt(Self.policy(), number: 3, now: 0)
        for (index, errand) in [Errand.trial(nonce: "x'; id; '"), .probe(nonce: "$(id)1234")].enumerated() {
            let failure = try refusal(requests.run(errand, "a", UInt32(40 + index), now: 0))
            #expect(failure == .refused(.errand), "\(errand)")
        }
        let trial = try refusal(requests.run(.trial(nonce: "efgh5678"), "a", 50, now: 0))
        let sweep = try refusal(requests.run(.sweep(nonces: ["efgh5678"]), "a", 51, now: 0))
        #expect(trial == nil && sweep == nil)
        let question = requests.run(.question, "a", 52, now: 0)
        #expect(try #require(question).id != nil)
    }

    @Test func `as many nonces are remembered as may matter, the last ones`() {
        var nonces = OwnNonces()
        for number in 0..<(OwnNonces.maximum + 10) { nonces.insert("nonce\(1000 + number)") }
        nonces.insert("nonce1010")
        func knows(_ nonce: String) -> Bool { nonces.allow(.sweep(nonces: [nonce]), PolicySnapshot.Capabilities()) }
        #expect(!knows("nonce1009") && knows("nonce1010") && knows("nonce\(1000 + OwnNonces.maximum + 9)"))
    }
}
