import CLinux
import Foundation
import Glibc
import Testing

/// The supervisor: its socket, its one place, its workers' lives and its own end.
@Suite struct LifecycleTests {
    private static func startLongCommand(_ client: MCPClient, on remote: Remote) throws -> String {
        let mark = "33\(UInt32.random(in: 1_000_000...9_999_999))"
        _ = try client.beginTool("ssh_exec", ["command": .string("sleep \(mark)"), "timeout_seconds": 600])
        try waitUntil("the command running") { !remote.sshd.remoteProcesses(running: mark).isEmpty }
        return mark
    }

    private static func endRemote(_ mark: String, on remote: Remote) {
        for process in remote.sshd.remoteProcesses(running: mark) { process.killIfAlive() }
    }

    @Test("a worker killed in a call: the client sees the end, the log says so, the next client is served")
    func workerKilled() throws {
        let remote = try Remote.shared()
        let daemon = try remote.startDaemon()
        defer { daemon.stop() }
        let client = try daemon.connect()
        let mark = try LifecycleTests.startLongCommand(client, on: remote)
        defer { LifecycleTests.endRemote(mark, on: remote) }
        let worker = try #require(daemon.workers().first)
        let group = ProcessTable().descendants(of: daemon.pid)
        #expect(group.contains { $0.comm == "claude-ssh-gate" })
        kill(worker.pid, SIGKILL)
        _ = try client.waitForEOF()
        let ended = try daemon.waitForLog("worker ended") { $0["worker_pid"] == .int(Int(worker.pid)) }
        #expect(ended["how"]?.string?.contains("signal 9") == true, "\(ended)")
        #expect(ended["level"] == "ERROR")
        let next = try daemon.connect()
        #expect(try next.callTool("ssh_exec", ["command": "echo next"])["stdout"] == "next\n")
        try waitUntil("nothing of the killed worker left") { group.allSatisfy { !$0.isAlive } }
    }

    @Test("a worker that breaks the sandbox is told apart in the log")
    func violation() throws {
        let daemon = try Remote.shared().startDaemon()
        defer { daemon.stop() }
        let client = try daemon.connect()
        let worker = try #require(daemon.workers().first)
        // What the kernel sends for a forbidden call; that such calls end the process is tested in SandboxTests.
        kill(worker.pid, SIGSYS)
        _ = try client.waitForEOF()
        let ended = try daemon.waitForLog("worker ended") { $0["worker_pid"] == .int(Int(worker.pid)) }
        #expect(ended["how"]?.string?.contains("sandbox violation") == true, "\(ended)")
    }

    @Test("a supervisor killed in a call leaves no process, and the next start works")
    func supervisorKilled() throws {
        let remote = try Remote.shared()
        let daemon = try remote.startDaemon()
        let client = try daemon.connect()
        let mark = try LifecycleTests.startLongCommand(client, on: remote)
        defer { LifecycleTests.endRemote(mark, on: remote) }
        let started = ProcessTable().descendants(of: daemon.pid)
        #expect(started.contains { $0.comm == "claude-ssh-gate" })
        try daemon.kill9()
        try waitUntil("no process left") { started.allSatisfy { !$0.isAlive } }
        _ = try client.waitForEOF()
        #expect(
            FileManager.default.fileExists(atPath: daemon.socketPath),
            "the stale socket is what the next start must cope with")
        let next = try RunningDaemon(config: remote.config(["mcp_socket": .string(daemon.socketPath)]), remote: remote)
        defer { next.stop() }
        #expect(try next.connect().callTool("ssh_exec", ["command": "echo again"])["stdout"] == "again\n")
    }

    @Test("TERM and INT drain: the remote command is stopped, exit 0, no socket left", arguments: [SIGTERM, SIGINT])
    func drain(signal: Int32) throws {
        let remote = try Remote.shared()
        let daemon = try remote.startDaemon()
        defer { daemon.stop() }
        let client = try daemon.connect()
        let mark = try LifecycleTests.startLongCommand(client, on: remote)
        daemon.signal(signal)
        #expect(try daemon.waitForExit(timeout: .seconds(8)) == .exited(0))
        #expect(remote.sshd.remoteProcesses(running: mark).isEmpty)
        #expect(!FileManager.default.fileExists(atPath: daemon.socketPath))
        _ = try client.waitForEOF()
        #expect(daemon.logRecords().contains { $0["msg"] == "stopped" })
    }

    @Test("a second signal ends at once")
    func secondSignal() throws {
        let remote = try Remote.shared()
        let daemon = try remote.startDaemon()
        defer { daemon.stop() }
        let client = try daemon.connect()
        // Its remote stop takes seconds.
        let mark = "34\(UInt32.random(in: 1_000_000...9_999_999))"
        _ = try client.beginTool(
            "ssh_exec", ["command": .string("trap '' TERM; sleep \(mark)"), "timeout_seconds": 600])
        try waitUntil("the command running") { !remote.sshd.remoteProcesses(running: mark).isEmpty }
        defer { LifecycleTests.endRemote(mark, on: remote) }
        let started = ProcessTable().descendants(of: daemon.pid)
        daemon.signal(SIGTERM)
        _ = try daemon.waitForLog("stopping")
        daemon.signal(SIGTERM)
        #expect(try daemon.waitForExit(timeout: .seconds(5)) == .exited(0))
        #expect(daemon.logRecords().contains { $0["msg"]?.string?.contains("second signal") == true })
        #expect(!FileManager.default.fileExists(atPath: daemon.socketPath))
        try waitUntil("nothing left") { started.allSatisfy { !$0.isAlive } }
    }

    @Test("the socket is 0600, and a second daemon on it refuses while the first serves on")
    func secondDaemon() throws {
        let remote = try Remote.shared()
        let daemon = try remote.startDaemon()
        defer { daemon.stop() }
        var status = stat()
        #expect(stat(daemon.socketPath, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o600)
        let (exit, log) = try runDaemonExpectingFailure(
            config: remote.config(["mcp_socket": .string(daemon.socketPath)]))
        #expect(exit == .exited(1))
        #expect(log.contains("another claude-ssh-daemon serves"), "\(log)")
        #expect(try daemon.connect().callTool("ssh_exec", ["command": "echo first"])["stdout"] == "first\n")
    }

    @Test(
        "another user cannot connect, root aside",
        .enabled(if: Account.canCreate, "only root can make accounts"))
    func otherUser() throws {
        let daemon = try Remote.shared().startDaemon()
        defer { daemon.stop() }
        // Opened wide on purpose: the peer's uid must be enough.
        try runSuccessfully("/bin/chmod", ["777", daemon.socketPath, daemon.runtimeDirectory])
        try runSuccessfully("/bin/chmod", ["755", (daemon.socketPath as NSString).deletingLastPathComponent])
        let stranger = try Account.throwAway(purpose: "stranger")
        let client = try daemon.connect(.socat(stranger), initialize: false)
        _ = try client.waitForEOF()
        let refused = try daemon.waitForLog("connection refused: another user")
        #expect(refused["client_uid"] == .int(Int(stranger.uid)))
        #expect(daemon.workerPIDs().isEmpty)
    }

    @Test(
        "of 64 connections at once one is served, eight are in line, and every other waits and is told who is in the way"
    )
    func crowd() throws {
        let daemon = try Remote.shared().startDaemon(["client_wait_seconds": 1])
        defer { daemon.stop() }
        let first = try daemon.connect()
        let others = try (0..<63).map { _ in try daemon.connect(.direct, initialize: false) }
        let requests = try others.map {
            try $0.begin("initialize", ["protocolVersion": "2025-11-25", "capabilities": [:]])
        }
        let answers = try requests.map { try $0.wait(timeout: .seconds(60)) }
        #expect(answers.count { $0["result"] != nil } == 8)
        for answer in answers where answer["result"] == nil {
            let error = try #require(answer["error"])
            #expect(error["code"] == -32000)
            let message = try #require(error["message"]?.string)
            #expect(message.contains("process \(getpid())"), "\(message)")
            #expect(message.contains(daemon.socketPath), "\(message)")
            #expect(message.contains("which calls itself \"csd-tests\""), "\(message)")
        }
        for (client, answer) in zip(others, answers) where answer["result"] == nil { _ = try client.waitForEOF() }
        #expect(try first.callTool("ssh_exec", ["command": "echo served"])["stdout"] == "served\n")
    }

    @Test("who waits gets the place when it is free, in order, with the calls that they sent meanwhile")
    func queue() throws {
        let daemon = try Remote.shared().startDaemon()
        defer { daemon.stop() }
        let first = try daemon.connect()
        let waiting = try (0..<3).map { _ in try daemon.connect(.direct) }
        let calls = try waiting.map { try $0.beginTool("ssh_exec", ["command": "echo on"]) }
        #expect(try first.callTool("ssh_exec", ["command": "echo first"])["stdout"] == "first\n")
        var last = first
        for (index, client) in waiting.enumerated() {
            let isEarly = calls[index...].contains(where: \.isAnswered)
            #expect(!isEarly)
            last.closeAbruptly()
            #expect(try calls[index].waitForTool()["stdout"] == "on\n")
            last = client
        }
    }

    @Test("HUP takes a new config as a whole, or keeps the old one")
    func reload() throws {
        let remote = try Remote.shared()
        let daemon = try remote.startDaemon()
        defer { daemon.stop() }
        let client = try daemon.connect()
        #expect(try client.callTool("ssh_exec", ["command": "true"])["exit_code"] == 0)
        let socket = JSON.string(daemon.socketPath)
        try daemon.rewriteConfig(remote.config(["mcp_socket": socket, "limits": ["sessions_per_host": "many"]]))
        daemon.signal(SIGHUP)
        let refused = try daemon.waitForLog("config not reloaded")
        #expect(refused["error"]?.string?.hasPrefix("limits.sessions_per_host:") == true, "\(refused)")
        #expect(try client.callTool("ssh_exec", ["command": "true"])["exit_code"] == 0)
        try daemon.rewriteConfig(remote.config(["mcp_socket": socket, "capabilities": ["exec": false]]))
        daemon.signal(SIGHUP)
        _ = try daemon.waitForLog("config reloaded")
        let response = try client.request("tools/call", ["name": "ssh_exec", "arguments": ["command": "true"]])
        #expect(response["error"]?["code"] == -32602)
    }

    @Test(
        "mcp_socket on reload is compared with the socket that is served, in whatever spelling, and the end names that one"
    )
    func socketOnReload() throws {
        let remote = try Remote.shared()
        let daemon = try remote.startDaemon()
        defer { daemon.stop() }
        let changed = "mcp_socket has changed; the daemon must be restarted for that"
        func warnings(after config: JSON) throws -> [JSON] {
            let before = daemon.logRecords().count
            try daemon.rewriteConfig(remote.config(["mcp_socket": config]))
            daemon.signal(SIGHUP)
            _ = try daemon.waitForLog("config reloaded", from: before)
            return daemon.logRecords().dropFirst(before).filter { $0["msg"]?.string == changed }
        }
        let (served, other) = (JSON.string(daemon.socketPath), JSON.string(daemon.socketPath + "2"))
        #expect(try warnings(after: other).map { $0["socket"] } == [served])
        #expect(try warnings(after: other).count == 1, "it is still not the one that is served")
        #expect(try warnings(after: served).isEmpty)
        let directory = (daemon.socketPath as NSString).deletingLastPathComponent
        let name = (daemon.socketPath as NSString).lastPathComponent
        #expect(try warnings(after: .string("\(directory)//./\(name)")).isEmpty)
        #expect(try warnings(after: other).count == 1)
        #expect(try daemon.terminate() == .exited(0))
        #expect(daemon.logRecords().last { $0["msg"] == "stopped" }?["socket"] == served)
    }

    @Test("a broken config names each mistake by its path, and the daemon does not start")
    func brokenConfig() throws {
        let remote = try Remote.shared()
        let (exit, log) = try runDaemonExpectingFailure(
            config: remote.config(["capabilities": ["exec": "yes"], "default_host": "nowhere"]))
        #expect(exit == .exited(2))
        #expect(log.contains("capabilities.exec: must be true or false"), "\(log)")
        #expect(log.contains("default_host: must name one of the hosts"), "\(log)")
    }

    @Test("both forms of the config serve")
    func singleHost() throws {
        let remote = try Remote.shared()
        let daemon = try RunningDaemon(config: remote.singleHostConfig(), remote: remote)
        defer { daemon.stop() }
        let status = try daemon.connect().callTool("ssh_connection_status")
        #expect(status["default_host"] == "default")
        #expect(status["hosts"]?.array?.first?["connected"] == true)
    }
}
