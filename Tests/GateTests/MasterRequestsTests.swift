import IPC
import SFTPFilter
import TestSupport
import Testing

@testable import Gate
@testable import Mux

@Suite("Requests that need a ControlMaster")
struct MasterRequestsTests {
    private static func policy(_ sockets: [String: String]) -> PolicySnapshot {
        PolicySnapshot(
            hosts: sockets.map { PolicySnapshot.Host(name: $0.key, socket: $0.value, user: "u", host: "h") },
            defaultHost: "a")
    }

    private func newRequests() -> MasterRequests {
        MasterRequests(Self.policy(["a": "/a", "b": "/b", "c": "/a"]), number: 3)
    }

    private func answer(_ id: UInt32, _ state: MasterState) -> MasterRequests.Action {
        .answer(requestID: id, .master(state))
    }

    @Test func `a host is named by its index in the policy, and its answer goes to who asked`() {
        var requests = newRequests()
        #expect(requests.askAlive("b", 40, now: 0) == [.connect(1, host: 1, policy: 3)])
        #expect(requests.nextDeadline == MasterDown.patience)
        let (use, actions) = requests.connected(1)
        #expect(use == .ask(.control(.alive), nil) && actions.isEmpty)
        let answered = requests.seen(1, .alive(masterPID: 9), now: 0)
        #expect(answered == [answer(40, .alive(masterPID: 9))])
        #expect(requests.askAlive("B", 41, now: 0) == [answer(41, .down(.noHost))])
        #expect(requests.askAlive("", 42, now: 0) == [answer(42, .down(.noHost))])
    }

    @Test func `those who ask of one master meanwhile share the answer, also under its other names`() {
        var requests = newRequests()
        #expect(requests.askAlive("a", 1, now: 0) == [.connect(1, host: 0, policy: 3)])
        #expect(requests.askAlive("c", 2, now: 5).isEmpty && requests.askAlive("a", 3, now: 9).isEmpty)
        #expect(requests.connected(1).use == .ask(.control(.alive), nil))
        #expect(requests.askAlive("c", 4, now: 10).isEmpty)
        let answers = requests.seen(1, .failed(.lost(errno: 0), .unknown), now: 0)
        #expect(answers == [.close(1)] + [1, 2, 3, 4].map { answer($0, .down(.closed)) })
        // Afterwards it is asked anew.
        #expect(requests.askAlive("a", 5, now: 11) == [.connect(2, host: 0, policy: 3)])
    }

    @Test(arguments: [
        (ConnectFailure.dead(errno: 111, .link), MasterDown.dead(errno: 111, .link)), (.hung, .hung),
        (.foreign(userID: 5), .foreign(userID: 5)), (.unavailable(errno: 24), .unavailable(errno: 24)),
    ])
    func `what keeps the supervisor from connecting is the answer`(failure: ConnectFailure, down: MasterDown) {
        var requests = newRequests()
        _ = requests.askAlive("a", 1, now: 0)
        #expect(requests.notConnected(1, failure) == [.close(1), answer(1, .down(down))])
        #expect(requests.notConnected(1, failure) == nil, "nobody asks for it any more")
        #expect(requests.connected(1).use == .violation)
    }

    @Test func `under a new policy the same question is judged anew`() {
        var requests = newRequests()
        _ = requests.askAlive("a", 1, now: 0)
        _ = requests.askAlive("b", 2, now: 0)
        requests.adopt(Self.policy(["b": "/new"]), number: 4, now: 0)
        // One of the same name that is asked of now is another one.
        #expect(requests.askAlive("b", 3, now: 1) == [.connect(3, host: 0, policy: 4)])
        #expect(requests.notConnected(1, .otherPolicy) == [answer(1, .down(.noHost))])
        #expect(requests.notConnected(2, .otherPolicy) == [], "it joins the other")
        _ = requests.connected(3)
        #expect(
            requests.seen(3, .alive(masterPID: 1), now: 0)
                == [answer(3, .alive(masterPID: 1)), answer(2, .alive(masterPID: 1))])
    }

    @Test func `who has waited two seconds is told, whatever the stage, and a later answer is nobody's`() {
        var requests = newRequests()
        _ = requests.askAlive("a", 1, now: 0)
        _ = requests.askAlive("b", 2, now: 1)
        _ = requests.connected(2)
        #expect(requests.advance(now: MasterDown.patience - 1).isEmpty)
        #expect(requests.advance(now: MasterDown.patience) == [answer(1, .down(.hung))])
        #expect(requests.advance(now: MasterDown.patience + 1) == [answer(2, .down(.hung)), .close(2)])
        #expect(requests.nextDeadline == nil)
        #expect(requests.seen(2, .alive(masterPID: 1), now: 0).isEmpty)
        let (use, actions) = requests.connected(1)
        #expect(use == .drop && actions.isEmpty)
    }

    @Test func `as many connect at once as the supervisor takes, the others in their order`() {
        let names = (0..<40).map { $0 < 10 ? "h0\($0)" : "h\($0)" }
        var requests = MasterRequests(
            Self.policy(Dictionary(uniqueKeysWithValues: names.map { ($0, "/\($0)") })), number: 1)
        var connects = 0
        for (index, name) in names.enumerated() { connects += requests.askAlive(name, UInt32(index), now: 0).count }
        #expect(connects == FromGate.maximumConnects)
        #expect(requests.connected(1).actions == [.connect(17, host: 16, policy: 1)])
        #expect(
            requests.notConnected(2, .hung) == [.close(2), answer(1, .down(.hung)), .connect(18, host: 17, policy: 1)])
    }

    // MARK: Connections that are kept

    /// Requests after a question of 1 about the master of `a`, which has answered at the time 10.
    private func asked(_ policy: PolicySnapshot? = nil) -> MasterRequests {
        var requests = MasterRequests(policy ?? Self.files(true, false), number: 3)
        _ = requests.askAlive("a", 1, now: 0)
        _ = requests.connected(1)
        #expect(requests.seen(1, .alive(masterPID: 9), now: 10) == [answer(1, .alive(masterPID: 9))])
        return requests
    }

    /// A session of the request 2 that takes what `asked` has kept.
    private func reusing() throws -> MasterRequests {
        var requests = asked()
        let taken = try open(&requests, "a", 2)
        #expect(taken.id == 2)
        #expect(
            taken.actions == [
                .admit(2, GateReport(host: "a", call: 0, .files(writes: false)), policy: 3), .reuse(2, kept: 1),
            ])
        return requests
    }

    @Test func `the connection of a question is kept for the next one, and no longer than half a second`() {
        var requests = asked()
        #expect(requests.nextDeadline == 10 + MasterRequests.keeping)
        #expect(requests.askAlive("a", 2, now: 20) == [.reuse(2, kept: 1)])
        #expect(requests.nextDeadline == 20 + MasterDown.patience)
        #expect(requests.seen(2, .alive(masterPID: 9), now: 30) == [answer(2, .alive(masterPID: 9))])
        #expect(requests.advance(now: 29 + MasterRequests.keeping).isEmpty)
        #expect(requests.advance(now: 30 + MasterRequests.keeping) == [.close(2)])
        #expect(requests.nextDeadline == nil)
        #expect(requests.askAlive("a", 3, now: 1000) == [.connect(3, host: 0, policy: 3)])
    }

    @Test func `one that its master closes, or says something over, is not used`() {
        var requests = asked()
        #expect(requests.seen(1, .failed(.lost(errno: 0), .nothingAsked), now: 11) == [.close(1)])
        #expect(requests.askAlive("a", 2, now: 20) == [.connect(2, host: 0, policy: 3)])
    }

    @Test func `there is one to a socket, and none under another policy`() {
        var requests = MasterRequests(Self.policy(["a": "/a", "b": "/b"]), number: 3)
        for (id, name) in [(1, "a"), (2, "b")] as [(UInt32, String)] {
            _ = requests.askAlive(name, id, now: 0)
            _ = requests.connected(id)
            #expect(requests.seen(id, .alive(masterPID: 9), now: 0).count == 1)
        }
        requests.adopt(Self.policy(["a": "/a"]), number: 4, now: 0)
        #expect(requests.askAlive("a", 3, now: 1) == [.connect(3, host: 0, policy: 4)])
        _ = requests.connected(3)
        #expect(requests.seen(3, .alive(masterPID: 9), now: 2) == [.close(1), answer(3, .alive(masterPID: 9))])
        #expect(requests.advance(now: 1000).count == 2 && requests.nextDeadline == nil)
    }

    @Test(arguments: [false, true])
    func `a session is asked for over it when the master lives and the supervisor has written it down`(
        isAliveFirst: Bool
    ) throws {
        var requests = try reusing()
        let session = try #require(Self.sftp)
        let ask: [MasterRequests.Action] = [
            .ask(2, .session(session), SFTPRules(allowsWriting: false, baseDirectory: nil))
        ]
        if isAliveFirst {
            #expect(requests.seen(2, .alive(masterPID: 9), now: 20).isEmpty)
            #expect(requests.noted(2) == ask)
        } else {
            #expect(requests.noted(2) == [])
            #expect(requests.seen(2, .alive(masterPID: 9), now: 20) == ask)
        }
        #expect(requests.noted(2) == nil, "once")
        #expect(requests.seen(2, .sessionOpened, now: 30) == [.tell(.sftp, host: 0, policy: 3), word(2, .opened)])
        #expect(requests.seen(2, .sessionEnded(status: 0), now: 40) == [.close(2), word(2, .ended)])
    }

    @Test func `no session is opened that the supervisor does not admit, and a new policy judges it anew`() throws {
        var requests = try reusing()
        #expect(requests.seen(2, .alive(masterPID: 9), now: 20).isEmpty)
        #expect(requests.notConnected(2, .hung) == nil, "nobody connects")
        #expect(requests.notConnected(2, .noCall) == [.close(2), word(2, .notOpened(.refused(.call)))])
        requests = try reusing()
        requests.adopt(Self.files(true, false, on: "/b"), number: 4, now: 20)
        #expect(requests.notConnected(2, .otherPolicy) == [opening(2, policy: 4)])
        requests = try reusing()
        requests.adopt(Self.files(true, false, on: "/b"), number: 4, now: 20)
        #expect(requests.noted(2) == [opening(2, policy: 4)], "the supervisor did not know of it yet")
    }

    @Test(arguments: [false, true])
    func `a session whose master is gone or silent by then was not opened, whatever the supervisor says`(
        isNoted: Bool
    ) throws {
        var requests = try reusing()
        if isNoted { #expect(requests.noted(2) == []) }
        #expect(
            requests.seen(2, .failed(.lost(errno: 0), .unknown), now: 20)
                == [.close(2), word(2, .notOpened(.down(.closed)))])
        #expect(requests.noted(2) == (isNoted ? nil : [.close(2)]))
        requests = try reusing()
        if isNoted { #expect(requests.noted(2) == []) }
        #expect(
            requests.advance(now: MasterDown.patience) == [word(2, .notOpened(.down(.hung))), .close(2)])
        #expect(requests.noted(2) == (isNoted ? nil : [.close(2)]))
        requests = try reusing()
        if isNoted { #expect(requests.noted(2) == []) }
        #expect(requests.close(2) == [.close(2), word(2, .notOpened(.closed(wasAsked: false)))])
        #expect(requests.noted(2) == (isNoted ? nil : [.close(2)]))
    }

    @Test func `of a worker that is heard no more a kept connection goes as well`() {
        var requests = asked()
        #expect(requests.endAll() == [.close(1)])
        #expect(requests.nextDeadline == nil)
    }

    // MARK: Sessions

    private static func files(_ read: Bool, _ write: Bool, on socket: String = "/a") -> PolicySnapshot {
        var host = PolicySnapshot.Host(name: "a", socket: socket, user: "u", host: "h")
        host.capabilities.fileRead = read
        host.capabilities.fileWrite = write
        return PolicySnapshot(hosts: [host], defaultHost: "a")
    }

    private static let fullHost = MuxRefusal(isDenied: false, reason: "Session open refused by peer")
    @Test func `a tree in another Unicode normal form is another tree`() {
        let composed = FileAccess(writes: true, base: "/srv/caf\u{e9}")
        #expect(composed.isWithin(composed) && composed.isWithin(FileAccess(writes: true, base: nil)))
        #expect(!FileAccess(writes: true, base: "/srv/cafe\u{301}").isWithin(composed))
        #expect(!FileAccess(writes: true, base: nil).isWithin(composed))
    }

    private static let reading = FileAccess(writes: false, base: nil)
    private static let sftp = MuxSession(command: "sftp", isSubsystem: true)

    /// Asks for a session, which must not have the number of another one.
    private func open(
        _ requests: inout MasterRequests, _ host: String, _ id: UInt32
    ) throws -> (id: MasterRequests.ID?, actions: [MasterRequests.Action]) {
        let taken = requests.openFiles(host, Self.reading, id, now: 0)
        return try #require(taken)
    }

    /// What the supervisor is asked for a session to read files, for no call.
    private func opening(_ id: UInt32, policy: UInt32) -> MasterRequests.Action {
        .open(id, GateReport(host: "a", call: 0, .files(writes: false)), host: 0, policy: policy)
    }

    private func word(_ id: UInt32, _ word: GateAnswer) -> MasterRequests.Action { .answer(requestID: id, word) }

    @Test func `a session gets a connection of its own, and every word of the master reaches the worker`() throws {
        var requests = MasterRequests(Self.files(true, false), number: 3)
        let session = try #require(Self.sftp)
        for (id, request) in [(1, 70), (2, 71)] as [(UInt32, UInt32)] {
            let taken = try open(&requests, "a", request)
            #expect(taken.id == id && taken.actions == [opening(id, policy: 3)])
            #expect(
                requests.connected(id).use
                    == .ask(.session(session), SFTPRules(allowsWriting: false, baseDirectory: nil)))
            requests.waitsForHost(id)
        }
        // The host has no time limit here.
        #expect(requests.nextDeadline == nil && requests.advance(now: .max).isEmpty)
        #expect(requests.seen(1, .sessionOpened, now: 0) == [.tell(.sftp, host: 0, policy: 3), word(70, .opened)])
        #expect(requests.seen(1, .sessionExited(status: 9), now: 0) == [word(70, .exited(status: 9))])
        #expect(requests.seen(1, .sessionEnded(status: 9), now: 0) == [.close(1), word(70, .ended)])
        #expect(requests.close(70).isEmpty, "it is over already")
        #expect(requests.seen(2, .sessionOpened, now: 0).count == 2)
        #expect(requests.seen(2, .failed(.violation(.badText), .unknown), now: 0) == [.close(2), word(71, .ended)])
    }

    @Test(arguments: [
        (MasterFact.refused(fullHost), SessionFailure.byHost),
        (.refused(MuxRefusal(isDenied: true, reason: "Permission denied")), .byMaster(reason: "Permission denied")),
        (.failed(.lost(errno: 0), .nothingAsked), .down(.closed)),
        (.failed(.lost(errno: 104), .unknown), .unknown(.closed)),
        (.failed(.otherVersion(5), .nothingAsked), .down(.otherVersion(5))),
        (.failed(.violation(.badText), .nothingAsked), .down(.noMaster)), (.forwardOpened, .unknown(.noMaster)),
    ])
    func `what keeps a session from being opened is told apart`(fact: MasterFact, failure: SessionFailure) throws {
        var requests = MasterRequests(Self.files(false, true), number: 1)
        _ = try open(&requests, "a", 5)
        _ = requests.connected(1)
        #expect(requests.seen(1, fact, now: 0) == [.close(1), word(5, .notOpened(failure))])
        #expect(requests.seen(1, .sessionOpened, now: 0).isEmpty)
    }

    @Test func `a host without file access gets no session, also where a new policy takes it away meanwhile`() throws {
        var requests = MasterRequests(Self.files(false, false), number: 1)
        let refused = try open(&requests, "a", 1)
        #expect(refused.id == nil)
        let report = GateReport(host: "a", call: 0, .files(writes: false))
        #expect(refused.actions == [.refuse(1, report, .capability)])
        #expect(requests.noting(refused.actions) == [word(1, .notOpened(.refused(.fileAccess)))])
        #expect(requests.noted(1) == nil, "it is told once")
        requests.adopt(Self.files(true, true), number: 2, now: 0)
        for id in [2, 3] as [UInt32] {
            let taken = try open(&requests, "a", id)
            #expect(taken.id != nil)
        }
        requests.adopt(Self.files(true, true, on: "/b"), number: 3, now: 0)
        // The pipes wait under the same number.
        #expect(requests.notConnected(2, .otherPolicy) == [opening(2, policy: 3)])
        requests.adopt(Self.files(false, false), number: 4, now: 0)
        for (id, request) in [(3, 3), (2, 2)] as [(UInt32, UInt32)] {
            let actions = requests.notConnected(id, .otherPolicy)
            #expect(requests.noting(actions) == [.close(id), word(request, .notOpened(.refused(.fileAccess)))])
        }
        let gone = try open(&requests, "b", 9)
        #expect(gone.actions == [word(9, .notOpened(.down(.noHost)))])
    }

    @Test(
        arguments: [
            (false, nil, false, nil, true), (true, nil, true, nil, true), (false, nil, true, nil, false),
            (true, nil, false, nil, true), (true, "/srv", true, nil, false), (true, "/srv", true, "/srv", true),
            (true, "/srv/./x/..", false, "/srv", true), (true, "/srv", true, "/srv/x", false),
            (true, nil, true, "/x", true),
        ] as [(Bool, String?, Bool, String?, Bool)])
    func `a channel that may do more than the policy allows is not opened, and what is narrower is judged so`(
        allowsWriting: Bool, base: String?, writes: Bool, under: String?, isOpened: Bool
    ) throws {
        var policy = Self.files(true, allowsWriting)
        policy.hosts[0].baseDir = base
        var requests = MasterRequests(policy, number: 1)
        let access = FileAccess(writes: writes, base: under)
        let answer = requests.openFiles("a", access, 1, now: 0)
        let taken = try #require(answer)
        guard isOpened else {
            let actions = requests.noting(taken.actions)
            return #expect(actions == [word(1, .notOpened(.refused(.otherAccess)))])
        }
        let session = try #require(Self.sftp)
        let rules = writes && under == nil ? nil : SFTPRules(allowsWriting: writes, baseDirectory: under)
        #expect(requests.connected(1).use == .ask(.session(session), rules))
    }

    @Test func `a session that a new policy would not open ends after the time of a call`() throws {
        for (index, policy) in [Self.files(true, false), Self.files(true, true, on: "/b"), Self.files(false, false)]
            .enumerated()
        {
            var requests = MasterRequests(Self.files(true, true), number: 1)
            let writing = FileAccess(writes: true, base: nil)
            let taken = requests.openFiles("a", writing, 1, now: 0)
            #expect(taken?.id == 1)
            _ = try open(&requests, "a", 2)
            for id in [1, 2] as [UInt32] {
                _ = requests.connected(id)
                _ = requests.seen(id, .sessionOpened, now: 0)
            }
            requests.adopt(Self.files(true, true), number: 2, now: 10)
            #expect(requests.nextDeadline == nil)
            requests.adopt(policy, number: 3, now: 1000)
            #expect(requests.nextDeadline == 601_000)
            // A later one makes it no longer.
            requests.adopt(policy, number: 4, now: 9000)
            #expect(requests.advance(now: 600_999).isEmpty)
            let ended = [.close(1), word(1, .ended)] + (index == 0 ? [] : [.close(2), word(2, .ended)])
            #expect(requests.advance(now: 601_000) == ended)
            #expect(requests.nextDeadline == nil && requests.close(1).isEmpty)
        }
    }

    @Test func `a connection that was made under the old policy is not used for a session`() throws {
        var requests = MasterRequests(Self.files(true, true), number: 1)
        let writing = FileAccess(writes: true, base: nil)
        _ = requests.openFiles("a", writing, 1, now: 0)
        _ = try open(&requests, "a", 2)
        requests.adopt(Self.files(true, false, on: "/b"), number: 2, now: 0)
        let first = requests.connected(1)
        #expect(first.use == .drop)
        #expect(requests.noting(first.actions) == [.close(1), word(1, .notOpened(.refused(.otherAccess)))])
        let second = requests.connected(2)
        #expect(second.use == .drop && second.actions == [opening(2, policy: 2)])
    }

    @Test func `a closed session says a last word at every stage, and what it had goes`() throws {
        var requests = MasterRequests(Self.files(true, true), number: 1)
        for id in 0..<17 as Range<UInt32> { _ = try open(&requests, "a", 100 + id) }
        #expect(requests.close(116) == [.close(17), word(116, .notOpened(.closed(wasAsked: false)))], "queued")
        #expect(requests.close(100) == [.close(1), word(100, .notOpened(.closed(wasAsked: false)))], "connecting")
        #expect(requests.connected(1).use == .drop)
        #expect(requests.connected(2).use != .drop)
        #expect(requests.close(101) == [.close(2), word(101, .notOpened(.closed(wasAsked: false)))], "asking")
        _ = requests.connected(3)
        requests.waitsForHost(3)
        #expect(requests.close(102) == [.close(3), word(102, .notOpened(.closed(wasAsked: true)))], "at the host")
        _ = requests.connected(4)
        _ = requests.seen(4, .sessionOpened, now: 0)
        #expect(requests.close(103) == [.close(4), word(103, .ended)])
        #expect(requests.seen(4, .sessionEnded(status: 0), now: 0).isEmpty && requests.close(999).isEmpty)
    }

    @Test func `a session whose master is silent is told so after two seconds, and its number is free again`() throws {
        var requests = MasterRequests(Self.files(true, true), number: 1)
        for id in [1, 2] as [UInt32] { _ = try open(&requests, "a", id) }
        _ = requests.connected(1)
        #expect(
            requests.advance(now: MasterDown.patience) == [
                word(1, .notOpened(.down(.hung))), .close(1), word(2, .notOpened(.down(.hung))), .close(2),
            ])
        #expect(requests.connected(2).use == .drop)
        let again = try open(&requests, "a", 1)
        #expect(again.id == 3)
    }

    @Test func `sessions are bounded, a number is given once, and slow hosts hold up nobody's questions`() throws {
        var requests = MasterRequests(Self.files(true, true), number: 1)
        for index in 0..<UInt32(GateRequest.maximumSessions) {
            let taken = try open(&requests, "a", index)
            _ = requests.connected(try #require(taken.id))
            requests.waitsForHost(index + 1)
        }
        #expect(!requests.isFull)
        let further = try open(&requests, "a", 1000)
        #expect(further.id == nil)
        #expect(further.actions == [word(1000, .notOpened(.down(.unavailable(errno: 24))))])
        let twice = requests.openFiles("a", Self.reading, 7, now: 0)
        #expect(twice == nil, "the number of another one")
        #expect(requests.askAlive("a", 2000, now: 0).count == 1)
        // Of a worker that is heard no more all goes.
        #expect(requests.endAll().count == GateRequest.maximumSessions + 1)
        #expect(requests.nextDeadline == nil)
        _ = try open(&requests, "a", 7)
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func `in any order of events each request is answered once, and the bounds hold`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let names = ["a", "b", "c", "d", "x"]
        func policy(_ sockets: [String: String]) -> PolicySnapshot {
            var policy = Self.policy(sockets)
            for index in policy.hosts.indices { policy.hosts[index].capabilities.fileRead = index != 1 }
            return policy
        }
        var requests = MasterRequests(policy(["a": "/1", "b": "/2", "c": "/1", "d": "/3"]), number: 1)
        var number: UInt32 = 1
        var (now, next): (Int, UInt32) = (0, 0)
        // By request: whether it is a session, and whether that is open.
        var waiting: [UInt32: (isSession: Bool, isOpen: Bool)] = [:]
        var connecting: [UInt32] = []
        var asking: Set<UInt32> = []
        var admitting: [UInt32] = []
        func perform(_ actions: [MasterRequests.Action]) {
            for action in actions {
                switch action {
                case .connect(let id, _, _), .open(let id, _, _, _): connecting.append(id)
                case .refuse(let id, _, _): perform(requests.noted(id) ?? [])
                case .admit(let id, _, _): admitting.append(id)
                case .reuse(let id, let kept):
                    #expect(asking.remove(kept) != nil)
                    asking.insert(id)
                case .ask(let id, _, _): #expect(asking.contains(id))
                case .close(let id): asking.remove(id)
                case .tell: break
                case .answer(let id, .opened):
                    #expect(waiting[id]?.isSession == true && waiting[id]?.isOpen == false)
                    waiting[id]?.isOpen = true
                case .answer(let id, .exited): #expect(waiting[id]?.isOpen == true)
                case .answer(let id, .ended): #expect(waiting.removeValue(forKey: id)?.isOpen == true)
                case .answer(let id, .notOpened):
                    let had = waiting.removeValue(forKey: id)
                    #expect(had?.isSession == true && had?.isOpen == false)
                case .answer(let id, _): #expect(waiting.removeValue(forKey: id)?.isSession == false, "answered once")
                }
            }
            #expect(connecting.count <= FromGate.maximumConnects)
        }
        for _ in 0..<4000 {
            let noise = generator.next()
            switch noise % 11 {
            case 10 where !admitting.isEmpty:
                let id = admitting.remove(at: Int(noise >> 8) % admitting.count)
                let refusals: [ConnectFailure] = [.noCall, .otherPolicy]
                let answer =
                    noise >> 20 & 3 == 0
                    ? requests.notConnected(id, refusals[Int(noise >> 24) % 2]) : requests.noted(id)
                #expect(answer != nil)
                perform(answer ?? [])
            case 0, 1:
                guard !requests.isFull else { continue }
                waiting[next] = (false, false)
                perform(requests.askAlive(names[Int(noise >> 8) % names.count], next, now: now))
                next += 1
            case 2:
                guard !requests.isFull else { continue }
                waiting[next] = (true, false)
                let taken = requests.openFiles(
                    names[Int(noise >> 8) % names.count], Self.reading, next, now: now)
                #expect(taken != nil)
                perform(taken?.actions ?? [])
                next += 1
            case 3 where !connecting.isEmpty:
                let id = connecting.remove(at: Int(noise >> 8) % connecting.count)
                let (use, actions) = requests.connected(id)
                if case .ask = use { asking.insert(id) }
                #expect(use != .violation)
                perform(actions)
            case 4 where !connecting.isEmpty:
                let id = connecting.remove(at: Int(noise >> 8) % connecting.count)
                perform(
                    requests.notConnected(id, [.hung, .otherPolicy, .dead(errno: 1, .absent)][Int(noise >> 20) % 3])
                        ?? [])
            case 5, 6:
                guard let id = asking.sorted().randomElement(using: &generator) else { continue }
                let facts: [MasterFact] = [
                    .alive(masterPID: 1), .sessionOpened, .sessionOpened, .sessionExited(status: 1),
                    .sessionEnded(status: nil), .failed(.lost(errno: 0), .unknown),
                ]
                if noise >> 9 & 1 == 0 { requests.waitsForHost(id) }
                perform(requests.seen(id, facts[Int(noise >> 10) % facts.count], now: now))
            case 7:
                now += Int(noise >> 8 & 1023)
                perform(requests.advance(now: now))
            case 8:
                guard let id = waiting.keys.sorted().randomElement(using: &generator) else { continue }
                if waiting[id]?.isSession == true { perform(requests.close(id)) }
            case 9 where noise >> 8 & 7 == 0:
                number += 1
                requests.adopt(policy(["a": "/\(number % 3)", "b": "/2", "d": "/4"]), number: number, now: now)
            default: break
            }
            #expect(waiting.count <= MasterRequests.maximum + GateRequest.maximumSessions)
        }
        for (id, kind) in waiting.sorted(by: { $0.key < $1.key }) where kind.isSession { perform(requests.close(id)) }
        perform(requests.advance(now: .max))
        #expect(waiting.isEmpty && requests.nextDeadline == nil)
    }
}
