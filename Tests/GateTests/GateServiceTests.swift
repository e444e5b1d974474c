import CLinux
import Foundation
import Glibc
import IPC
import Mux
import Testing

@testable import Gate

/// The gate's loop between a supervisor, a worker and masters that the tests play.
@Suite(.timeLimit(.minutes(1))) struct GateServiceTests {
    /// A gate at work on a thread of its own.
    // @unchecked: see `error`; the channels are Sendable.
    private final class Scene: @unchecked Sendable {
        let supervisor: Channel
        let worker: Channel
        /// What the nonces of commands begin with.
        private(set) var mark = ""
        private let ended = DispatchSemaphore(value: 0)
        // Written before `ended` is signalled, read after it.
        private var error: IPCError?

        init(_ hosts: [String: String]) throws {
            var ends = try Channel.pair()
            var requests = try Channel.pair()
            guard let own = ends.nonBlocking.take(), let theirs = ends.blocking.take(),
                let gateEnd = requests.nonBlocking.take(), let workerEnd = requests.blocking.take()
            else { throw IPCError.closed }
            // What does not come fails the test instead of stopping it.
            for end in [own.rawValue, workerEnd.rawValue] {
                _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) & ~O_NONBLOCK)
                var limit = timeval(tv_sec: 20, tv_usec: 0)
                setsockopt(end, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            }
            supervisor = Channel(taking: own)
            worker = Channel(taking: workerEnd)
            let service = try GateService(supervisor: Channel(taking: theirs), worker: Channel(taking: gateEnd))
            try supervisor.send(ToGate.setup(policy: 1), descriptor: Self.sealed(hosts))
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
            guard case .ready(let mark) = try answer().message else { throw IPCError.badValue }
            self.mark = mark
        }

        static func sealed(_ hosts: [String: String]) throws -> OwnedFD {
            let all = hosts.map { name, socket in
                var host = PolicySnapshot.Host(name: name, socket: socket, user: "u", host: "h")
                host.capabilities.fileRead = true
                host.capabilities.fileWrite = true
                return host
            }
            return try PolicySnapshot(hosts: all, defaultHost: "a").sealed()
        }

        func fromGate() throws -> (message: FromGate, id: UInt32) {
            guard let incoming = try supervisor.receive(FromGate.self) else { throw IPCError.truncated }
            return (incoming.message, incoming.requestID)
        }

        func answer() throws -> (message: GateAnswer, id: UInt32) {
            guard let incoming = try worker.receive(GateAnswer.self) else { throw IPCError.truncated }
            return (incoming.message, incoming.requestID)
        }

        /// Asks for a session with the files of a host, over these three descriptors.
        func openFiles(
            _ host: String, _ id: UInt32, _ numbers: [Int32], _ access: FileAccess = FileAccess(writes: true, base: nil)
        ) throws {
            try #require(numbers.count == 3)
            let descriptors = PassedDescriptors(
                OwnedFD(taking: numbers[0]), OwnedFD(taking: numbers[1]), OwnedFD(taking: numbers[2]))
            try worker.send(GateRequest.sftp(host: host, access), requestID: id, descriptors: descriptors)
        }

        func ask(_ host: String, _ id: UInt32) throws(IPCError) {
            try worker.send(GateRequest.alive(host: host), requestID: id)
        }

        /// Waits for the gate to ask for a connection, and gives it one to a new master.
        func connect(policy: UInt32 = 1, host: UInt32 = 0) throws -> FakeMaster {
            let (message, id) = try fromGate()
            switch message {
            case .connect(let asked, let number), .open(_, let asked, let number):
                #expect(asked == host && number == policy)
            case .ready, .admit, .refused, .opened, .violation, .forward, .sshConnected, .policyTaken:
                Issue.record("\(message)")
            }
            let master = try FakeMaster()
            try supervisor.send(ToGate.connected, requestID: id, descriptor: master.takeLinkEnd())
            return master
        }

        /// How the gate ended, which must be soon; nil for an orderly end.
        func end() throws -> IPCError? {
            try #require(ended.wait(timeout: .now() + 20) == .success)
            return error
        }
    }

    @Test func `a master is greeted and asked, and its answer reaches the worker`() throws {
        let scene = try Scene(["a": "/a"])
        for round in UInt32(1)...3 {
            try scene.ask("a", 100 + round)
            let master = try scene.connect()
            #expect(try master.message() == [0, 0, 0, 1, 0, 0, 0, 4], "HELLO, version 4")
            try master.say(.hello(version: 4))
            #expect(try master.message() == [0x10, 0, 0, 4, 0, 0, 0, 1], "ALIVE_CHECK")
            try master.say(.alive(request: 1, masterPID: 4711 + round))
            let (message, id) = try scene.answer()
            #expect(message == .master(.alive(masterPID: 4711 + round)) && id == 100 + round)
            // The connection is closed when nothing more is asked over it.
            #expect(throws: IPCError.closed) { try master.bytes(1) }
        }
        scene.supervisor.shutDown()
        #expect(try scene.end() == nil)
    }

    /// What a master may say instead, in one piece and byte by byte.
    private static let strange: [(String, [UInt8], MasterDown)] = [
        ("nothing", [], .closed), ("no protocol", Array("HTTP/1.1 400\r\n\r\n".utf8), .noMaster),
        ("a length without end", [0xFF, 0xFF, 0xFF, 0xFF], .noMaster),
        ("a part of a message", [0, 0, 0, 8, 0], .noMaster),
        ("another version", MuxReply.hello(version: 5).encoded(), .otherVersion(5)),
        ("the end after its greeting", MuxReply.hello(version: 4).encoded(), .closed),
        (
            "an answer to another request",
            MuxReply.hello(version: 4).encoded() + MuxReply.alive(request: 2, masterPID: 1).encoded(), .noMaster
        ),
        (
            "another answer", MuxReply.hello(version: 4).encoded() + MuxReply.ok(request: 1).encoded(), .noMaster
        ),
        (
            "a refusal", MuxReply.hello(version: 4).encoded() + MuxReply.failure(request: 1, reason: "no").encoded(),
            .noMaster
        ),
        (
            "an end in the middle of its answer",
            MuxReply.hello(version: 4).encoded() + MuxReply.alive(request: 1, masterPID: 1).encoded().dropLast(),
            .noMaster
        ),
    ]

    @Test(arguments: 0..<10, [false, true])
    func `what is no ControlMaster is told apart, however it comes`(index: Int, isSplit: Bool) throws {
        let (name, bytes, down) = Self.strange[index]
        let scene = try Scene(["a": "/a"])
        try scene.ask("a", 1)
        let master = try scene.connect()
        if isSplit {
            // The gate may have heard enough before the last of them, and left.
            for byte in bytes where !master.sends([byte]) { break }
        } else {
            #expect(master.sends(bytes))
        }
        // What is left unread would be a reset, and no orderly end.
        _ = try? master.message()
        if bytes.starts(with: MuxReply.hello(version: 4).encoded()) { _ = try? master.message() }
        master.close()
        #expect(try scene.answer().message == .master(.down(down)), "\(name)")
        scene.supervisor.shutDown()
        #expect(try scene.end() == nil)
    }

    @Test func `a silent master costs its askers two seconds, and nobody else`() throws {
        let scene = try Scene(["a": "/a", "b": "/b"])
        let start = ContinuousClock.now
        try scene.ask("a", 1)
        let silent = try scene.connect()
        try scene.ask("b", 2)
        let master = try scene.connect(host: 1)
        _ = try master.message()
        try master.say(.hello(version: 4))
        _ = try master.message()
        try master.say(.alive(request: 1, masterPID: 5))
        let first = try scene.answer()
        #expect(first.message == .master(.alive(masterPID: 5)) && first.id == 2)
        #expect(ContinuousClock.now - start < .milliseconds(MasterDown.patience))
        let second = try scene.answer()
        #expect(second.message == .master(.down(.hung)) && second.id == 1)
        #expect(ContinuousClock.now - start >= .milliseconds(MasterDown.patience))
        _ = try silent.message()
        #expect(throws: IPCError.closed) { try silent.bytes(1) }
    }

    @Test func `a supervisor that says nothing costs no more either, and its late connection is dropped`() throws {
        let scene = try Scene(["a": "/a"])
        try scene.ask("a", 1)
        let (_, id) = try scene.fromGate()
        #expect(try scene.answer().message == .master(.down(.hung)))
        let late = try FakeMaster()
        try scene.supervisor.send(ToGate.connected, requestID: id, descriptor: late.takeLinkEnd())
        #expect(throws: IPCError.closed) { try late.bytes(1) }
        try scene.ask("a", 2)
        _ = try scene.connect()
    }

    @Test func `a new policy counts from the next question on`() throws {
        let scene = try Scene(["a": "/a"])
        try scene.supervisor.send(ToGate.policy(2), descriptor: Scene.sealed(["b": "/b", "c": "/c"]))
        #expect(try scene.fromGate().message == .policyTaken(2))
        try scene.ask("c", 1)
        let master = try scene.connect(policy: 2, host: 1)
        _ = try master.message()
        try scene.ask("a", 2)
        let gone = try scene.answer()
        #expect(gone.message == .master(.down(.noHost)) && gone.id == 2)
    }

    @Test func `a worker that does not read its answers holds up itself`() throws {
        let scene = try Scene(["a": "/a"])
        // Each is answered at once. What its channel does not hold waits, and no further one is read.
        try #require(fcntl(scene.worker.rawValue, F_SETFL, O_NONBLOCK) == 0)
        var sent: UInt32 = 0
        var stalls = 0
        while stalls < 200 {
            do throws(IPCError) {
                try scene.ask("x", sent)
                sent += 1
                stalls = 0
            } catch {
                #expect(error == .system(call: "sendmsg", errno: EAGAIN))
                stalls += 1
                usleep(1000)
            }
        }
        #expect(sent > 64)
        try #require(fcntl(scene.worker.rawValue, F_SETFL, 0) == 0)
        for id in 0..<sent {
            let answer = try scene.answer()
            #expect(answer.message == .master(.down(.noHost)) && answer.id == id)
        }
        scene.supervisor.shutDown()
        #expect(try scene.end() == nil)
    }

    @Test func `a worker that has gone ends nothing, the supervisor does`() throws {
        let scene = try Scene(["a": "/a"])
        try scene.ask("a", 1)
        let master = try scene.connect()
        scene.worker.shutDown()
        _ = try master.message()
        try master.say(.hello(version: 4))
        _ = try master.message()
        try master.say(.alive(request: 1, masterPID: 5))
        #expect(throws: IPCError.closed) { try master.bytes(1) }
        scene.supervisor.shutDown()
        #expect(try scene.end() == nil)
    }

    @Test func `whoever breaks the protocol ends the gate`() throws {
        func end(_ body: (Scene) throws -> Void) throws -> IPCError? {
            let scene = try Scene(["a": "/a"])
            try body(scene)
            return try scene.end()
        }
        #expect(try end { try $0.supervisor.send(ToGate.notConnected(.hung), requestID: 1) } == .badValue)
        #expect(
            try end { try $0.supervisor.send(ToGate.setup(policy: 2), descriptor: Scene.sealed(["a": "/a"])) }
                == .badValue)
        #expect(
            try end { try $0.supervisor.send(ToGate.connected, requestID: 9, descriptor: FakeMaster().takeLinkEnd()) }
                == .badValue)
    }

    @Test func `a worker that breaks the protocol is told of, heard no more, and loses its sessions`() throws {
        func violation(_ body: (Scene) throws -> Void) throws -> WorkerViolation? {
            let scene = try Scene(["a": "/a", "b": "/b"])
            let pipes = try SessionPipes()
            try scene.openFiles("a", 1, pipes.takeNumbers())
            let master = try scene.connect()
            _ = try master.message()
            try body(scene)
            guard case .violation(let what) = try scene.fromGate().message else { return nil }
            #expect(throws: IPCError.closed) { try master.bytes(1) }
            try scene.ask("b", 9)
            scene.supervisor.shutDown()
            #expect(try scene.end() == nil)
            return what
        }
        let garbage: [UInt8] = [9, 9, 9, 9, 9, 9, 9, 9]
        #expect(try violation { _ = send($0.worker.rawValue, garbage, garbage.count, 0) } == .message)
        // An answer is no request, and a request has as many descriptors as it says.
        #expect(try violation { try $0.worker.send(GateAnswer.master(.alive(masterPID: 1))) } == .message)
        #expect(
            try violation {
                let packet = try GateRequest.sftp(host: "a", FileAccess(writes: true, base: nil)).encoded(requestID: 2)
                _ = send($0.worker.rawValue, packet, packet.count, 0)
            } == .message)
        #expect(
            try violation {
                let packet = try GateRequest.alive(host: "a").encoded(requestID: 2)
                let pipes = try SessionPipes().takeNumbers()
                _ = csd_send_message($0.worker.rawValue, packet, packet.count, pipes, 1)
            } == .message)
        #expect(try violation { try $0.openFiles("a", 1, SessionPipes().takeNumbers()) } == .number)
        for place in 0..<3 {
            for kind in 0..<4 {
                var numbers = try SessionPipes().takeNumbers()
                close(numbers[place])
                var ends: [Int32] = [-1, -1]
                switch kind {
                case 0: #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
                case 1: ends[0] = open("/dev/null", O_RDWR)
                case 2: ends[0] = open("/tmp", O_RDONLY | O_DIRECTORY)
                default: ends[0] = open("/proc/self/exe", O_RDONLY)
                }
                numbers[place] = ends[0]
                #expect(try violation { try $0.openFiles("a", 2, numbers) } == .descriptor, "\(place) \(kind)")
                if ends[1] >= 0 { close(ends[1]) }
            }
        }
    }

    @Test func `a session's pipes reach the master, and its words the worker`() throws {
        let scene = try Scene(["a": "/a"])
        let pipes = try SessionPipes()
        try scene.openFiles("a", 77, pipes.takeNumbers())
        let master = try scene.connect()
        _ = try master.message()
        try master.say(.hello(version: 4))
        let request = try master.message()
        #expect(request.starts(with: [0x10, 0, 0, 2, 0, 0, 0, 1]) && request.suffix(4) == Array("sftp".utf8)[...])
        do {
            let input = try master.descriptor()
            let output = try master.descriptor()
            _ = try master.descriptor()
            pipes.feed(7)
            var byte: UInt8 = 0
            #expect(read(input.rawValue, &byte, 1) == 1 && byte == 7)
            byte = 8
            #expect(write(output.rawValue, &byte, 1) == 1)
            #expect(pipes.outputByte() == 8)
        }
        // Nobody else has them: the gate has closed its own.
        #expect(pipes.isOutputClosed && pipes.isInputClosed)
        try master.say(.sessionOpened(request: 1, session: 5))
        #expect(try scene.fromGate().message == .opened(.sftp, host: 0, policy: 1))
        #expect(try scene.answer().message == .opened)
        try master.say(.exitMessage(session: 5, status: 3))
        let exit = try scene.answer()
        #expect(exit.message == .exited(status: 3) && exit.id == 77)
        master.close()
        let end = try scene.answer()
        #expect(end.message == .ended && end.id == 77)
    }

    @Test func `a session goes over the connection of the question before it, once the supervisor has admitted it`()
        throws
    {
        let scene = try Scene(["a": "/a"])
        // On a busy machine the connection may have been closed by then.
        for round in UInt32(1)...100 {
            let pipes = try SessionPipes()
            try scene.ask("a", round)
            let master = try scene.connect()
            _ = try master.message()
            try master.say(.hello(version: 4))
            _ = try master.message()
            try master.say(.alive(request: 1, masterPID: 5))
            #expect(try scene.answer().message == .master(.alive(masterPID: 5)))
            try scene.openFiles("a", 1000 + round, pipes.takeNumbers())
            let (message, id) = try scene.fromGate()
            guard case .admit(let report, policy: 1) = message else {
                try scene.supervisor.send(ToGate.notConnected(.hung), requestID: id)
                #expect(try scene.answer().message == .notOpened(.down(.hung)))
                continue
            }
            #expect(report == GateReport(host: "a", call: 0, .files(writes: true)))
            #expect(
                try master.message() == [0x10, 0, 0, 4, 0, 0, 0, 2], "ALIVE_CHECK, and no session before both answers")
            try master.say(.alive(request: 2, masterPID: 5))
            try scene.supervisor.send(ToGate.noted, requestID: id)
            #expect(try master.message().starts(with: [0x10, 0, 0, 2, 0, 0, 0, 3]), "NEW_SESSION")
            for _ in 0..<3 { _ = try master.descriptor() }
            try master.say(.sessionOpened(request: 3, session: 5))
            #expect(try scene.fromGate().message == .opened(.sftp, host: 0, policy: 1))
            #expect(try scene.answer().message == .opened)
            master.close()
            #expect(try scene.answer().message == .ended)
            return
        }
        Issue.record("the connection was never there")
    }

    /// An SFTP packet.
    private static func packet(_ type: UInt8, id: UInt32?, _ fields: [[UInt8]], rest: [UInt8] = []) -> [UInt8] {
        func number(_ value: Int) -> [UInt8] { (0..<4).reversed().map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
        let body =
            [type] + (id.map { number(Int($0)) } ?? []) + fields.flatMap { number($0.count) + $0 } + rest
        return number(body.count) + body
    }

    private static let greeting = packet(1, id: nil, [], rest: [0, 0, 0, 3])

    @Test
    func
        `where the policy is narrow requests are judged on their way, and a full pipe holds up the worker`()
        throws
    {
        signal(SIGPIPE, SIG_IGN)
        let scene = try Scene(["a": "/a"])
        let pipes = try SessionPipes()
        try scene.openFiles("a", 7, pipes.takeNumbers(), FileAccess(writes: false, base: "/srv"))
        let master = try scene.connect()
        _ = try master.message()
        try master.say(.hello(version: 4))
        _ = try master.message()
        let input = try master.descriptor()
        _ = try master.descriptor()
        _ = try master.descriptor()
        // More than both pipes and the gate hold.
        let stat = Self.packet(17, id: 5, [Array("/srv/file".utf8)])
        let sent = Self.greeting + (0..<40_000).flatMap { _ in stat }
        let writing = DispatchSemaphore(value: 0)
        nonisolated(unsafe) let worker = pipes
        Thread.detachNewThread {
            worker.feed(sent)
            writing.signal()
        }
        #expect(writing.wait(timeout: .now() + .milliseconds(200)) == .timedOut, "nobody reads")
        var came: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while came.count < sent.count {
            let count = read(input.rawValue, &buffer, buffer.count)
            try #require(count > 0)
            came += buffer[..<count]
        }
        #expect(came == sent)
        #expect(writing.wait(timeout: .now() + 20) == .success)
        // The end of the worker's requests is the end of the session's input.
        pipes.closeInput()
        #expect(read(input.rawValue, &buffer, 1) == 0)
    }

    @Test(arguments: [1, 4096, 65_536])
    func `content of any length passes unchanged between what is judged, however slowly it is read`(step: Int) throws {
        signal(SIGPIPE, SIG_IGN)
        let scene = try Scene(["a": "/a"])
        let pipes = try SessionPipes()
        try scene.openFiles("a", 7, pipes.takeNumbers(), FileAccess(writes: true, base: "/srv"))
        let master = try scene.connect()
        _ = try master.message()
        try master.say(.hello(version: 4))
        _ = try master.message()
        let input = try master.descriptor()
        _ = try master.descriptor()
        _ = try master.descriptor()
        let lengths = step == 1 ? [0, 1, 5, 4055, 4056, 9000] : [0, 1, 4095, 4096, 4097, 32_768, 65_536, 250_000, 3]
        var sent = Self.greeting
        for (index, length) in lengths.enumerated() {
            let content = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ index) }
            sent += Self.packet(
                6, id: 5, [[1]],
                rest: [UInt8](repeating: 0, count: 8)
                    + (0..<4).reversed().map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
                    + content)
            sent += Self.packet(17, id: 5, [Array("/srv/file".utf8)])
        }
        nonisolated(unsafe) let worker = pipes
        let bytes = sent
        Thread.detachNewThread { worker.feed(bytes) }
        var came: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: step)
        while came.count < sent.count {
            let count = read(input.rawValue, &buffer, step)
            try #require(count > 0)
            came += buffer[..<count]
        }
        #expect(came == sent)
        pipes.closeInput()
        #expect(read(input.rawValue, &buffer, 1) == 0)
    }

    @Test(arguments: [
        (packet(18, id: 1, [Array("/srv/a".utf8), Array("/srv/b".utf8)]), WorkerViolation.request),
        (packet(13, id: 1, [Array("/srv/a".utf8)]), .writing),
        (packet(3, id: 1, [Array("/srv/a".utf8)], rest: [0, 0, 0, 0x1A, 0, 0, 0, 0]), .writing),
        (packet(17, id: 1, [Array("/etc/passwd".utf8)]), .outside),
        (packet(16, id: 1, [Array("/srv/../etc".utf8)]), .outside),
        (packet(17, id: 1, [Array("/srvx".utf8)]), .outside), ([0xFF, 0xFF, 0xFF, 0xFF, 0xFF], .request),
        (greeting, .request), (packet(200, id: 1, [Array("copy-data".utf8)]), .request),
    ])
    func `a request that the policy does not allow never reaches the master, and the worker is told of`(
        request: [UInt8], violation: WorkerViolation
    ) throws {
        signal(SIGPIPE, SIG_IGN)
        let scene = try Scene(["a": "/a"])
        let pipes = try SessionPipes()
        try scene.openFiles("a", 7, pipes.takeNumbers(), FileAccess(writes: false, base: "/srv"))
        let master = try scene.connect()
        _ = try master.message()
        try master.say(.hello(version: 4))
        _ = try master.message()
        let input = try master.descriptor()
        _ = try master.descriptor()
        _ = try master.descriptor()
        pipes.feed(Self.greeting)
        var buffer = [UInt8](repeating: 0, count: 4096)
        #expect(read(input.rawValue, &buffer, buffer.count) == Self.greeting.count)
        pipes.feed(request)
        #expect(try scene.fromGate().message == .violation(violation))
        #expect(read(input.rawValue, &buffer, buffer.count) == 0, "nothing of it, and the end")
        #expect(throws: IPCError.closed) { try master.bytes(1) }
    }

    /// In a process of its own, whose time is the gate's.
    @Test func `a worker that keeps its end of a judged pipe does not keep the gate busy`() async {
        await #expect(processExitsWith: .success) {
            signal(SIGPIPE, SIG_IGN)
            let scene = try Scene(["a": "/a"])
            let pipes = try SessionPipes()
            let numbers = pipes.takeNumbers()
            let kept = OwnedFD(taking: dup(numbers[0]))
            try scene.openFiles("a", 7, numbers, FileAccess(writes: false, base: nil))
            let master = try scene.connect()
            _ = try master.message()
            try master.say(.hello(version: 4))
            _ = try master.message()
            for _ in 0..<3 { _ = try master.descriptor() }
            try scene.worker.send(GateRequest.close, requestID: 7)
            #expect(try scene.answer().message == .notOpened(.closed(wasAsked: true)))
            // It would be told of these again and again.
            pipes.feed([1, 2, 3])
            let before = clock()
            usleep(300_000)
            #expect(clock() - before < CLOCKS_PER_SEC / 10)
            withExtendedLifetime(kept.rawValue) {}
        }
    }

    @Test func `closing a session closes its connection to the master`() throws {
        let scene = try Scene(["a": "/a"])
        let pipes = try SessionPipes()
        try scene.openFiles("a", 1, pipes.takeNumbers())
        let master = try scene.connect()
        _ = try master.message()
        try scene.worker.send(GateRequest.close, requestID: 1)
        #expect(try scene.answer().message == .notOpened(.closed(wasAsked: false)))
        #expect(throws: IPCError.closed) { try master.bytes(1) }
        #expect(pipes.isOutputClosed)
        // One that waits for the supervisor keeps nothing either.
        let others = try SessionPipes()
        try scene.openFiles("a", 2, others.takeNumbers())
        let (_, id) = try scene.fromGate()
        try scene.worker.send(GateRequest.close, requestID: 2)
        #expect(try scene.answer().message == .notOpened(.closed(wasAsked: false)))
        #expect(others.isOutputClosed)
        let late = try FakeMaster()
        try scene.supervisor.send(ToGate.connected, requestID: id, descriptor: late.takeLinkEnd())
        #expect(throws: IPCError.closed) { try late.bytes(1) }
    }

    /// Stands for a nonce with the mark of the gate.
    private static let own = "own nonce"

    @Test(arguments: [
        [GateRequest.words("")], [.words("x"), .alive(host: "a")], [.words("x"), .close],
        [.words("x"), .errand(host: "a", .question)], [.exec(host: "a", seconds: 1, nonce: own, words: "x")],
        [.exec(host: "a", seconds: 0, nonce: own, words: "\0\0")],
        [.exec(host: "a", seconds: 1, nonce: "$(id)123", words: "\0\0")],
        // A nonce without the mark of this gate.
        [.exec(host: "a", seconds: 1, nonce: "postgres", words: "\0id\0")],
        [.judge(host: "a", seconds: 1, nonce: Nonce.make(), words: "\0id\0")],
    ])
    func `words that no command has end the worker`(requests: [GateRequest]) throws {
        let scene = try Scene(["a": "/a"])
        for request in requests {
            var descriptors = PassedDescriptors()
            if request.descriptorCount == 3 {
                var first = try IPC.Pipe()
                var second = try IPC.Pipe()
                guard let input = first.readEnd.take(), let output = first.writeEnd.take(),
                    let error = second.writeEnd.take()
                else { throw IPCError.closed }
                descriptors = PassedDescriptors(input, output, error)
            }
            var sent = request
            if case .exec(let host, let seconds, Self.own, let words, let call) = request {
                let nonce = Nonce.make(marked: scene.mark)
                sent = .exec(host: host, seconds: seconds, nonce: nonce, words: words, call: call)
            }
            try scene.worker.send(sent, requestID: 9, descriptors: descriptors)
        }
        #expect(try scene.fromGate().message == .violation(.words))
        scene.supervisor.shutDown()
        #expect(try scene.end() == nil)
    }
}
