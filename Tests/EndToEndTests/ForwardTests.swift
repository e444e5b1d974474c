import CLinux
import Foundation
import Glibc
import IPC
import Testing
import TestSupport

extension MCPClient {
    /// `ssh_forward_port` to a port of the remote host's own loopback; throws where it fails.
    fileprivate func forward(to port: Int, _ more: JSON = [:]) throws -> ToolResult {
        let result = try callTool(
            "ssh_forward_port", JSON.object(["remote_host": "127.0.0.1", "remote_port": .int(port)]).merging(more))
        guard !result.isError else { throw HarnessError(result.text) }
        return result
    }

    fileprivate func forwards() throws -> [JSON] { try callTool("ssh_list_forwards")["forwards"]?.array ?? [] }
}

extension ToolResult {
    fileprivate var localPort: Int { self["local_port"]?.int ?? 0 }
}

extension RunningDaemon {
    fileprivate var stateFiles: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: runtimeDirectory)) ?? []
        return names.filter { $0.hasSuffix(".forwards") }.map { "\(runtimeDirectory)/\($0)" }
    }

    fileprivate var state: String {
        stateFiles.first.flatMap { try? String(contentsOfFile: $0, encoding: .utf8) } ?? ""
    }

    /// Another daemon on the socket, and with the state, of this one, which has ended.
    fileprivate func successor(_ remote: Remote, _ overrides: JSON = [:]) throws -> RunningDaemon {
        var options = Options()
        options.environment["XDG_RUNTIME_DIR"] = runtimeDirectory
        return try remote.startDaemon(JSON.object(["mcp_socket": .string(socketPath)]).merging(overrides), options)
    }
}

/// Port forwards: bytes through them, what is said of them, and that nothing of them stays behind.
@Suite struct ForwardTests {
    @Test("bytes come through after the client, its worker and the supervisor have gone; after the end nothing listens")
    func outlives() throws {
        let remote = try Remote.shared()
        let server = try WebServer()
        defer { server.stop() }
        let first = try remote.startDaemon()
        defer { first.stop() }
        let client = try first.connect()
        let made = try client.forward(to: server.port)
        let port = made.localPort
        #expect(made["remote_host"] == "127.0.0.1")
        #expect(made["remote_port"] == .int(server.port))
        #expect(made["host"] == "box")
        #expect(made["status"] == "running")
        #expect(try fetch(port: port) == server.page)
        #expect(try listeners(on: port) == ["0100007F"])

        client.closeAbruptly()
        try waitUntil("the client's worker gone") { first.workers().isEmpty }
        #expect(try fetch(port: port) == server.page)

        let second = try first.connect()
        let listed = try second.forwards()
        #expect(listed.count == 1)
        for key in ["forward_id", "local_port", "remote_host", "remote_port", "host", "since", "status"] {
            #expect(listed[0][key] == made[key], "\(key)")
        }
        kill(try first.waitForWorker().pid, SIGKILL)
        try second.waitForEOF()
        #expect(try fetch(port: port) == server.page)

        try first.kill9()
        #expect(try fetch(port: port) == server.page)
        let next = try first.successor(remote)
        defer { next.stop() }
        #expect(try next.connect().forwards() == listed)
        #expect(try fetch(port: port) == server.page)

        #expect(try next.terminate() == .exited(0))
        #expect(try listeners(on: port) == [])
        #expect(first.stateFiles == [])
        #expect(next.logRecords().contains { $0["msg"] == "forward closed" })
    }

    @Test("listing opens no connection through a forward; cancelling closes it, once")
    func listAndCancel() throws {
        let server = try WebServer()
        defer { server.stop() }
        try withDaemon { _, client in
            let one = try client.forward(to: server.port)
            let other = try client.forward(to: server.port)
            #expect(one.localPort != other.localPort)
            #expect(one["since"]?.string?.contains(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) == true)
            for entry in try client.forwards() { #expect(entry["status"] == "running") }
            #expect(server.connections == 0)
            let cancelled = try client.callTool("ssh_cancel_forward", ["local_port": .int(one.localPort)])
            #expect(cancelled["cancelled"] == true)
            #expect(cancelled["forward_id"] == one["forward_id"])
            #expect(try listeners(on: one.localPort) == [])
            #expect(try client.forwards().map { $0["forward_id"] } == [other["forward_id"]])
            for again: JSON in [["local_port": .int(one.localPort)], ["forward_id": one["forward_id"] ?? .null]] {
                let result = try client.callTool("ssh_cancel_forward", again)
                #expect(result.isError)
                #expect(result.text.contains("There is no forward with"), "\(result)")
            }
            let byID = try client.callTool(
                "ssh_cancel_forward", ["forward_id": other["forward_id"] ?? .null, "host": "box"])
            #expect(byID["cancelled"] == true, "\(byID)")
            #expect(try listeners(on: other.localPort) == [])
        }
    }

    @Test("a supervisor whose descriptors have run out says of no forward that it is gone, and forgets none")
    func noDescriptors() throws {
        let remote = try Remote.shared()
        let server = try WebServer()
        defer { server.stop() }
        let daemon = try remote.startDaemon()
        defer { daemon.stop() }
        let client = try daemon.connect()
        let made = try client.forward(to: server.port)
        let numbers = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(daemon.pid)/fd")
        let used = Set(numbers.compactMap { Int($0) })
        let free = try #require((3...).first { !used.contains($0) })
        try runSuccessfully("/usr/bin/prlimit", ["--pid", "\(daemon.pid)", "--nofile=\(free):"])
        try daemon.waitForLog("listeners cannot be read")
        // Nor can its ControlMaster be asked.
        #expect(try client.forwards().map { $0["status"] } == ["unknown"])
        try runSuccessfully("/usr/bin/prlimit", ["--pid", "\(daemon.pid)", "--nofile=256:"])
        #expect(try client.forwards().map { $0["status"] } == ["running"])
        #expect(!daemon.logText().contains("forward dead"))
        let closed = try client.callTool("ssh_cancel_forward", ["local_port": .int(made.localPort)])
        #expect(closed["cancelled"] == true, "\(closed)")
        #expect(try listeners(on: made.localPort) == [])
    }

    @Test("a wanted port is used, a taken one refused by its number; another forward's is told")
    func localPort() throws {
        let server = try WebServer()
        defer { server.stop() }
        try withDaemon { _, client in
            let wanted = try freePort()
            let made = try client.forward(to: server.port, ["local_port": .int(wanted)])
            #expect(made.localPort == wanted)
            #expect(try fetch(port: wanted) == server.page)
            func refusal(_ port: Int) throws -> String {
                let result = try client.callTool(
                    "ssh_forward_port",
                    ["remote_host": "127.0.0.1", "remote_port": 80, "local_port": .int(port)])
                #expect(result.isError)
                return result.text
            }
            let again = try client.forward(to: server.port, ["local_port": .int(wanted)])
            #expect(again["forward_id"] == made["forward_id"] && again["status"] == "running", "\(again)")
            let taken = try refusal(server.port)
            #expect(taken.contains("local_port \(server.port) is taken"), "\(taken)")
            let own = try refusal(wanted)
            #expect(own.contains("belongs to forward"), "\(own)")
            #expect(try client.forwards().count == 1)
        }
    }

    @Test("a master with GatewayPorts still opens 127.0.0.1 only")
    func gatewayPorts() throws {
        let server = try WebServer()
        let remote = try Remote(masterOptions: ["GatewayPorts=yes"])
        defer {
            server.stop()
            remote.stop()
        }
        try withDaemon(on: remote) { _, client in
            let made = try client.forward(to: server.port)
            #expect(try listeners(on: made.localPort) == ["0100007F"])
        }
    }

    @Test("a dead master is said with the line that brings it back, and no port is left in the list")
    func deadMaster() throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            try withDaemon(on: remote) { daemon, client in
                remote.master.stop()
                let result = try client.callTool("ssh_forward_port", ["remote_host": "db", "remote_port": 5432])
                #expect(result.isError)
                #expect(result.text.contains("ssh -M -S \(remote.master.socketPath)"), "\(result)")
                #expect(try client.forwards() == [])
                #expect(daemon.stateFiles == [])
            }
        }
    }

    @Test(
        "a master that goes takes its forwards with it: dead, with the reason; when it is back they are offered again")
    func masterGone() throws {
        let server = try WebServer()
        defer { server.stop() }
        try withRemote(PrivateSSHD.Options()) { remote in
            try withDaemon(on: remote) { daemon, client in
                let made = try client.forward(to: server.port)
                remote.master.kill()
                // Nobody asks: the daemon looks by itself.
                let record = try daemon.waitForLog("forward dead")
                #expect(record["reason"]?.string?.contains("its ControlMaster ended") == true, "\(record)")
                let dead = try #require(try client.forwards().first)
                #expect(dead["status"] == "dead")
                #expect(dead["reason"]?.string?.contains("its ControlMaster ended") == true)
                #expect(dead["hint"]?.string?.contains("ssh -M -S") == true, "\(dead)")
                try remote.master.restart()
                let offered = try #require(try client.forwards().first)
                #expect(offered["status"] == "dead", "nothing is done unasked")
                #expect(offered["hint"]?.string?.contains("Call ssh_forward_port") == true, "\(offered)")
                #expect(try listeners(on: made.localPort) == [])
                let again = try client.forward(to: server.port)
                #expect(again.localPort == made.localPort)
                #expect(again["forward_id"] == made["forward_id"])
                #expect(try fetch(port: made.localPort) == server.page)
                #expect(try client.forwards().map { $0["status"] } == ["running"])
            }
        }
    }

    @Test("a master that does not answer: its forward is not called running")
    func frozenMaster() throws {
        let server = try WebServer()
        defer { server.stop() }
        try withRemote(PrivateSSHD.Options()) { remote in
            try withDaemon(on: remote) { _, client in
                _ = try client.forward(to: server.port)
                let master = try #require(remote.master.pid)
                // It is known as a ControlMaster by then: else it is asked that first.
                _ = try client.callTool("ssh_exec", ["command": "true"])
                kill(master, SIGSTOP)
                defer { kill(master, SIGCONT) }
                let entry = try #require(try client.forwards().first)
                #expect(entry["status"] == "dead")
                #expect(entry["reason"]?.string?.contains("does not answer") == true, "\(entry)")
                kill(master, SIGCONT)
                #expect(try client.forwards().first?["status"] == "running")
            }
        }
    }

    @Test("a host that does not answer behind a live master: its forward is unknown until it answers again")
    func frozenHost() throws {
        let server = try WebServer()
        defer { server.stop() }
        try withRemote(PrivateSSHD.Options()) { remote in
            try withDaemon(on: remote) { daemon, client in
                let made = try client.forward(to: server.port)
                let master = try #require(remote.master.pid)
                let gate = try #require(daemon.gates().first)
                // A gate shows what it has open to root alone.
                func open() throws -> Int? {
                    guard geteuid() == 0 else { return nil }
                    return try FileManager.default.contentsOfDirectory(atPath: "/proc/\(gate.pid)/fd").count
                }
                let atRest = try open()
                remote.sshd.pause(true)
                defer { remote.sshd.pause(false) }
                let descriptors = { try FileManager.default.contentsOfDirectory(atPath: "/proc/\(master)/fd").count }
                var first: Int?
                for _ in 0..<2 {
                    let asked = ContinuousClock.now
                    let entry = try #require(try client.forwards().first)
                    #expect(ContinuousClock.now - asked < .seconds(5))
                    #expect(entry["status"] == "unknown")
                    #expect(entry["reason"]?.string?.contains("did not answer within 3 s") == true, "\(entry)")
                    #expect(entry["hint"]?.string?.contains("ssh -O exit -S") == true, "\(entry)")
                    let most = try first ?? descriptors()
                    first = most
                    // One may be just being closed.
                    try waitUntil("no more descriptors of the master than after the first question") {
                        try descriptors() <= most
                    }
                }
                let more = try client.forward(to: server.port)
                #expect(more["status"] == "unknown", "\(more)")
                #expect(more["reason"] != nil && more["hint"] != nil, "\(more)")
                // One question stays open. More would take descriptors of the master, which ends when it has no more.
                try waitUntil("one question") { try open() == atRest.map { $0 + 1 } }
                remote.sshd.pause(false)
                #expect(try client.forwards().map { $0["status"] } == ["running", "running"])
                try waitUntil("no question left") { try open() == atRest }
                #expect(remote.master.pid == master)
                #expect(try fetch(port: made.localPort) == server.page)
                #expect(try client.callTool("ssh_exec", ["command": "echo on"])["stdout"] == "on\n")
                remote.sshd.pause(true)
                #expect(try client.forwards().map { $0["status"] } == ["unknown", "unknown"])
                client.closeAbruptly()
                try waitUntil("the question ended with its worker") { !gate.isAlive }
            }
        }
    }

    @Test("hosts are asked side by side, each once whatever names it has, and one that is silent is unknown alone")
    func frozenAmongOthers() throws {
        try withRemote(PrivateSSHD.Options()) { silent in
            try withRemote(PrivateSSHD.Options()) { other in
                let hosts: JSON = [
                    "hosts": [
                        "same": silent.hostEntry, "again": silent.hostEntry, "other": other.hostEntry,
                    ]
                ]
                try withDaemon(hosts, on: silent) { _, client in
                    for host in ["box", "same", "again", "other"] {
                        _ = try client.forward(to: 80, ["host": .string(host)])
                    }
                    func questions() -> Int {
                        silent.sshd.logText().split(whereSeparator: \.isNewline)
                            .count { $0.contains("subsystem request for claude-ssh-daemon-alive") }
                    }
                    let before = questions()
                    #expect(try client.forwards().map { $0["status"] } == Array(repeating: "running", count: 4))
                    #expect(questions() == before + 1)
                    silent.sshd.pause(true)
                    defer { silent.sshd.pause(false) }
                    let asked = ContinuousClock.now
                    for entry in try client.forwards() {
                        #expect(entry["status"] == (entry["host"] == "other" ? "running" : "unknown"), "\(entry)")
                    }
                    #expect(ContinuousClock.now - asked < .seconds(5))
                }
            }
        }
    }

    @Test("whatever a host answers, its forwards run: no session left, none allowed, a forced command, a silent master")
    func answersOfAllKinds() throws {
        var kinds = [PrivateSSHD.Options(maxSessions: 1), PrivateSSHD.Options(maxSessions: 0)]
        kinds += [PrivateSSHD.Options(extraConfig: ["ForceCommand sleep 31.62"])]
        for (options, quiet) in kinds.map({ ($0, false) }) + [(PrivateSSHD.Options(), true)] {
            let remote = try Remote(options, masterOptions: quiet ? ["LogLevel=QUIET"] : [])
            defer { remote.stop() }
            try withDaemon(on: remote) { _, client in
                let made = try client.forward(to: 80)
                #expect(made["status"] == "running", "\(options)")
                func forcedCommands() -> Int {
                    remote.sshd.remoteProcesses(running: "31.62").count { $0.comm == "sleep" }
                }
                let forced = forcedCommands()
                #expect(forced <= 1, "who is there was asked once")
                let busy =
                    options.maxSessions == 1
                    ? try client.beginTool("ssh_exec", ["command": "sleep 31.61", "timeout_seconds": 600]) : nil
                if busy != nil {
                    try waitUntil("the command running") { !remote.sshd.remoteProcesses(running: "31.61").isEmpty }
                }
                let asked = ContinuousClock.now
                #expect(try client.forwards().map { $0["status"] } == ["running"], "\(options)")
                #expect(ContinuousClock.now - asked < .seconds(8), "\(options)")
                #expect(forcedCommands() == forced, "a question starts nothing there")
                if let busy { try client.cancel(busy) }
            }
        }
    }

    @Test("a master that does not answer a request for a forward: that is said, and nothing of it stays open")
    func silentMaster() throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            let relay = try MasterRelay(remote)
            defer { relay.stop() }
            try withDaemon(relay.config, on: remote) { daemon, client in
                relay.hold()
                let port = try freePort()
                let refused = try client.callTool(
                    "ssh_forward_port", ["remote_host": "127.0.0.1", "remote_port": 80, "local_port": .int(port)])
                #expect(refused.isError)
                #expect(refused.text.contains("did not answer in time"), "\(refused)")
                relay.release()
                // Meanwhile the daemon may be closing it without being asked for.
                try waitUntil("the forward forgotten") {
                    guard let entry = try client.forwards().first else { return true }
                    #expect(entry["status"] == "dead", "\(entry)")
                    guard entry["reason"]?.string?.contains("did not answer in time") == true else { return false }
                    return try !client.callTool("ssh_cancel_forward", ["local_port": .int(port)]).isError
                }
                try waitUntil("nothing listening") { try listeners(on: port) == [] }
                #expect(try client.forwards() == [])
                #expect(daemon.stateFiles == [])
            }
        }
    }

    @Test("a master that comes to a request for a forward when nobody waits any more: its port is closed again")
    func lateMaster() throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            let relay = try MasterRelay(remote, isForgetful: false)
            defer { relay.stop() }
            try withDaemon(relay.config, on: remote) { daemon, client in
                relay.hold()
                let port = try freePort()
                let refused = try client.callTool(
                    "ssh_forward_port", ["remote_host": "127.0.0.1", "remote_port": 80, "local_port": .int(port)])
                #expect(refused.text.contains("did not answer in time"), "\(refused)")
                relay.release()
                let record = try daemon.waitForLog("forward closed")
                #expect(record["forward"]?.string?.contains(":\(port):") == true, "\(record)")
                #expect(try listeners(on: port) == [])
                #expect(daemon.stateFiles == [])
                #expect(try client.forwards() == [])
            }
        }
    }

    @Test("a port that its own master has given up elsewhere, and another process has taken, is not called ours")
    func foreignListener() throws {
        let server = try WebServer()
        defer { server.stop() }
        try withRemote(PrivateSSHD.Options()) { remote in
            try withDaemon(on: remote) { daemon, client in
                let made = try client.forward(to: server.port)
                let forward = ["-L", "127.0.0.1:\(made.localPort):127.0.0.1:\(server.port)"]
                #expect(try remote.master.control("cancel", forward).succeeded)
                // Opened anew at once, by the same master even: another socket, of which nothing is known here.
                #expect(try remote.master.control("forward", forward).succeeded)
                _ = try daemon.waitForLog("forward dead")
                let entry = try #require(try client.forwards().first)
                #expect(entry["reason"]?.string?.contains("another process") == true, "\(entry)")
                #expect(try daemon.terminate() == .exited(0))
                #expect(try listeners(on: made.localPort) == ["0100007F"], "what is not ours is left alone")
            }
        }
    }

    @Test("where the host forbids forwarding, or nothing answers there, what is known is said, and the port is open")
    func notReachable() throws {
        let server = try WebServer()
        server.stop()
        let closed = try freePort()
        try withRemote(PrivateSSHD.Options(allowTCPForwarding: false)) { forbidding in
            for remote in [forbidding, try Remote.shared()] {
                try withDaemon(on: remote) { _, client in
                    let made = try client.forward(to: closed)
                    let note = try #require(made["note"]?.string)
                    #expect(note.contains("is not known before it is used"))
                    #expect(note.contains("forbids it"))
                    #expect(try fetch(port: made.localPort) == "")
                    #expect(try client.forwards().first?["status"] == "running")
                }
            }
        }
    }

    @Test("64 forwards at once, and no more; the end closes all of them")
    func many() throws {
        let server = try WebServer()
        defer { server.stop() }
        try withDaemon { daemon, client in
            let calls = try (0..<64).map { _ in
                try client.beginTool(
                    "ssh_forward_port", ["remote_host": "127.0.0.1", "remote_port": .int(server.port)])
            }
            let ports = try calls.map { try $0.waitForTool().localPort }
            #expect(Set(ports).count == 64)
            #expect(!ports.contains(0))
            let more = try client.callTool("ssh_forward_port", ["remote_host": "127.0.0.1", "remote_port": 80])
            #expect(more.isError)
            #expect(more.text.contains("64 forwards already"), "\(more)")
            #expect(try client.forwards().filter { $0["status"] == "running" }.count == 64)
            for port in ports.prefix(3) + ports.suffix(3) { #expect(try fetch(port: port) == server.page) }
            let ours = try ListeningSocket.all().filter { ports.contains($0.port) }
            #expect(ours.count == 64)
            #expect(try daemon.terminate() == .exited(0))
            // By the socket: somebody else may have one of the ports by now.
            #expect(try ListeningSocket.all().isDisjoint(with: ours))
            #expect(daemon.stateFiles == [])
        }
    }

    @Test("a worker killed after the master has opened the port, and before the supervisor knows: found and cancelled")
    func killedBeforeRecorded() throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            let relay = try MasterRelay(remote)
            defer { relay.stop() }
            try withDaemon(relay.config, on: remote) { daemon, client in
                relay.hold()
                let port = try freePort()
                _ = try client.beginTool(
                    "ssh_forward_port", ["remote_host": "127.0.0.1", "remote_port": 80, "local_port": .int(port)])
                let worker = try daemon.waitForWorker()
                try relay.waitForRequest()
                #expect(daemon.state.contains("\"localPort\":\(port)"), "written down before the master hears of it")
                // Its gate can report nothing any more; the master goes on.
                kill(try #require(daemon.gates().first).pid, SIGSTOP)
                relay.release()
                try waitUntil("the port open") { try !listeners(on: port).isEmpty }
                kill(worker.pid, SIGKILL)
                try waitUntil("the port closed") { try listeners(on: port).isEmpty }
                try waitUntil("the state empty") { daemon.stateFiles.isEmpty }
                #expect(try daemon.connect().forwards() == [])
            }
        }
    }

    @Test("the same with the supervisor killed as well: the next one finds the forward in its state, and cancels it")
    func supervisorKilledBeforeRecorded() throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            let relay = try MasterRelay(remote)
            defer { relay.stop() }
            let first = try remote.startDaemon(relay.config)
            defer { first.stop() }
            let client = try first.connect()
            relay.hold()
            let port = try freePort()
            _ = try client.beginTool(
                "ssh_forward_port", ["remote_host": "127.0.0.1", "remote_port": 80, "local_port": .int(port)])
            try relay.waitForRequest()
            kill(try #require(first.gates().first).pid, SIGSTOP)
            relay.release()
            try waitUntil("the port open") { try !listeners(on: port).isEmpty }
            try first.kill9()
            #expect(try listeners(on: port) == ["0100007F"])
            let next = try first.successor(remote)
            defer { next.stop() }
            try waitUntil("the port closed") { try listeners(on: port).isEmpty }
            try waitUntil("the state empty") { first.stateFiles.isEmpty }
        }
    }

    @Test("a chosen port that another program takes before the master does is replaced by another one")
    func lostPort() throws {
        let server = try WebServer()
        defer { server.stop() }
        try withRemote(PrivateSSHD.Options()) { remote in
            let relay = try MasterRelay(remote)
            defer { relay.stop() }
            try withDaemon(relay.config, on: remote) { daemon, client in
                relay.hold()
                let call = try client.beginTool(
                    "ssh_forward_port", ["remote_host": "127.0.0.1", "remote_port": .int(server.port)])
                let match = try waitFor("a port in the state") { daemon.state.firstMatch(of: /"localPort":(\d+)/) }
                let chosen = try #require(Int(match.1))
                let thief = try WebServer(port: chosen)
                defer { thief.stop() }
                relay.release()
                let made = try call.waitForTool()
                #expect(!made.isError, "\(made)")
                #expect(made.localPort != chosen)
                #expect(try fetch(port: made.localPort) == server.page)
                #expect(try client.forwards().map { $0["local_port"] } == [.int(made.localPort)])
            }
        }
    }

    @Test(
        "gates that cannot start are not started for ever: what they were to cancel is logged, and the daemon serves on"
    )
    func noCanceller() throws {
        let remote = try Remote.shared()
        let first = try remote.startDaemon()
        defer { first.stop() }
        let port = try first.connect().forward(to: 80).localPort
        try first.kill9()
        let programs = try TemporaryDirectory(readableByAll: true)
        defer { programs.remove() }
        let name = BuiltBinaries.daemonName
        let daemon = try programs.copyProgram("\(BuiltBinaries.folder())/\(name)", as: name)
        for name in [BuiltBinaries.workerName, BuiltBinaries.gateName] {
            try programs.writeProgram(name, "#!/bin/sh\nexit 1\n")
        }
        var options = RunningDaemon.Options()
        options.binary = daemon
        options.environment["XDG_RUNTIME_DIR"] = first.runtimeDirectory
        let config: JSON = ["mcp_socket": .string(first.socketPath), "capabilities": ["port_forward": false]]
        let next = try remote.startDaemon(config, options)
        defer { next.stop() }
        let record = try next.waitForLog("forward not released")
        #expect(
            record["reason"]?.string?.contains("ssh -O cancel -S \(remote.master.socketPath) ") == true, "\(record)")
        #expect(try next.terminate() == .exited(0))
        #expect(next.logRecords().filter { $0["msg"] == "gate ended" }.count <= 2)
        let specification = "127.0.0.1:\(port):127.0.0.1:80"
        #expect(try remote.master.control("cancel", ["-L", specification]).succeeded)
    }

    @Test("a call that is cancelled while its forward is made leaves none")
    func cancelledCall() throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            let relay = try MasterRelay(remote)
            defer { relay.stop() }
            try withDaemon(relay.config, on: remote) { daemon, client in
                relay.hold()
                let port = try freePort()
                let call = try client.beginTool(
                    "ssh_forward_port", ["remote_host": "127.0.0.1", "remote_port": 80, "local_port": .int(port)])
                try relay.waitForRequest()
                try client.cancel(call)
                relay.release()
                _ = try daemon.waitForLog("forward closed")
                #expect(try listeners(on: port) == [])
                #expect(try client.forwards() == [])
            }
        }
    }

    @Test("a killed supervisor whose next config lacks the host: the next start cancels its forwards")
    func cancelledOnStart() throws {
        let remote = try Remote.shared()
        let first = try remote.startDaemon()
        defer { first.stop() }
        let port = try first.connect().forward(to: 80).localPort
        try first.kill9()
        #expect(try listeners(on: port) == ["0100007F"])
        let next = try first.successor(remote, ["capabilities": ["port_forward": false]])
        defer { next.stop() }
        try waitUntil("the port closed") { try listeners(on: port).isEmpty }
        try waitUntil("the state empty") { first.stateFiles.isEmpty }
    }

    @Test("a reload without the host, or without its capability, cancels its forwards; the others stay")
    func reload() throws {
        let remote = try Remote.shared()
        let both: JSON = ["hosts": ["other": remote.hostEntry]]
        let daemon = try remote.startDaemon(both)
        defer { daemon.stop() }
        let client = try daemon.connect()
        let box = try client.forward(to: 80).localPort
        let other = try client.forward(to: 80, ["host": "other"]).localPort
        try daemon.rewriteConfig(remote.config(["mcp_socket": .string(daemon.socketPath)]))
        daemon.signal(SIGHUP)
        try waitUntil("the port of the host that left closed") { try listeners(on: other).isEmpty }
        #expect(try listeners(on: box) == ["0100007F"])
        #expect(try client.forwards().map { $0["local_port"] } == [.int(box)])
        try daemon.rewriteConfig(
            remote.config(["mcp_socket": .string(daemon.socketPath), "capabilities": ["port_forward": false]]))
        daemon.signal(SIGHUP)
        try waitUntil("the port closed") { try listeners(on: box).isEmpty }
    }

    @Test("a state file that is damaged is set aside with a warning, and the daemon serves", arguments: ["{", "[1]"])
    func damagedState(text: String) throws {
        let remote = try Remote.shared()
        let first = try remote.startDaemon()
        defer { first.stop() }
        let client = try first.connect()
        let made = try client.forward(to: 80)
        let file = try #require(first.stateFiles.first)
        var status = stat()
        #expect(stat(file, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o600)
        try first.kill9()
        try Data(text.utf8).write(to: URL(filePath: file))
        let next = try first.successor(remote)
        defer { next.stop() }
        let warning = try next.waitForLog("state of forwards")
        #expect(warning["level"] == "WARN")
        #expect(warning["error"]?.string?.contains("\(file) is not used") == true, "\(warning)")
        #expect(FileManager.default.fileExists(atPath: "\(file).bad"))
        #expect(try next.connect().forwards() == [])
        let specification = "127.0.0.1:\(made.localPort):127.0.0.1:80"
        #expect(try remote.master.control("cancel", ["-L", specification]).succeeded)
    }

    @Test("what cannot be released at the end is logged with the line that does it, and the next start tries again")
    func notReleased() throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            let first = try remote.startDaemon()
            defer { first.stop() }
            let port = try first.connect().forward(to: 80).localPort
            let master = try #require(remote.master.pid)
            kill(master, SIGSTOP)
            defer { kill(master, SIGCONT) }
            #expect(try first.terminate() == .exited(0))
            let record = try #require(first.logRecords().first { $0["msg"] == "forward not released" })
            let line = "ssh -O cancel -S \(remote.master.socketPath) -L 127.0.0.1:\(port):127.0.0.1:80 "
            #expect(record["reason"]?.string?.contains(line + remote.master.destination) == true, "\(record)")
            kill(master, SIGCONT)
            // The orders of the canceller may have waited in the master all the time, or the next start gives them again.
            let next = try first.successor(remote)
            defer { next.stop() }
            try waitUntil("the port closed") { try listeners(on: port).isEmpty }
            try waitUntil("the state empty") { first.stateFiles.isEmpty }
        }
    }

    @Test(
        "a Unix socket of the host is reached where forward_allowlist names it, and nowhere else; the next daemon knows it",
        arguments: ["mux", "ssh"])
    func leadsToUnixSocket(transport: String) throws {
        let remote = try Remote.shared()
        let place = try TemporaryDirectory(readableByAll: true)
        let path = place.file("s")
        let listener = OwnedFD(taking: unixSocket())
        try withSocketAddress(path) { address, length in
            try #require(bind(listener.rawValue, address, length) == 0 && listen(listener.rawValue, 4) == 0)
        }
        chmod(path, 0o777)
        let number = listener.rawValue
        defer { shutdown(number, Int32(SHUT_RDWR)) }
        Thread.detachNewThread {
            while true {
                let client = accept(number, nil, nil)
                guard client >= 0 else { return }
                let answer = "HTTP/1.0 200 OK\r\n\r\nfrom the socket"
                _ = send(client, answer, answer.utf8.count, Int32(MSG_NOSIGNAL))
                close(client)
            }
        }
        let wanted: JSON = ["remote_socket": .string(path)]
        let config: JSON = ["transport": .string(transport), "audit_log": .string(place.file("audit.log"))]
        func with(_ list: [JSON]) -> JSON {
            config.merging(["hosts": ["box": ["forward_allowlist": .array(list)]]])
        }
        for (list, says) in [(nil, "forward_allowlist, which is not set"), ([], "it is empty"), (["*:*"], "\"*:*\"")]
            as [([JSON]?, String)]
        {
            try withDaemon(list.map(with) ?? config) { daemon, client in
                let refused = try client.callTool("ssh_forward_port", wanted)
                #expect(refused.isError && refused.text.contains(says), "\(refused)")
                #expect(
                    daemon.logRecords().contains {
                        $0["rule"] == "forward_allowlist" && $0["what"]?["remote_socket"]?.string == path
                    })
            }
        }
        let allowed = with([.string("unix:\(path)")])
        let first = try remote.startDaemon(allowed)
        defer { first.stop() }
        let client = try first.connect()
        let made = try client.callTool("ssh_forward_port", wanted)
        #expect(made["status"] == "running" && made["remote_socket"]?.string == path, "\(made)")
        #expect(made["remote_host"] == nil && made["note"]?.string?.contains("every user of this machine") == true)
        #expect(try fetch(port: made.localPort) == "from the socket")
        let again = try client.callTool(
            "ssh_forward_port", wanted.merging(["local_port": .int(made.localPort)]))
        #expect(again["forward_id"] == made["forward_id"], "\(again)")
        let elsewhere = try client.callTool("ssh_forward_port", ["remote_host": "127.0.0.1", "remote_port": 80])
        #expect(elsewhere.isError && elsewhere.text.contains("does not cover"), "\(elsewhere)")

        try first.kill9()
        let next = try first.successor(remote, allowed)
        defer { next.stop() }
        let second = try next.connect()
        let listed = try #require(try second.forwards().first)
        #expect(listed["remote_socket"]?.string == path && listed["status"] == "running", "\(listed)")
        #expect(try fetch(port: made.localPort) == "from the socket")
        let cancelled = try second.callTool("ssh_cancel_forward", ["local_port": .int(made.localPort)])
        #expect(cancelled["cancelled"] == true && cancelled["remote_socket"]?.string == path, "\(cancelled)")
        #expect(try listeners(on: made.localPort) == [])
    }

    @Test("a host's forward_allowlist, and the metadata addresses, hold at the tool")
    func policy() throws {
        try withDaemon(["hosts": ["box": ["forward_allowlist": ["127.0.0.1:80"]]]]) { _, client in
            let outside = try client.callTool("ssh_forward_port", ["remote_host": "127.0.0.1", "remote_port": 81])
            #expect(outside.isError)
            #expect(outside.text.contains("hosts.box.forward_allowlist does not cover 127.0.0.1 port 81"), "\(outside)")
            _ = try client.forward(to: 80)
        }
        try withDaemon { _, client in
            let metadata = try client.callTool("ssh_forward_port", ["remote_host": "0xA9FEA9FE", "remote_port": 80])
            #expect(metadata.isError)
            #expect(metadata.text.contains("metadata"), "\(metadata)")
        }
    }
}
