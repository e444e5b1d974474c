import CLinux
import Foundation
import Glibc
import IPC
import TestSupport
import Testing

@testable import Gate
@testable import Mux

/// A gate at work whose worker has sessions opened by `ssh`, which the tests play, as they play supervisor, worker and masters.
@Suite(.timeLimit(.minutes(1))) struct GateSSHTests {
    // @unchecked: see `error`; the channels are Sendable.
    private final class Scene: @unchecked Sendable {
        let supervisor: Channel
        let worker: Channel
        private let ended = DispatchSemaphore(value: 0)
        // Written before `ended` is signalled, read after it.
        private var error: IPCError?

        init(_ transport: Transport = .ssh) throws {
            var ends = try Channel.pair()
            var requests = try Channel.pair()
            guard let own = ends.nonBlocking.take(), let theirs = ends.blocking.take(),
                let gateEnd = requests.nonBlocking.take(), let workerEnd = requests.blocking.take()
            else { throw IPCError.closed }
            for end in [own.rawValue, workerEnd.rawValue] {
                _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) & ~O_NONBLOCK)
                var limit = timeval(tv_sec: 20, tv_usec: 0)
                setsockopt(end, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            }
            supervisor = Channel(taking: own)
            worker = Channel(taking: workerEnd)
            let service = try GateService(supervisor: Channel(taking: theirs), worker: Channel(taking: gateEnd))
            let hosts = ["a", "b"].map { name in
                var host = PolicySnapshot.Host(name: name, socket: "/\(name)", user: "u", host: "h")
                host.capabilities.exec = true
                host.capabilities.fileRead = true
                host.capabilities.fileWrite = true
                return host
            }
            // The policy may be newer than the worker, and have another one.
            let policy = PolicySnapshot(hosts: hosts, defaultHost: "a", transport: transport == .ssh ? .mux : .ssh)
            try supervisor.send(ToGate.setup(policy: 1, transport: transport), descriptor: policy.sealed())
            nonisolated(unsafe) let gate = service
            Thread.detachNewThread { [self] in
                do throws(IPCError) {
                    _ = try gate.awaitSetup()
                    try gate.run(landlockABI: 5)
                } catch {
                    self.error = error
                }
                ended.signal()
            }
            #expect(try fromGate().message == .ready(landlockABI: 5))
            guard case .ready = try answer().message else { throw IPCError.badValue }
        }

        func fromGate() throws -> (message: FromGate, id: UInt32) {
            guard let incoming = try supervisor.receive(FromGate.self) else { throw IPCError.truncated }
            return (incoming.message, incoming.requestID)
        }

        func answer() throws -> (message: GateAnswer, id: UInt32) {
            guard let incoming = try worker.receive(GateAnswer.self) else { throw IPCError.truncated }
            return (incoming.message, incoming.requestID)
        }

        /// Asks for a ticket for files of a host.
        func ticket(_ host: String = "a", _ id: UInt32 = 7) throws -> String {
            let access = FileAccess(writes: true, base: nil)
            try worker.send(GateRequest.ticket(TicketRequest(.sftp(host: host, access))), requestID: id)
            let (message, answered) = try answer()
            guard case .ticket(let ticket) = message, answered == id else { throw IPCError.badValue }
            return ticket
        }

        /// Connects an ssh of the worker.
        func ssh() throws -> FakeSSH {
            let ssh = try FakeSSH()
            try supervisor.send(ToGate.sshConnection, descriptor: ssh.takeGateEnd())
            // It may ask for a connection to a master meanwhile.
            while try fromGate().message != .sshConnected {}
            return ssh
        }

        /// Waits for the gate to ask for a connection, and gives it one to a new master, which opens the session with these pipes.
        func open(host: UInt32) throws -> FakeMaster {
            let (message, id) = try fromGate()
            switch message {
            case .connect(let asked, 1), .open(_, let asked, 1): #expect(asked == host)
            case .connect, .open, .admit, .refused, .ready, .opened, .violation, .forward, .sshConnected, .policyTaken:
                Issue.record("\(message)")
            }
            let master = try FakeMaster()
            try supervisor.send(ToGate.connected, requestID: id, descriptor: master.takeLinkEnd())
            #expect(try master.message() == [0, 0, 0, 1, 0, 0, 0, 4], "HELLO, version 4")
            try master.say(.hello(version: 4))
            return master
        }

        /// Waits until the gate has told of a violation of the worker.
        func violation() throws -> WorkerViolation? {
            while true {
                switch try fromGate().message {
                case .violation(let what): return what
                case .sshConnected, .connect, .open, .admit, .refused, .opened: continue
                case .ready, .forward, .policyTaken: return nil
                }
            }
        }

        func end() throws -> IPCError? {
            supervisor.shutDown()
            try #require(ended.wait(timeout: .now() + 20) == .success)
            return error
        }
    }

    @Test
    func `an ssh with its ticket has the session of its request, at the master of its host, and hears how it ends`()
        throws
    {
        let scene = try Scene()
        let ticket = try scene.ticket("b")
        let ssh = try scene.ssh()
        let pipes = try SessionPipes()
        try ssh.ask(ticket, isSubsystem: true, pipes.takeNumbers())
        #expect(try ssh.reply() == .hello(version: 4))
        #expect(try ssh.reply() == .alive(request: 1, masterPID: UInt32(getpid())))
        let master = try scene.open(host: 1)
        let request = try master.message()
        #expect(
            request == Array(MuxRequest.newSession(request: 1, try session("sftp", isSubsystem: true)).encoded()[4...]),
            "the name of the subsystem, and not the ticket")
        for _ in 0..<2 { _ = try master.descriptor() }
        _ = try master.descriptor()
        try master.say(.sessionOpened(request: 1, session: 4))
        #expect(try scene.fromGate().message == .opened(.sftp, host: 1, policy: 1))
        #expect(try scene.answer() == (.opened, 7))
        #expect(try ssh.reply() == .sessionOpened(request: 2, session: 7))
        try master.say(.exitMessage(session: 4, status: 5))
        #expect(try scene.answer() == (.exited(status: 5), 7))
        #expect(try ssh.reply() == .exitMessage(session: 7, status: 5))
        master.close()
        #expect(try scene.answer() == (.ended, 7))
        #expect(ssh.isClosed)
        #expect(try scene.end() == nil)
    }

    @Test func `a session that is refused is refused to its ssh as well, and the next ticket is good`() throws {
        let scene = try Scene()
        for id in UInt32(1)...3 {
            let ticket = try scene.ticket("a", id)
            let ssh = try scene.ssh()
            try ssh.ask(ticket, isSubsystem: true, SessionPipes().takeNumbers())
            let master = try scene.open(host: 0)
            _ = try master.message()
            for _ in 0..<3 { _ = try master.descriptor() }
            try master.say(.failure(request: 1, reason: "Session open refused by peer"))
            #expect(try scene.answer() == (.notOpened(.byHost), id))
            _ = try ssh.reply()
            _ = try ssh.reply()
            #expect(try ssh.reply() == .failure(request: 2, reason: "the session was not opened"))
            #expect(ssh.isClosed)
        }
        #expect(try scene.end() == nil)
    }

    @Test func `an ssh that goes takes its session with it, before and after it is open`() throws {
        let scene = try Scene()
        for (id, isOpen) in [(UInt32(1), false), (2, true)] {
            let ticket = try scene.ticket("a", id)
            let ssh = try scene.ssh()
            try ssh.ask(ticket, isSubsystem: true, SessionPipes().takeNumbers())
            let master = try scene.open(host: 0)
            _ = try master.message()
            for _ in 0..<3 { _ = try master.descriptor() }
            if isOpen {
                try master.say(.sessionOpened(request: 1, session: 4))
                #expect(try scene.answer() == (.opened, id))
                _ = try scene.fromGate()
            }
            ssh.close()
            let last: GateAnswer = isOpen ? .ended : .notOpened(.closed(wasAsked: true))
            #expect(try scene.answer() == (last, id))
            #expect(throws: IPCError.closed) { try master.bytes(1) }
        }
        #expect(try scene.end() == nil)
    }

    @Test func `a ticket whose request was closed opens nothing, and nobody is blamed`() throws {
        let scene = try Scene()
        let ticket = try scene.ticket()
        try scene.worker.send(GateRequest.close, requestID: 7)
        #expect(try scene.answer() == (.notOpened(.closed(wasAsked: false)), 7))
        let ssh = try scene.ssh()
        try ssh.ask(ticket, isSubsystem: true, SessionPipes().takeNumbers())
        _ = try ssh.reply()
        _ = try ssh.reply()
        #expect(try ssh.reply() == .failure(request: 2, reason: "the request of this ticket has ended"))
        #expect(ssh.isClosed)
        // It is heard as before.
        _ = try scene.ticket("a", 8)
        #expect(try scene.end() == nil)
    }

    /// What an ssh says after its greeting, and the violation that it is.
    private static let hostile: [(name: String, bytes: [UInt8], what: WorkerViolation)] =
        RefusedRequest.allCases.map {
            ("\($0)", ([UInt8].fields($0.rawValue, 1) + .text("x") + .fields(1)).framed, .mux)
        }
        + [
            ("an unknown request", [UInt8].fields(0x1000_00FF, 1).framed, .mux),
            ("a reply", MuxReply.ok(request: 1).encoded(), .mux),
            ("no protocol", Array("GET / HTTP/1.1\r\n".utf8), .mux),
            ("a length without end", [0xFF, 0xFF, 0xFF, 0xFF], .mux), ("a short message", [0, 0, 0, 2, 0, 0], .mux),
        ]

    @Test(arguments: hostile.indices)
    func `what no ssh asks that opens a session ends the worker`(index: Int) throws {
        let (name, bytes, what) = Self.hostile[index]
        let scene = try Scene()
        _ = try scene.ticket()
        let other = try scene.ssh()
        let ssh = try scene.ssh()
        try ssh.send(FakeSSH.hello + bytes)
        #expect(try scene.violation() == what, "\(name)")
        #expect(ssh.isClosed && other.isClosed)
        // It gets nothing any more.
        let late = try FakeSSH()
        try scene.supervisor.send(ToGate.sshConnection, descriptor: late.takeGateEnd())
        #expect(try scene.fromGate().message == .sshConnected)
        #expect(late.isClosed)
        #expect(try scene.end() == nil)
    }

    @Test func `a ticket that was not given ends the worker, and so does one that is shown twice`() throws {
        for shows in [["0123456789abcdefghij"], ["id"], [nil, nil]] as [[String?]] {
            let scene = try Scene()
            let ticket = try scene.ticket()
            var kept: [FakeSSH] = []
            for shown in shows {
                let ssh = try scene.ssh()
                try ssh.ask(shown ?? ticket, isSubsystem: true, SessionPipes().takeNumbers())
                kept.append(ssh)
            }
            #expect(try scene.violation() == .ticket, "\(shows)")
            for ssh in kept { #expect(ssh.isClosed) }
            #expect(try scene.end() == nil)
        }
    }

    @Test func `descriptors that are no pipes end the worker, and so do too few or too many with a byte`() throws {
        for kind in ["socket", "file", "two", "none"] {
            let scene = try Scene()
            let ticket = try scene.ticket()
            let ssh = try scene.ssh()
            let pipes = try SessionPipes().takeNumbers()
            let null = open("/dev/null", O_RDWR | O_CLOEXEC)
            defer { close(null) }
            switch kind {
            case "socket": try ssh.ask(ticket, isSubsystem: true, pipes.dropLast() + [scene.worker.rawValue])
            case "file": try ssh.ask(ticket, isSubsystem: true, pipes.dropLast() + [null])
            case "two":
                try ssh.ask(ticket, isSubsystem: true, [])
                try ssh.send([0], [pipes[0], pipes[1]])
            default:
                try ssh.ask(ticket, isSubsystem: true, [])
                try ssh.send([0])
            }
            let what = try scene.violation()
            #expect(what == (kind == "socket" || kind == "file" ? .descriptor : .mux), "\(kind)")
            #expect(try scene.end() == nil)
        }
    }

    @Test func `a worker keeps to its transport`() throws {
        let scene = try Scene()
        let pipes = try SessionPipes().takeNumbers()
        let access = FileAccess(writes: true, base: nil)
        try scene.worker.send(
            GateRequest.sftp(host: "a", access), requestID: 1,
            descriptors: PassedDescriptors(
                OwnedFD(taking: pipes[0]), OwnedFD(taking: pipes[1]), OwnedFD(taking: pipes[2])))
        #expect(try scene.violation() == .transport)
        #expect(try scene.end() == nil)
        let other = try Scene(.mux)
        try other.worker.send(GateRequest.ticket(TicketRequest(.sftp(host: "a", access))), requestID: 1)
        #expect(try other.violation() == .transport)
        #expect(try other.end() == nil)
    }

    @Test func `more connections than sessions can have end the worker`() throws {
        let scene = try Scene()
        let kept = try (0..<SSHSide.maximum).map { _ in try scene.ssh() }
        let more = try FakeSSH()
        try scene.supervisor.send(ToGate.sshConnection, descriptor: more.takeGateEnd())
        #expect(try scene.violation() == .connections)
        for ssh in kept { #expect(ssh.isClosed) }
        #expect(try scene.end() == nil)
    }
}
