import CLinux
import Foundation
import Glibc
import IPC
import TestSupport
import Testing

/// The gate beside a worker: what it tells of ControlMasters, and what comes of its end.
@Suite struct GateTests {
    private static func status(_ client: MCPClient, _ name: String = "box") throws -> JSON {
        let result = try client.callTool("ssh_connection_status", timeout: .seconds(20))
        return try #require(result["hosts"]?.array?.first { $0["name"] == .string(name) })
    }

    /// Files are off: a status then starts no `ssh`.
    private static let noFiles: JSON = ["capabilities": ["file_read": false, "file_write": false]]

    // MARK: What it tells

    @Test("a status asks the ControlMaster itself, without ssh")
    func withoutSSH() throws {
        try withDaemon(Self.noFiles.merging(["ssh_path": "/bin/false"])) { daemon, client in
            #expect(try Self.status(client)["connected"] == true)
            let gate = try #require(daemon.gates().first)
            #expect(daemon.gates().count == 1)
            #expect(gate.status("Seccomp") == "2" && gate.status("NoNewPrivs") == "1")
            #expect(gate.status("CapEff") == "0000000000000000" && gate.status("Threads") == "1")
        }
    }

    @Test("a master that is stopped is hung, told within three seconds, and alive again when it goes on")
    func frozen() throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            try withDaemon(Self.noFiles, on: remote) { _, client in
                #expect(try Self.status(client)["connected"] == true)
                let pid = try #require(remote.master.pid)
                kill(pid, SIGSTOP)
                defer { kill(pid, SIGCONT) }
                let start = ContinuousClock.now
                let status = try Self.status(client)
                let took = ContinuousClock.now - start
                #expect(took > .milliseconds(1900) && took < .seconds(3), "\(took)")
                #expect(status["connected"] == false)
                #expect(status["hint"]?.string?.contains("no answer within 2 s") == true, "\(status)")
                kill(pid, SIGCONT)
                #expect(try Self.status(client)["connected"] == true)
            }
        }
    }

    @Test("a backlog that is full is hung, and said at once")
    func fullBacklog() throws {
        let place = try TemporaryDirectory(readableByAll: true)
        let listener = try Listener(place.file("s"), backlog: 0)
        defer { listener.stop() }
        let first = try connectedSocket(place.file("s"))
        try withDaemon(Self.noFiles.merging(["hosts": ["full": Self.host(place.file("s"))]])) { _, client in
            let start = ContinuousClock.now
            let status = try Self.status(client, "full")
            #expect(ContinuousClock.now - start < .seconds(1))
            #expect(status["hint"]?.string?.contains("takes connections and does not answer") == true, "\(status)")
            let result = try client.callTool("ssh_exec", ["host": "full", "command": "true"])
            #expect(result.isError && result.text.contains("Nothing was run."), "\(result)")
        }
        _ = first.rawValue
    }

    @Test(
        "what another user listens with is not spoken to",
        .enabled(if: Account.canCreate, "only root can make accounts"))
    func foreign() throws {
        let other = try Account.throwAway(purpose: "agent")
        let place = try TemporaryDirectory(readableByAll: true)
        chmod(place.path, 0o777)
        #expect(seteuid(other.uid) == 0)
        let listener = try Listener(place.file("s"), backlog: 8)
        #expect(seteuid(0) == 0)
        defer { listener.stop() }
        chmod(place.file("s"), 0o777)
        try withDaemon(Self.noFiles.merging(["hosts": ["planted": Self.host(place.file("s"))]])) { _, client in
            let status = try Self.status(client, "planted")
            #expect(status["connected"] == false)
            #expect(
                status["hint"]?.string?.contains("belongs to uid \(other.uid), another user") == true, "\(status)")
            let result = try client.callTool("ssh_exec", ["host": "planted", "command": "true"])
            #expect(result.isError && result.text.contains("Nothing was run."), "\(result)")
            #expect(listener.heard().isEmpty, "not a byte was sent")
        }
    }

    @Test("a socket on a file system that hangs: its host is hung, and all others go on at once")
    func hangingPath() throws {
        guard HangingFileSystem.isAvailable else { return }
        let files = try HangingFileSystem()
        defer { files.unmount() }
        let path = "\(files.path)/master.sock"
        // A socket of a worker's own kind of file is looked at as well: it must not be what waits.
        try withDaemon(Self.noFiles.merging(["hosts": ["stuck": Self.host(path)]])) { daemon, client in
            files.hang()
            defer { files.resume() }
            let call = try client.beginTool("ssh_connection_status")
            try waitUntil("a request that hangs") { files.heldCount > 0 }
            for _ in 0..<5 {
                let start = ContinuousClock.now
                let result = try client.callTool("ssh_exec", ["command": "echo on"])
                #expect(result["stdout"] == "on\n", "\(result)")
                #expect(ContinuousClock.now - start < .seconds(1))
            }
            let status = try call.waitForTool(timeout: .seconds(5))
            let hosts = try #require(status["hosts"]?.array)
            #expect(hosts.first { $0["name"] == "stuck" }?["connected"] == false, "\(status)")
            #expect(hosts.first { $0["name"] == "box" }?["connected"] == true, "\(status)")
            // It is not tried again and again.
            let start = ContinuousClock.now
            for _ in 0..<20 { _ = try client.callTool("ssh_connection_status") }
            #expect(ContinuousClock.now - start < .seconds(10))
            let stuck = ProcessTable().children(of: daemon.pid).filter { $0.comm == "claude-ssh-daem" }
            #expect(stuck.count <= 1, "\(stuck)")
        }
    }

    @Test("after a reload the gate knows the new hosts before the worker does")
    func reload() throws {
        let remote = try Remote.shared()
        try withDaemon(Self.noFiles) { daemon, client in
            for round in 0..<5 {
                let name = "box\(round)"
                let hosts: JSON = .object(["box": .null, name: remote.hostEntry])
                try daemon.rewriteConfig(
                    remote.config(Self.noFiles.merging(["default_host": .string(name), "hosts": hosts])))
                daemon.signal(SIGHUP)
                try waitUntil("the reload") { daemon.logCount(of: "config reloaded") == round + 1 }
                #expect(try Self.status(client, name)["connected"] == true)
                #expect(
                    try client.callTool("ssh_exec", ["command": "echo \(round)"])["stdout"] == .string("\(round)\n"))
            }
            #expect(daemon.gates().count == 1)
        }
    }

    // MARK: Its end

    @Test("worker and gate end together, and each connection has a gate of its own")
    func together() throws {
        let daemon = try Remote.shared().startDaemon(Self.noFiles)
        defer { daemon.stop() }
        var pids: Set<pid_t> = []
        for _ in 0..<3 {
            let client = try daemon.connect()
            #expect(try Self.status(client)["connected"] == true)
            pids.formUnion(daemon.gates().map(\.pid))
            client.closeAbruptly()
            try waitUntil("the end of both") { daemon.gates().isEmpty && daemon.workerPIDs().isEmpty }
        }
        #expect(pids.count == 3)
        let client = try daemon.connect()
        _ = try Self.status(client)
        let worker = try #require(daemon.workerPIDs().first)
        kill(worker, SIGKILL)
        try waitUntil("the end of both") { daemon.gates().isEmpty && daemon.workerPIDs().isEmpty }
        // That is no news.
        #expect(daemon.logCount(of: "\"gate ready\"") == 4 && daemon.logCount(of: "\"gate ended\"") == 0)
        #expect(try daemon.terminate() == .exited(0))
        #expect(daemon.gates().isEmpty)
    }

    @Test(
        "a gate that is killed: what runs ends by its time and is told, the connection ends, the next one has another gate",
        arguments: BothTransports.all)
    func killed(transport: String) throws {
        let daemon = try Remote.shared().startDaemon(BothTransports.config(transport, Self.noFiles))
        defer { daemon.stop() }
        let client = try daemon.connect()
        let mark = "31\(UInt32.random(in: 1_000_000...9_999_999))"
        let call = try client.beginTool("ssh_exec", ["command": .string("sleep \(mark)"), "timeout_seconds": 4])
        let sshd = try Remote.shared().sshd
        try waitUntil("the command running") { !sshd.remoteProcesses(running: mark).isEmpty }
        kill(try #require(daemon.gates().first).pid, SIGKILL)
        let result = try call.waitForTool()
        // Nobody can ask its host to stop it: the host does that by itself when the time is up.
        #expect(result.isError && result.text.contains("unknown"), "\(result)")
        try client.waitForEOF()
        try waitUntil("the command stopped") { sshd.remoteProcesses(running: mark).isEmpty }
        let told = try daemon.waitForLog("client disconnected")
        #expect(told["reason"]?.string?.contains("its gate ended") == true, "\(told)")
        let next = try daemon.connect()
        #expect(try Self.status(next)["connected"] == true)
        #expect(try next.callTool("ssh_exec", ["command": "echo next"])["stdout"] == "next\n")
    }

    @Test(
        "a gate that breaks the rules ends with its connection, and the daemon goes on",
        arguments: ["twice", "stranger", "future", "greedy", "endless", "surplus", "garbage"])
    func hostile(conduct: String) throws {
        let gates = try FakeGates([conduct])
        let daemon = try Remote.shared().startDaemon(Self.noFiles, gates.options)
        defer { daemon.stop() }
        let client = try daemon.connect(initialize: false)
        _ = try? client.begin("ping")
        try client.waitForEOF()
        let told = try daemon.waitForLog("gate ended")
        #expect(told["level"] != "info", "\(told)")
        let next = try daemon.connect()
        #expect(try Self.status(next)["connected"] == true)
        #expect(try next.callTool("ssh_exec", ["command": "echo next"])["stdout"] == "next\n")
        #expect(daemon.logSize < 480 << 10)
        #expect(try daemon.terminate() == .exited(0))
    }

    @Test(
        "a gate that does not get ready: the client is told, the log says why, the next one is served",
        arguments: ["stillborn", "early", "mute"])
    func notReady(conduct: String) throws {
        let gates = try FakeGates([conduct])
        let daemon = try Remote.shared().startDaemon(Self.noFiles, gates.options)
        defer { daemon.stop() }
        let client = try daemon.connect(initialize: false)
        let answer = try client.request("initialize", [:], timeout: .seconds(20))
        let text = answer["error"]?["message"]?.string ?? ""
        #expect(text.contains("cannot serve you now"), "\(answer)")
        #expect(text.contains("claude-ssh-gate did not start"), "\(answer)")
        let told = try daemon.waitForLog("a worker could not start")
        #expect(told["mend"] != nil, "\(told)")
        let next = try daemon.connect()
        #expect(try Self.status(next)["connected"] == true)
    }

    @Test(
        "a gate that ends on a question, or lies: the call is told, and the connection ends",
        arguments: ["mortal", "liar"])
    func endsOnQuestion(conduct: String) throws {
        let gates = try FakeGates([conduct])
        let daemon = try Remote.shared().startDaemon(Self.noFiles, gates.options)
        defer { daemon.stop() }
        let client = try daemon.connect()
        let result = try client.callTool("ssh_exec", ["command": "true"])
        #expect(result.isError && result.text.contains("claude-ssh-gate"), "\(result)")
        #expect(result.text.contains("Nothing was run."), "\(result)")
        try client.waitForEOF()
        let next = try daemon.connect()
        #expect(try next.callTool("ssh_exec", ["command": "echo next"])["stdout"] == "next\n")
    }

    @Test("a gate that answers nothing: calls are told after ten seconds, and other messages go on")
    func silent() throws {
        let gates = try FakeGates(["silent"])
        let daemon = try Remote.shared().startDaemon(Self.noFiles, gates.options)
        defer { daemon.stop() }
        let client = try daemon.connect()
        let calls = try (0..<100).map { _ in try client.beginTool("ssh_exec", ["command": "true"]) }
        _ = try client.request("ping", timeout: .seconds(2))
        for call in calls {
            let result = try call.waitForTool(timeout: .seconds(15))
            #expect(result.isError && result.text.contains("claude-ssh-gate"), "\(result)")
            #expect(result.text.contains("Nothing was run."), "\(result)")
        }
    }

    @Test("a gate that takes no new policy is ended, and its connection with it; the next one is judged by that policy")
    func takesNoPolicy() throws {
        let remote = try Remote.shared()
        let daemon = try remote.startDaemon(Self.noFiles)
        defer { daemon.stop() }
        let client = try daemon.connect()
        #expect(try client.callTool("ssh_exec", ["command": "echo on"])["stdout"] == "on\n")
        let gate = try #require(daemon.gates().first)
        kill(gate.pid, SIGSTOP)
        try daemon.rewriteConfig(remote.config(["capabilities": ["exec": false, "file_read": true]]))
        daemon.signal(SIGHUP)
        try client.waitForEOF(timeout: .seconds(40))
        try daemon.waitForLog("gate ended") { record in
            record["how"] == "killed: it did not take the new policy in time"
        }
        let next = try daemon.connect()
        let refused = try next.request("tools/call", ["name": "ssh_exec", "arguments": ["command": "true"]])
        #expect(refused["error"] != nil, "\(refused)")
    }

    @Test("a gate program that has gone: the client is told, and the log says which")
    func noProgram() throws {
        let gates = try FakeGates([])
        let daemon = try Remote.shared().startDaemon(Self.noFiles, gates.options)
        defer { daemon.stop() }
        unlink(gates.program)
        let client = try daemon.connect(initialize: false)
        let answer = try client.request("initialize", [:])
        #expect(answer["error"]?["message"]?.string?.contains("claude-ssh-gate did not start") == true, "\(answer)")
        let told = try daemon.waitForLog("a worker could not start")
        #expect(told["why"]?.string?.contains(gates.program) == true, "\(told)")
    }

    @Test("the self-test of the gate: each way out ends it")
    func selfTest() throws {
        let result = try run("\(BuiltBinaries.folder())/\(BuiltBinaries.gateName)", ["--selftest-escape"])
        #expect(result.succeeded, "\(result.outputText)\(result.errorText)")
        #expect(result.outputText.contains("execute a program: killed"))
        #expect(!result.outputText.contains("NOT"))
    }

    private static func host(_ socket: String) -> JSON {
        ["socket": .string(socket), "user": "nobody", "host": "127.0.0.1"]
    }
}

/// Listens at a path of a Unix socket, and takes nothing.
private final class Listener {
    private let descriptor: Int32

    init(_ path: String, backlog: Int32) throws {
        let number = unixSocket()
        descriptor = number
        try withSocketAddress(path) { address, length in
            guard bind(number, address, length) == 0, listen(number, backlog) == 0 else {
                throw HarnessError("listen at \(path): \(errnoText())")
            }
        }
    }

    /// What those have sent who have connected so far.
    func heard() -> [UInt8] {
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        var heard: [UInt8] = []
        while case let client = accept(descriptor, nil, nil), client >= 0 {
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = recv(client, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            heard += bytes.prefix(max(0, count))
            close(client)
        }
        return heard
    }

    func stop() { close(descriptor) }
}
