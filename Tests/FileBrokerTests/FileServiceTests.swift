import CLinux
import Glibc
import IPC
import Sandbox
import TestSupport
import Testing

@testable import FileBroker

/// A broker's conversation, on a thread of this process and without its confinement.
@Suite struct FileServiceTests {
    /// The other ends, as the supervisor and the worker have them.
    private final class Broker: @unchecked Sendable {  // each end is used by one thread
        let supervisor: Channel
        let worker: Channel
        private var thread = pthread_t()

        init(_ policy: FilePolicy) throws {
            var requests = try Channel.pair()
            var answers = try Channel.pair()
            guard let own = requests.nonBlocking.take(), let theirs = requests.blocking.take(),
                let receiver = answers.blocking.take(), let sender = answers.nonBlocking.take()
            else { throw IPCError.badValue }
            supervisor = Channel(taking: own)
            worker = Channel(taking: receiver)
            let work = Work(theirs.release(), sender.release())
            pthread_create(
                &thread, nil,
                { argument in
                    guard let argument else { return nil }
                    Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run()
                    return nil
                }, Unmanaged.passRetained(work).toOpaque())
            try supervisor.send(ToFileBroker.setup, descriptor: policy.sealed())
        }

        /// Returns when it has dropped everything.
        func end() {
            supervisor.shutDown()
            pthread_join(thread, nil)
        }

        func told() throws -> (message: FromFileBroker, id: UInt32) {
            while true {
                var waiting = pollfd(fd: supervisor.rawValue, events: Int16(POLLIN), revents: 0)
                guard poll(&waiting, 1, 10_000) == 1 else { throw IPCError.closed }
                if let incoming = try supervisor.receive(FromFileBroker.self) {
                    return (incoming.message, incoming.requestID)
                }
            }
        }

        /// Asks, and gives back both what the supervisor and what the worker is told. The worker's is there by then.
        func ask(
            _ message: ToFileBroker, _ id: UInt32
        ) throws -> (outcome: FromFileBroker, answer: FileAnswer?, file: Int32) {
            try supervisor.send(message, requestID: id)
            let outcome = try told()
            #expect(outcome.id == id)
            var byte: UInt8 = 0
            guard recv(worker.rawValue, &byte, 1, Int32(MSG_DONTWAIT) | Int32(MSG_PEEK)) == 1 else {
                return (outcome.message, nil, -1)
            }
            guard var incoming = try worker.receive(FileAnswer.self) else { return (outcome.message, nil, -1) }
            #expect(incoming.requestID == id)
            let file = incoming.descriptors.take()?.release() ?? -1
            return (outcome.message, incoming.message, file)
        }
    }

    private final class Work {
        let supervisor: Int32
        let worker: Int32

        init(_ supervisor: Int32, _ worker: Int32) { (self.supervisor, self.worker) = (supervisor, worker) }

        func run() {
            var service = FileService(
                supervisor: Channel(taking: OwnedFD(taking: supervisor)),
                worker: Channel(taking: OwnedFD(taking: worker)))
            do {
                let policy = try service.awaitSetup()
                let leftOut = Set(policy.leftOut)
                let roots = policy.roots.map { roots in
                    roots.enumerated().map {
                        leftOut.contains($0.offset) ? LocalRoot(leftOut: $0.element) : LocalRoot($0.element)
                    }
                }
                let rules = LocalRules(roots: roots, home: policy.home, own: OwnPath.all(policy.own))
                try service.tell(.ready(landlockABI: 0))
                try service.run(LocalFiles(rules, allowOverwrite: policy.allowOverwrite))
            } catch {
                Issue.record("the broker ended: \(error)")
            }
        }
    }

    @Test("the worker has its answer, with the descriptor, by the time that the supervisor is told")
    func answers() throws {
        let directory = try TemporaryDirectory()
        let source = try directory.write("in", "content")
        let broker = try Broker(FilePolicy(roots: [directory.path], home: nil))
        defer { broker.end() }
        #expect(try broker.told().message == .ready(landlockABI: 0))
        let opened = try broker.ask(.open(path: source), 7)
        #expect(opened.outcome == .done && opened.answer == .opened(size: 7) && opened.file >= 0)
        close(opened.file)
        let refused = try broker.ask(.open(path: "/etc/passwd"), 8)
        #expect(refused.outcome == .refused && refused.file == -1)
        guard case .refused(rule: "local_roots", let reason)? = refused.answer else {
            Issue.record("\(refused)")
            return
        }
        #expect(reason.contains("/etc/passwd"))
        let created = try broker.ask(.create(handle: 5, path: directory.file("new")), 9)
        #expect(created.answer == .created(handle: 5))
        #expect(write(created.file, "data", 4) == 4)
        close(created.file)
        #expect(access(directory.file("new"), F_OK) != 0)
        #expect(try broker.ask(.commit(handle: 5, mode: 0o600), 10).answer == .committed(path: directory.file("new")))
        #expect(access(directory.file("new"), F_OK) == 0)
        let again = try broker.ask(.commit(handle: 5, mode: 0o600), 11)
        #expect(again.outcome == .refused)
        let dropped = try broker.ask(.abandon(handle: 5), 12)
        #expect(dropped.outcome == .done && dropped.answer == nil)
    }

    @Test("what has no name vanishes when the supervisor has gone")
    func end() throws {
        let directory = try TemporaryDirectory()
        let broker = try Broker(FilePolicy(roots: [directory.path], home: nil))
        _ = try broker.told()
        let created = try broker.ask(.create(handle: 1, path: directory.file("new")), 1)
        close(created.file)
        broker.end()
        #expect(rmdir(directory.path) == 0, "it is not empty")
        mkdir(directory.path, 0o700)
    }

    @Test("an answer that the worker does not get is told as such, and a new file is dropped with it")
    func undelivered() throws {
        let directory = try TemporaryDirectory()
        let broker = try Broker(FilePolicy(roots: [directory.path], home: nil))
        defer { broker.end() }
        _ = try broker.told()
        // The worker reads nothing, until no refusal finds room.
        var outcome = FromFileBroker.refused
        for id in 1...5000 as ClosedRange<UInt32> where outcome == .refused {
            try broker.supervisor.send(ToFileBroker.open(path: "/etc/passwd"), requestID: id)
            outcome = try broker.told().message
        }
        #expect(outcome == .undelivered(errno: UInt32(EAGAIN)))
        for handle in 1...40 as ClosedRange<UInt32> {
            try broker.supervisor.send(
                ToFileBroker.create(handle: handle, path: directory.file("f\(handle)")), requestID: handle)
            #expect(try broker.told().message == .undelivered(errno: UInt32(EAGAIN)))
        }
        var byte: UInt8 = 0
        while recv(broker.worker.rawValue, &byte, 1, Int32(MSG_DONTWAIT)) > 0 {}
        let created = try broker.ask(.create(handle: 50, path: directory.file("more")), 6000)
        #expect(created.outcome == .done && created.answer == .created(handle: 50), "\(created)")
        close(created.file)
    }

    @Test("what others send counts against the limit of a broker, which leaves room for them and for theirs")
    func limit() async {
        await #expect(processExitsWith: .success) {
            try FileConfinement.limits(fileSize: 0).apply()
            var now = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &now)
            exit((512...768).contains(now.rlim_cur) ? 0 : 3)
        }
    }

    @Test("sixteen files and no more are kept")
    func many() throws {
        let directory = try TemporaryDirectory()
        let broker = try Broker(FilePolicy(roots: [directory.path], home: nil))
        defer { broker.end() }
        _ = try broker.told()
        for handle in 1...17 as ClosedRange<UInt32> {
            let created = try broker.ask(.create(handle: handle, path: directory.file("f\(handle)")), handle)
            #expect((created.outcome == .done) == (handle <= 16))
            if created.file >= 0 { close(created.file) }
        }
        _ = try broker.ask(.abandon(handle: 3), 20)
        let created = try broker.ask(.create(handle: 30, path: directory.file("more")), 30)
        #expect(created.outcome == .done)
        close(created.file)
    }

    @Test("a root that was left out, or is another directory by now, is for another broker")
    func roots() throws {
        let directory = try TemporaryDirectory()
        for name in ["a", "b"] { mkdir(directory.file(name), 0o700) }
        var policy = FilePolicy(roots: [directory.file("a"), directory.file("b")], home: nil)
        policy.leftOut = [1]
        let broker = try Broker(policy)
        defer { broker.end() }
        _ = try broker.told()
        #expect(try broker.ask(.open(path: directory.file("b/f")), 1).outcome == .rootChanged(root: 1))
        let created = try broker.ask(.create(handle: 1, path: directory.file("a/f")), 2)
        #expect(created.outcome == .done)
        close(created.file)
        // As an unmounted file system, or one that is mounted there.
        rename(directory.file("a"), directory.file("old"))
        mkdir(directory.file("a"), 0o700)
        #expect(try broker.ask(.create(handle: 2, path: directory.file("a/g")), 3).outcome == .rootChanged(root: 0))
        // What was made stays where it was made.
        #expect(try broker.ask(.commit(handle: 1, mode: 0o600), 4).answer == .committed(path: directory.file("old/f")))
        #expect(access(directory.file("old/f"), F_OK) == 0)
        unlink(directory.file("old/f"))
    }

    @Test("a root that has become a link while a file is under way leads nowhere")
    func linkedRoot() throws {
        let directory = try TemporaryDirectory()
        for name in ["root", "outside"] { mkdir(directory.file(name), 0o700) }
        try directory.write("outside/secret", "s")
        let broker = try Broker(FilePolicy(roots: [directory.file("root")], home: nil))
        defer { broker.end() }
        _ = try broker.told()
        let created = try broker.ask(.create(handle: 1, path: directory.file("root/f")), 1)
        close(created.file)
        rename(directory.file("root"), directory.file("moved"))
        symlink("outside", directory.file("root"))
        for message in [
            .open(path: directory.file("root/secret")), .create(handle: 2, path: directory.file("root/g")),
        ] as [ToFileBroker] {
            let answer = try broker.ask(message, 2)
            #expect(answer.outcome == .refused)
            guard case .refused(rule: "local_roots", _)? = answer.answer else {
                Issue.record("\(answer)")
                continue
            }
        }
        #expect(
            try broker.ask(.commit(handle: 1, mode: 0o600), 3).answer == .committed(path: directory.file("moved/f")))
        #expect(access(directory.file("moved/f"), F_OK) == 0)
        #expect(access(directory.file("outside/f"), F_OK) != 0)
        for name in ["outside/secret", "moved/f", "root"] { unlink(directory.file(name)) }
    }

    @Test("what the daemon lives on by a new policy is not replaced by a file of before")
    func update() throws {
        let directory = try TemporaryDirectory()
        let broker = try Broker(FilePolicy(roots: [directory.path], home: nil))
        defer { broker.end() }
        _ = try broker.told()
        let created = try broker.ask(.create(handle: 1, path: directory.file("log")), 1)
        close(created.file)
        let policy = FilePolicy(
            roots: [], home: nil, own: [.init(directory.file("log"), "the daemon's audit log", beside: .any)])
        try broker.supervisor.send(ToFileBroker.policy, descriptor: policy.sealed())
        guard
            case .refused(rule: "local_roots", let reason)? = try broker.ask(.commit(handle: 1, mode: 0o600), 2).answer
        else {
            Issue.record("it was committed")
            return
        }
        #expect(reason.contains("audit log"))
    }
}
