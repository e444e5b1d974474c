import IPC
import Testing

@testable import Supervisor

/// Which broker does what a worker asks for, and what is told of brokers that hang or end.
@Suite struct FileRequestsTests {
    private static let policy = FilePolicy(
        roots: ["/r", "/mnt/dead", "/mnt"], home: "/home/u", own: [.init("/etc/own", "own")])

    private static func told(_ failure: LocalFailure, _ id: UInt32) -> FileRequests.Action {
        .tell(.files(.failed(failure)), requestID: id)
    }

    private static func told(
        by broker: FileRequests.Broker, _ id: UInt32, handle: UInt32 = 0
    ) -> FileRequests.Action {
        .tell(.files(.answered(broker: broker, handle: handle)), requestID: id)
    }

    /// Requests whose first broker is ready, at time 0.
    private static func ready() -> FileRequests {
        var requests = FileRequests(policy: policy, now: 0)
        #expect(requests.take(.open(path: "/r/first"), 1, isOpen: true, now: 0) == [.start(1, leftOut: [])])
        #expect(
            requests.received(.ready(landlockABI: 6), 0, from: 1, now: 0)
                == [.ask(1, .open(path: "/r/first"), requestID: 1)])
        #expect(requests.received(.done, 1, from: 1, now: 0) == [told(by: 1, 1)])
        return requests
    }

    /// The same, with a new file of handle 1 for `path`.
    private static func holding(_ path: String = "/r/new") -> FileRequests {
        var requests = ready()
        #expect(
            requests.take(.create(path: path), 2, isOpen: true, now: 0)
                == [.ask(1, .create(handle: 1, path: path), requestID: 2)])
        #expect(requests.received(.done, 2, from: 1, now: 0) == [told(by: 1, 2, handle: 1)])
        return requests
    }

    @Test("a broker is started with the first request, and asked one request at a time")
    func order() {
        var requests = Self.ready()
        #expect(requests.nextDeadline == nil)
        #expect(
            requests.take(.open(path: "/r/a"), 2, isOpen: true, now: 5) == [.ask(1, .open(path: "/r/a"), requestID: 2)])
        #expect(requests.take(.open(path: "/r/b"), 3, isOpen: true, now: 6) == [])
        #expect(requests.nextDeadline == 10_005)
        #expect(
            requests.received(.refused, 2, from: 1, now: 7)
                == [Self.told(by: 1, 2), .ask(1, .open(path: "/r/b"), requestID: 3)])
        #expect(requests.received(.done, 3, from: 1, now: 8) == [Self.told(by: 1, 3)])
    }

    @Test("with file_write off nothing is opened and nothing started; what has a handle is named all the same")
    func closed() {
        var fresh = FileRequests(policy: Self.policy, now: 0)
        #expect(fresh.take(.open(path: "/r/a"), 1, isOpen: false, now: 0) == [Self.told(.closed, 1)])
        #expect(fresh.take(.create(path: "/r/a"), 2, isOpen: false, now: 0) == [Self.told(.closed, 2)])
        var requests = Self.holding()
        #expect(
            requests.take(.commit(handle: 1, mode: 0o600), 3, isOpen: false, now: 0) == [
                .ask(1, .commit(handle: 1, mode: 0o600), requestID: 3)
            ])
    }

    @Test("a request that hangs is told so after ten seconds, and those behind it are asked of the next broker")
    func hang() {
        var requests = Self.ready()
        _ = requests.take(.open(path: "/mnt/x/hangs"), 2, isOpen: true, now: 1000)
        #expect(requests.take(.open(path: "/r/fine"), 3, isOpen: true, now: 1001) == [])
        #expect(requests.take(.create(path: "/mnt/x/same"), 4, isOpen: true, now: 1002) == [])
        #expect(requests.advance(now: 10_999) == [])
        #expect(
            requests.advance(now: 11_000) == [
                .kill(1, reason: "no answer in 10 s", place: "/mnt/x/hangs"),
                Self.told(.silent(path: "/mnt/x/hangs"), 2),
                // It waited for the same directory, which did not answer meanwhile.
                Self.told(.silent(path: "/mnt/x/same"), 4),
                .start(2, leftOut: []),
            ])
        // What the old one still says is nobody's business.
        #expect(requests.received(.done, 2, from: 1, now: 11_001) == [])
        #expect(requests.ended(1, .ended(.signalled(9)), now: 11_002) == [])
        #expect(
            requests.received(.ready(landlockABI: 6), 0, from: 2, now: 11_003)
                == [.ask(2, .open(path: "/r/fine"), requestID: 3)])
    }

    @Test("an answer that a broker could not hand over is told, and its place among the sixteen is free")
    func undelivered() {
        var requests = Self.ready()
        for id in 2...40 as ClosedRange<UInt32> {
            #expect(
                requests.take(.create(path: "/r/new"), id, isOpen: true, now: 0)
                    == [.ask(1, .create(handle: id - 1, path: "/r/new"), requestID: id)])
            #expect(
                requests.received(.undelivered(errno: 109), id, from: 1, now: 0)
                    == [Self.told(.undelivered(errno: 109), id)])
        }
        var committing = Self.holding()
        _ = committing.take(.commit(handle: 1, mode: 0o600), 3, isOpen: true, now: 0)
        #expect(
            committing.received(.undelivered(errno: 11), 3, from: 1, now: 0)
                == [Self.told(.commitUnknownAfter(.noAnswer, path: "/r/new"), 3)])
        #expect(committing.received(.undelivered(errno: 11), 3, from: 1, now: 0) == nil)
    }

    @Test("however long the paths that wait are, a turn does not last for them")
    func longPaths() {
        for isStart in [true, false] {
            var requests = isStart ? FileRequests(policy: Self.policy, now: 0) : Self.ready()
            let long = "/mnt/dead/" + String(repeating: "a/", count: 2042)
            for id in 10...500 as ClosedRange<UInt32> { _ = requests.take(.open(path: long), id, isOpen: true, now: 0) }
            var actions: [FileRequests.Action] = []
            if isStart { _ = requests.received(.looking(place: 1), 0, from: 1, now: 0) }
            let time = ContinuousClock().measure { actions = requests.advance(now: 10_000) }
            #expect(actions.count >= 491)
            #expect(time < .milliseconds(800), "\(time)")
        }
    }

    @Test("files of a broker that was killed are lost, and that is told; a commit that hung is unknown")
    func losses() {
        var requests = Self.holding()
        _ = requests.take(.create(path: "/r/other"), 3, isOpen: true, now: 0)
        _ = requests.received(.done, 3, from: 1, now: 0)
        _ = requests.take(.create(path: "/r/third"), 4, isOpen: true, now: 0)
        _ = requests.received(.done, 4, from: 1, now: 0)
        #expect(
            requests.take(.commit(handle: 1, mode: 0o600), 5, isOpen: true, now: 0) == [
                .ask(1, .commit(handle: 1, mode: 0o600), requestID: 5)
            ])
        #expect(requests.take(.commit(handle: 2, mode: 0o600), 6, isOpen: true, now: 0) == [])
        #expect(
            requests.advance(now: 10_000) == [
                .kill(1, reason: "no answer in 10 s", place: "/r/new"), Self.told(.commitUnknown(path: "/r/new"), 5),
                Self.told(.lost(path: "/r/other", silent: "/r/new"), 6),
            ])
        #expect(
            requests.take(.commit(handle: 3, mode: 0o600), 7, isOpen: true, now: 10_001)
                == [Self.told(.lost(path: "/r/third", silent: "/r/new"), 7)])
        for handle in 1...3 as ClosedRange<UInt32> {
            #expect(
                requests.take(.commit(handle: handle, mode: 0o600), 8, isOpen: true, now: 10_002)
                    == [Self.told(.noSuchDownload, 8)])
        }
    }

    @Test("a broker that ends by itself: a request was not done, a commit is unknown, files are lost")
    func death() {
        let crash = ProgramFailure.ended(.signalled(11))
        var requests = Self.holding()
        _ = requests.take(.open(path: "/r/a"), 3, isOpen: true, now: 0)
        #expect(requests.ended(1, crash, now: 1) == [Self.told(.ended(crash), 3)])
        #expect(
            requests.take(.commit(handle: 1, mode: 0o600), 4, isOpen: true, now: 2)
                == [Self.told(.lostAfter(crash, path: "/r/new"), 4)])
        var committing = Self.holding()
        _ = committing.take(.commit(handle: 1, mode: 0o600), 3, isOpen: true, now: 0)
        #expect(
            committing.ended(1, crash, now: 1)
                == [Self.told(.commitUnknownAfter(crash, path: "/r/new"), 3)])
    }

    @Test("a root that does not answer when a broker starts is left out, until a path in it is asked for again")
    func silentRoot() {
        var requests = FileRequests(policy: Self.policy, now: 0)
        _ = requests.take(.open(path: "/r/a"), 1, isOpen: true, now: 0)
        _ = requests.take(.open(path: "/mnt/dead/b"), 2, isOpen: true, now: 0)
        _ = requests.take(.open(path: "/mnt/deader/c"), 3, isOpen: true, now: 0)
        #expect(requests.received(.looking(place: 0), 0, from: 1, now: 0) == [])
        #expect(requests.received(.looking(place: 1), 0, from: 1, now: 0) == [])
        #expect(
            requests.advance(now: 10_000) == [
                .kill(1, reason: "no answer in 10 s", place: "/mnt/dead"),
                Self.told(.silent(path: "/mnt/dead/b"), 2), .start(2, leftOut: [1]),
            ])
        _ = requests.received(.ready(landlockABI: 6), 0, from: 2, now: 10_001)
        #expect(
            requests.received(.done, 1, from: 2, now: 10_002)
                == [Self.told(by: 2, 1), .ask(2, .open(path: "/mnt/deader/c"), requestID: 3)])
        _ = requests.received(.done, 3, from: 2, now: 10_003)
        _ = requests.take(.open(path: "/mnt/dead/b"), 4, isOpen: true, now: 10_004)
        #expect(
            requests.received(.rootChanged(root: 1), 4, from: 2, now: 10_005) == [.end(2), .start(3, leftOut: [])])
        #expect(
            requests.received(.ready(landlockABI: 6), 0, from: 3, now: 10_006)
                == [.ask(3, .open(path: "/mnt/dead/b"), requestID: 4)])
    }

    @Test("where the home directory or the daemon's own does not answer, everybody is told which")
    func silentHome() {
        for (place, path) in [(3, "/etc/own"), (4, "/home/u")] as [(UInt32, String)] {
            var requests = FileRequests(policy: Self.policy, now: 0)
            _ = requests.take(.open(path: "/r/a"), 1, isOpen: true, now: 0)
            _ = requests.take(.open(path: "/r/b"), 2, isOpen: true, now: 0)
            #expect(requests.received(.looking(place: place), 0, from: 1, now: 0) == [])
            #expect(
                requests.advance(now: 10_000) == [
                    .kill(1, reason: "no answer in 10 s", place: path), Self.told(.silent(path: path), 1),
                    Self.told(.silent(path: path), 2),
                ])
        }
    }

    @Test("a reload has another broker judge what comes; who holds files names them, with the daemon's own of now")
    func reload() {
        var narrow = Self.policy
        narrow.roots = ["/r/sub"]
        var requests = Self.holding()
        _ = requests.take(.open(path: "/r/a"), 3, isOpen: true, now: 0)
        #expect(requests.configure(narrow, now: 1) == [.update(1)])
        #expect(requests.configure(narrow, now: 1) == [], "the same policy changes nothing")
        // Under way: it is answered by whoever was asked.
        #expect(requests.received(.done, 3, from: 1, now: 2) == [Self.told(by: 1, 3)])
        #expect(requests.take(.open(path: "/r/b"), 4, isOpen: true, now: 3) == [.start(2, leftOut: [])])
        #expect(
            requests.take(.commit(handle: 1, mode: 0o600), 5, isOpen: true, now: 4) == [
                .ask(1, .commit(handle: 1, mode: 0o600), requestID: 5)
            ])
        #expect(requests.received(.done, 5, from: 1, now: 5) == [Self.told(by: 1, 5), .end(1)])
        #expect(requests.ended(1, .ended(.signalled(9)), now: 6) == [])
        var idle = Self.ready()
        #expect(idle.configure(narrow, now: 1) == [.update(1), .end(1)])
    }

    @Test("a root that changes again and again is given up")
    func unsteady() {
        var requests = Self.ready()
        _ = requests.take(.open(path: "/r/a"), 2, isOpen: true, now: 0)
        for broker in 1...2 as ClosedRange<UInt32> {
            #expect(
                requests.received(.rootChanged(root: 0), 2, from: broker, now: 0)
                    == [.end(broker), .start(broker + 1, leftOut: [])])
            _ = requests.received(.ready(landlockABI: 6), 0, from: broker + 1, now: 0)
        }
        #expect(
            requests.received(.rootChanged(root: 0), 2, from: 3, now: 0)
                == [Self.told(.unsteady(path: "/r/a"), 2), .end(3)])
    }

    @Test("an abandon that comes behind the commit of the same file drops nothing")
    func lateAbandon() {
        var requests = Self.holding()
        _ = requests.take(.commit(handle: 1, mode: 0o600), 3, isOpen: true, now: 0)
        #expect(requests.take(.abandon(handle: 1), 0, isOpen: true, now: 0) == [])
        #expect(requests.received(.done, 3, from: 1, now: 0) == [Self.told(by: 1, 3)])
        #expect(requests.take(.abandon(handle: 1), 0, isOpen: true, now: 0) == [])
    }

    @Test("sixteen downloads may be under way, those that are lost included")
    func manyFiles() {
        var requests = Self.ready()
        for id in 2...17 as ClosedRange<UInt32> {
            _ = requests.take(.create(path: "/r/\(id)"), id, isOpen: true, now: 0)
            _ = requests.received(.done, id, from: 1, now: 0)
        }
        #expect(requests.take(.create(path: "/r/x"), 18, isOpen: true, now: 0) == [Self.told(.downloads(16), 18)])
        _ = requests.take(.abandon(handle: 1), 0, isOpen: true, now: 0)
        #expect(requests.received(.done, 0, from: 1, now: 0) == [])
        _ = requests.ended(1, .ended(.signalled(9)), now: 0)
        #expect(requests.take(.create(path: "/r/y"), 19, isOpen: true, now: 0) == [.start(2, leftOut: [])])
        _ = requests.received(.ready(landlockABI: 6), 0, from: 2, now: 0)
        _ = requests.received(.done, 19, from: 2, now: 0)
        #expect(requests.take(.create(path: "/r/z"), 20, isOpen: true, now: 0) == [Self.told(.downloads(16), 20)])
    }

    @Test("requests that wait are bounded in number and in time")
    func bounds() {
        var requests = Self.ready()
        _ = requests.take(.open(path: "/mnt/x/hangs"), 2, isOpen: true, now: 0)
        for id in 0..<UInt32(FileRequests.maximumWaiting) {
            #expect(requests.take(.open(path: "/d\(id)/f"), 100 + id, isOpen: true, now: 0) == [])
        }
        #expect(requests.take(.open(path: "/r/f"), 3, isOpen: true, now: 0) == [Self.told(.tooMany, 3)])
        var actions: [FileRequests.Action] = []
        while let next = requests.nextDeadline {
            let new = requests.advance(now: next)
            actions += new
            for case .start(let broker, _) in new {
                actions += requests.received(.ready(landlockABI: 6), 0, from: broker, now: next) ?? []
            }
        }
        let told = actions.filter { if case .tell = $0 { true } else { false } }
        #expect(told.count == FileRequests.maximumWaiting + 1, "each is told something")
        #expect(actions.count { if case .kill = $0 { true } else { false } } == FileRequests.maximumStuck)
    }

    @Test("no further broker is started while four that were killed do not end; when one does, it goes on")
    func stuck() {
        var requests = FileRequests(policy: Self.policy, now: 0)
        var now = 0
        for broker in 1...4 as ClosedRange<UInt32> {
            #expect(
                requests.take(.open(path: "/x\(broker)/f"), broker, isOpen: true, now: now) == [
                    .start(broker, leftOut: [])
                ])
            _ = requests.received(.ready(landlockABI: 6), 0, from: broker, now: now)
            now += 10_000
            _ = requests.advance(now: now)
        }
        #expect(requests.take(.open(path: "/r/f"), 9, isOpen: true, now: now) == [Self.told(.stuck(4), 9)])
        #expect(requests.ended(2, .ended(.signalled(9)), now: now) == [])
        #expect(requests.take(.open(path: "/r/f"), 10, isOpen: true, now: now) == [.start(5, leftOut: [])])
    }

    @Test("brokers that end again and again are not started faster than once a second after the first eight")
    func restarts() {
        var requests = FileRequests(policy: Self.policy, now: 0)
        for id in 1...8 as ClosedRange<UInt32> {
            #expect(requests.take(.open(path: "/r/f"), id, isOpen: true, now: 0) == [.start(id, leftOut: [])])
            #expect(
                requests.ended(id, .ended(.signalled(9)), now: 0) == [
                    Self.told(.unavailable(.ended(.signalled(9))), id)
                ])
        }
        #expect(requests.take(.open(path: "/r/f"), 9, isOpen: true, now: 0) == [])
        #expect(requests.nextDeadline == 1000)
        #expect(requests.advance(now: 1000) == [.start(9, leftOut: [])])
    }

    @Test(
        "a broker that says what it may not is killed, and nothing that it says later counts",
        arguments: [
            (.ready(landlockABI: 6), 0), (.done, 7), (.refused, 7), (.looking(place: 0), 0), (.rootChanged(root: 0), 7),
            (.rootChanged(root: 99), 2), (.done, 0),
        ] as [(FromFileBroker, UInt32)])
    func violations(message: FromFileBroker, id: UInt32) {
        var requests = Self.ready()
        #expect(requests.received(message, id, from: 1, now: 0) == nil, "idle")
        _ = requests.take(.open(path: "/r/a"), 2, isOpen: true, now: 0)
        #expect(requests.received(message, id, from: 1, now: 0) == nil, "busy")
        #expect(
            requests.violated(1, .outOfTurn, "it lied", now: 0)
                == [.kill(1, reason: "it lied", place: nil), Self.told(.ended(.outOfTurn), 2)])
        #expect(requests.received(message, id, from: 1, now: 0) == [])
        var starting = FileRequests(policy: Self.policy, now: 0)
        _ = starting.take(.open(path: "/r/a"), 2, isOpen: true, now: 0)
        #expect(starting.received(.looking(place: 5), 0, from: 1, now: 0) == nil, "no such place")
        #expect(starting.received(.done, 2, from: 1, now: 0) == nil)
    }

    @Test("when the worker has gone its brokers end, and one that hangs then is killed in its time")
    func close() {
        var requests = Self.holding()
        #expect(requests.close(now: 0) == [.end(1)])
        #expect(!requests.isOver)
        #expect(requests.advance(now: 10_000) == [.kill(1, reason: "no answer in 10 s", place: nil)])
        #expect(requests.ended(1, .ended(.signalled(9)), now: 10_001) == [])
        #expect(requests.isOver)
        var busy = Self.ready()
        _ = busy.take(.open(path: "/r/a"), 2, isOpen: true, now: 0)
        #expect(busy.close(now: 0) == [])
        #expect(busy.received(.done, 2, from: 1, now: 1) == [Self.told(by: 1, 2), .end(1)])
    }
}
