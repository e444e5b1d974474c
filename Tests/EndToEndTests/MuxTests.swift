import CLinux
import Foundation
import Glibc
import IPC
import Mux
import Testing
import TestSupport

/// The gate's own client of the mux protocol with OpenSSH's ControlMaster.
@Suite struct MuxTests {
    /// A session that has ended, on the shared master unless told otherwise.
    private func ended(
        _ command: String, input: [UInt8] = [], on remote: Remote? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> MuxConnection {
        let session = try MuxConnection(try (remote ?? Remote.shared()).master.socketPath, command, input: input)
        try session.runToEnd(sourceLocation: sourceLocation)
        return session
    }

    @Test func `a master tells its process, again and again on one connection`() throws {
        let remote = try Remote.shared()
        let connection = try MuxConnection(remote.master.socketPath, .alive)
        let expected = MasterFact.alive(masterPID: UInt32(try #require(remote.master.pid)))
        #expect(try connection.next() == expected)
        for _ in 0..<3 {
            #expect(connection.link.ask(.alive))
            #expect(try connection.next() == expected)
        }
    }

    @Test(
        arguments: [("true", 0), ("exit 3", 3), ("exit 255", 255), ("sh -c 'kill -9 $$'", 137)] as [(String, UInt32)])
    func `an exit status comes as a message`(command: String, status: UInt32) throws {
        let session = try ended("\(command); exit $?")
        #expect(session.facts == [.sessionOpened, .sessionExited(status: status), .sessionEnded(status: status)])
    }

    @Test func `a death by a signal ends the session without a status, and the master lives`() throws {
        let remote = try Remote.shared()
        let session = try ended("echo before; kill -9 $$")
        #expect(session.facts == [.sessionOpened, .sessionEnded(status: nil)])
        #expect(session.stdout == Array("before\n".utf8))
        let check = try MuxConnection(remote.master.socketPath, .alive)
        #expect(try check.next() == .alive(masterPID: UInt32(try #require(remote.master.pid))))
    }

    @Test func `a MiB each way and both outputs, exactly`() throws {
        let bytes = (0..<1_048_576).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let session = try ended("cat; echo done >&2", input: bytes)
        #expect(session.facts.last == .sessionEnded(status: 0))
        #expect(session.stdout == bytes)
        #expect(session.stderr == Array("done\n".utf8))
    }

    @Test func `the longest command arrives whole and harms nobody`() throws {
        let remote = try Remote.shared()
        let start = "printf %s "
        let word = String(repeating: "x", count: MuxSession.maximumCommand - start.utf8.count - 1)
        let long = try ended(start + word)
        #expect(long.facts.last == .sessionEnded(status: 0), "\(String(decoding: long.stderr, as: UTF8.self))")
        #expect(long.stdout.count == word.utf8.count)
        #expect(try remote.master.isAlive())
    }

    @Test func `a status is told as soon as it is known, also where a process keeps the session open`() throws {
        let remote = try Remote.shared()
        let session = try MuxConnection(remote.master.socketPath, "cat <&0 & exec 0<&-; exit 7", keepsInput: true)
        try session.run("the exit") { $0.facts.last == .sessionExited(status: 7) }
        #expect(session.link.wants == .toRead)
        session.link.close()
        #expect(session.link.wants == .nothing)
    }

    @Test func `a subsystem answers, and one that the host lacks ends without a status`() throws {
        let remote = try Remote.shared()
        // SSH_FXP_INIT, version 3.
        let sftp = try MuxConnection(
            remote.master.socketPath, "sftp", isSubsystem: true, input: [0, 0, 0, 5, 1, 0, 0, 0, 3], keepsInput: true)
        try sftp.run("SSH_FXP_VERSION") { $0.stdout.count > 4 }
        #expect(sftp.stdout[4] == 2)
        sftp.finishInput()
        try sftp.runToEnd()
        #expect(sftp.facts == [.sessionOpened, .sessionExited(status: 0), .sessionEnded(status: 0)])
        let none = try MuxConnection(remote.master.socketPath, "nonesuch", isSubsystem: true)
        try none.runToEnd()
        #expect(none.facts == [.sessionOpened, .sessionEnded(status: nil)])
    }

    @Test func `a host without a free session refuses, and takes the next one when one is free`() throws {
        let remote = try Remote(PrivateSSHD.Options(maxSessions: 2))
        defer { remote.stop() }
        let held = try (0..<2).map { _ in try MuxConnection(remote.master.socketPath, "cat", keepsInput: true) }
        for session in held { #expect(try session.next() == .sessionOpened) }
        let refused = try MuxConnection(remote.master.socketPath, "true")
        try refused.runToEnd()
        guard case .refused(let refusal) = refused.facts.first, refused.facts.count == 1 else {
            Issue.record("\(refused.facts)")
            return
        }
        #expect(refusal.isByHost && refusal.reason == "Session open refused by peer")
        held[0].finishInput()
        try held[0].runToEnd()
        #expect(held[0].facts.last == .sessionEnded(status: 0))
        // The session's place is free when sshd has seen its end, which is a little after the master has.
        try waitUntil("a free session") {
            try ended("true", on: remote).facts.last == .sessionEnded(status: 0)
        }
    }

    @Test func `thirty sessions at once keep apart`() throws {
        let remote = try Remote.shared()
        let sessions = try (0..<30).map { number in
            try MuxConnection(remote.master.socketPath, "cat; exit \(number)", input: Array("\(number)".utf8))
        }
        for (number, session) in sessions.enumerated() {
            try session.runToEnd()
            #expect(session.facts.last == .sessionEnded(status: UInt32(number)))
            #expect(session.stdout == Array("\(number)".utf8))
        }
    }

    @Test func `a master that is killed ends its sessions, and is not there afterwards`() throws {
        let remote = try Remote(PrivateSSHD.Options())
        defer { remote.stop() }
        let session = try MuxConnection(remote.master.socketPath, "echo up; cat", keepsInput: true)
        try session.run("output") { $0.stdout == Array("up\n".utf8) }
        let idle = try MuxConnection(remote.master.socketPath, .alive)
        _ = try idle.next()
        remote.master.kill()
        try session.runToEnd()
        #expect(session.facts == [.sessionOpened, .sessionEnded(status: nil)])
        try idle.runToEnd()
        #expect(idle.facts.last == .failed(.lost(errno: 0), .nothingAsked))
        #expect(throws: HarnessError.self) { try MuxConnection(remote.master.socketPath, .alive) }
        try remote.master.restart()
        #expect(try ended("true", on: remote).facts.last == .sessionEnded(status: 0))
    }

    @Test func `a master that is stopped is waited for by whoever bounds it`() throws {
        let remote = try Remote(PrivateSSHD.Options())
        defer { remote.stop() }
        let pid = try #require(remote.master.pid)
        kill(pid, SIGSTOP)
        let check = try MuxConnection(remote.master.socketPath, .alive)
        #expect(throws: HarnessError.self) {
            try check.run("an answer", timeout: .milliseconds(100)) { !$0.facts.isEmpty }
        }
        #expect(check.link.waiting == .forMaster)
        #expect(check.link.timedOut() == [.failed(.silent, .nothingAsked)])
        kill(pid, SIGCONT)
        #expect(try MuxConnection(remote.master.socketPath, .alive).next() == .alive(masterPID: UInt32(pid)))
    }

    @Test func `a forward is opened, carries bytes, and is closed, to an address of the host`() throws {
        let remote = try Remote.shared()
        let server = try WebServer()
        defer { server.stop() }
        let forward = try #require(
            MuxForward(
                listenPort: UInt16(try freePort()), target: .tcp(host: "127.0.0.1", port: UInt16(server.port))))
        let port = Int(forward.listenPort)
        let connection = try MuxConnection(remote.master.socketPath, .openForward(forward))
        #expect(try connection.next() == .forwardOpened)
        #expect(try listeners(on: port) == ["0100007F"])
        #expect(try fetch(port: port) == server.page)
        // The same once more is the same forward.
        #expect(connection.link.ask(.openForward(forward)))
        #expect(try connection.next() == .forwardOpened)
        #expect(connection.link.ask(.closeForward(forward)))
        #expect(try connection.next() == .forwardClosed)
        #expect(try listeners(on: port) == [])
        #expect(connection.link.ask(.closeForward(forward)))
        #expect(try connection.next().map { "\($0)" }?.contains("port not forwarded") == true)
    }

    @Test func `a forward that ssh opened is closed by the same words`() throws {
        let remote = try Remote.shared()
        let port = try freePort()
        #expect(try remote.master.control("forward", ["-L", "127.0.0.1:\(port):[::1]:9"]).succeeded)
        let forward = try #require(MuxForward(listenPort: UInt16(port), target: .tcp(host: "::1", port: 9)))
        #expect(try MuxConnection(remote.master.socketPath, .closeForward(forward)).next() == .forwardClosed)
        #expect(try listeners(on: port) == [])
    }

    @Test func `a forward to a port that is taken is refused`() throws {
        let remote = try Remote.shared()
        let server = try WebServer()
        defer { server.stop() }
        let forward = try #require(
            MuxForward(listenPort: UInt16(server.port), target: .tcp(host: "127.0.0.1", port: 9)))
        let connection = try MuxConnection(remote.master.socketPath, .openForward(forward))
        guard case .refused(let refusal) = try connection.next() else {
            Issue.record("\(connection.facts)")
            return
        }
        #expect(!refusal.isDenied && refusal.reason == "Port forwarding failed")
    }

    @Test func `a forward leads to a Unix socket of the host`() throws {
        let remote = try Remote.shared()
        let directory = try TemporaryDirectory(readableByAll: true)
        let path = directory.file("s")
        let listener = OwnedFD(taking: unixSocket())
        try withSocketAddress(path) { address, length in
            try #require(bind(listener.rawValue, address, length) == 0 && listen(listener.rawValue, 4) == 0)
        }
        chmod(path, 0o777)
        let number = listener.rawValue
        Thread.detachNewThread {
            let client = accept(number, nil, nil)
            let answer = "HTTP/1.0 200 OK\r\n\r\nfrom the socket"
            _ = send(client, answer, answer.utf8.count, Int32(MSG_NOSIGNAL))
            close(client)
        }
        let forward = try #require(MuxForward(listenPort: UInt16(try freePort()), target: .unix(path: path)))
        let connection = try MuxConnection(remote.master.socketPath, .openForward(forward))
        #expect(try connection.next() == .forwardOpened)
        #expect(try fetch(port: Int(forward.listenPort)) == "from the socket")
        #expect(connection.link.ask(.closeForward(forward)))
        #expect(try connection.next() == .forwardClosed)
        #expect(try listeners(on: Int(forward.listenPort)) == [])
        shutdown(listener.rawValue, Int32(SHUT_RDWR))
    }
}
