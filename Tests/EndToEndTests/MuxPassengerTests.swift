import CLinux
import Foundation
import Glibc
import IPC
import Mux
import Testing
import TestSupport

/// The side towards an `ssh`, as the gate has it with `"transport": "ssh"`: the system's own client as passenger.
@Suite struct MuxPassengerTests {
    /// What the test plays: a master that reads exactly as much as there is of each message.
    private final class Host {
        let directory: TemporaryDirectory
        let path: String
        private let listener: OwnedFD
        private var client: OwnedFD?

        init() throws {
            directory = try TemporaryDirectory()
            path = directory.file("s")
            listener = OwnedFD(taking: socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
            let number = listener.rawValue
            try withSocketAddress(path) { address, length in
                try #require(bind(number, address, length) == 0 && listen(number, 4) == 0)
            }
        }

        /// Waits for the client, and greets it.
        func accept() throws {
            var waiting = pollfd(fd: listener.rawValue, events: Int16(POLLIN), revents: 0)
            try #require(poll(&waiting, 1, 20_000) == 1)
            let end = OwnedFD(taking: Glibc.accept(listener.rawValue, nil, nil))
            var limit = timeval(tv_sec: 20, tv_usec: 0)
            setsockopt(end.rawValue, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            client = consume end
            try say(.hello(version: MuxProtocol.version))
            #expect(try request() == .hello(version: 4))
        }

        /// The next request, all of it and no byte more.
        func request() throws -> SSHRequest {
            let length = try bytes(4).reduce(0) { $0 << 8 | Int($1) }
            try #require(length <= MuxProtocol.maximumRequest)
            return try SSHRequest.decode(try bytes(length)[...])
        }

        /// The next byte, which must be zero and carry a descriptor, cmsg(3).
        func descriptor() throws -> OwnedFD {
            var byte: UInt8 = 1
            // struct cmsghdr: length (8 bytes), level, type; then the descriptor, padded to 8.
            var control = [UInt8](repeating: 0, count: 24)
            let result = withUnsafeMutableBytes(of: &byte) { byte in
                control.withUnsafeMutableBytes { control in
                    var part = iovec(iov_base: byte.baseAddress, iov_len: 1)
                    return withUnsafeMutablePointer(to: &part) { part in
                        var message = msghdr()
                        message.msg_iov = part
                        message.msg_iovlen = 1
                        message.msg_control = control.baseAddress
                        message.msg_controllen = control.count
                        return recvmsg(number, &message, Int32(MSG_CMSG_CLOEXEC))
                    }
                }
            }
            let (length, passed) = control.withUnsafeBytes {
                ($0.load(as: Int.self), $0.load(fromByteOffset: 16, as: Int32.self))
            }
            try #require(result == 1 && byte == 0 && length == 20)
            return OwnedFD(taking: passed)
        }

        func say(_ reply: MuxReply) throws {
            let bytes = reply.encoded()
            try #require(send(number, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
        }

        func close() { client = nil }

        private func bytes(_ count: Int) throws -> [UInt8] {
            var taken = [UInt8](repeating: 0, count: count)
            var have = 0
            while have < count {
                let result = taken.withUnsafeMutableBytes {
                    recv(number, $0.baseAddress?.advanced(by: have), count - have, 0)
                }
                guard result > 0 else { throw HarnessError("the client has gone") }
                have += result
            }
            return taken
        }

        private var number: Int32 {
            switch client {
            case .some(let client): client.rawValue
            case .none: -1
            }
        }
    }

    private func ssh(_ host: Host, _ arguments: [String], output: String) throws -> ChildProcess {
        try ChildProcess(
            findProgram("ssh"),
            [
                "-F", "none", "-S", host.path, "-T", "-a", "-x", "-e", "none", "-o", "BatchMode=yes", "-o",
                "ProxyCommand=false",
            ]
                + arguments, stdout: .file(output), stderr: .file(output))
    }

    @Test(arguments: [false, true])
    func `an ssh opens a session on its own descriptors and takes its status`(isSubsystem: Bool) throws {
        let host = try Host()
        let output = host.directory.file("output")
        let arguments = isSubsystem ? ["-s", "box", "ticket"] : ["box", "ticket"]
        let child = try ssh(host, arguments, output: output)
        try host.accept()
        guard case .aliveCheck(let check) = try host.request() else { throw HarnessError("no alive check") }
        try host.say(.alive(request: check, masterPID: 4711))
        guard case .newSession(let request, let session) = try host.request() else { throw HarnessError("no session") }
        #expect(session == MuxSession(command: "ticket", isSubsystem: isSubsystem))
        _ = try host.descriptor()
        let stdout = try host.descriptor()
        _ = try host.descriptor()
        #expect(write(stdout.rawValue, "hello\n", 6) == 6)
        try host.say(.sessionOpened(request: request, session: 9))
        try host.say(.exitMessage(session: 9, status: 3))
        host.close()
        #expect(try child.waitForExit() == .exited(3))
        #expect(try String(contentsOfFile: output, encoding: .utf8) == "hello\n")
    }

    @Test func `a refusal is heard`() throws {
        let host = try Host()
        let output = host.directory.file("output")
        let child = try ssh(host, ["box", "ticket"], output: output)
        try host.accept()
        guard case .aliveCheck(let check) = try host.request() else { throw HarnessError("no alive check") }
        try host.say(.alive(request: check, masterPID: 4711))
        guard case .newSession(let request, _) = try host.request() else { throw HarnessError("no session") }
        for _ in 0..<3 { _ = try host.descriptor() }
        try host.say(.failure(request: request, reason: "no such ticket"))
        host.close()
        #expect(try child.waitForExit() == .exited(255))
        #expect(try String(contentsOfFile: output, encoding: .utf8).contains("no such ticket"))
    }

    @Test(
        arguments: [
            (["-O", "exit", "box"], .terminate), (["-O", "stop", "box"], .stopListening),
            (["-O", "proxy", "box"], .proxy), (["-O", "forward", "-L", "127.0.0.1:9:a:9", "box"], .openForward),
            (["-O", "forward", "-R", "/tmp/x:/tmp/y", "box"], .openForward),
            (["-O", "cancel", "-L", "127.0.0.1:9:a:9", "box"], .closeForward), (["-W", "a:9", "box"], .stdioForward),
        ] as [([String], RefusedRequest)])
    func `what an ssh may not ask of a master is refused by name`(arguments: [String], expected: RefusedRequest) throws
    {
        let host = try Host()
        let child = try ssh(host, arguments, output: host.directory.file("output"))
        try host.accept()
        #expect(throws: MuxViolation.refusedRequest(expected)) {
            // `-W` asks first whether the master lives.
            while case .aliveCheck(let check) = try host.request() {
                try host.say(.alive(request: check, masterPID: 4711))
            }
        }
        host.close()
        try child.waitForExit()
    }

    @Test(
        arguments: [
            (["-tt", "box", "t"], .badValue("terminal")), (["-A", "box", "t"], .badValue("agent")),
            (["-X", "box", "t"], .badValue("X11")),
            (["-o", "SetEnv=A=b", "box", "t"], .badValue("environment")), (["box"], .badValue("command")),
            (["-e", "x", "box", "t"], .badValue("escape character")),
        ] as [([String], MuxViolation)])
    func `a session with more than the gate would ask for is refused`(arguments: [String], expected: MuxViolation)
        throws
    {
        let host = try Host()
        let child = try ssh(host, arguments, output: host.directory.file("output"))
        try host.accept()
        guard case .aliveCheck(let check) = try host.request() else { throw HarnessError("no alive check") }
        try host.say(.alive(request: check, masterPID: 4711))
        #expect(throws: expected) { _ = try host.request() }
        host.close()
        #expect(try child.waitForExit() == .exited(255))
    }
}
