import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// ControlMasters that end under work, and come back; many sessions at once; ends that nobody told. With both transports.
@Suite struct MasterEndTests {
    private static func mark() -> String { "37\(UInt32.random(in: 1_000_000...9_999_999))" }

    private static func running(_ mark: String, on remote: Remote) -> [ProcessEntry] {
        remote.sshd.remoteProcesses(running: mark).filter { $0.comm == "sleep" }
    }

    private static func running(_ count: Int, _ mark: String, on remote: Remote) throws {
        try waitUntil("\(count) commands running", timeout: .seconds(60)) { running(mark, on: remote).count == count }
    }

    private static let many: JSON = ["limits": ["sessions_per_host": 40]]

    @Test(
        "a master that ends while 30 sessions run, by itself or killed: each call is told that its outcome is unknown, and no place is lost",
        arguments: BothTransports.all, [true, false])
    func thirty(transport: String, isKilled: Bool) throws {
        try withRemote(PrivateSSHD.Options(maxSessions: 41)) { remote in
            try withDaemon(BothTransports.config(transport, Self.many), on: remote) { daemon, client in
                let worker = try daemon.waitForWorker()
                let mark = Self.mark()
                let calls = try (0..<30).map { _ in
                    try client.beginTool("ssh_exec", ["command": .string("sleep \(mark)"), "timeout_seconds": 600])
                }
                try Self.running(30, mark, on: remote)
                if isKilled { remote.master.kill() } else { remote.master.stop() }
                for call in calls {
                    let result = try call.waitForTool(timeout: .seconds(60))
                    #expect(result.isError && result.text.contains("unknown"), "\(result)")
                    #expect(result.text.contains("look before you run it again"), "\(result)")
                }
                let down = try client.callTool("ssh_exec", ["command": "true"])
                #expect(down.isError && down.text.contains("is not up"), "\(down)")
                for process in Self.running(mark, on: remote) { process.killIfAlive() }
                try remote.master.restart()
                // As many again, which must be there at once.
                let second = Self.mark()
                let again = try (0..<30).map { _ in
                    try client.beginTool("ssh_exec", ["command": .string("sleep \(second)"), "timeout_seconds": 600])
                }
                try Self.running(30, second, on: remote)
                for process in Self.running(second, on: remote) { process.killIfAlive() }
                for call in again { #expect(try call.waitForTool(timeout: .seconds(60))["exit_code"] == 137) }
                #expect(worker.isAlive && daemon.gates().count == 1)
            }
        }
    }

    @Test(
        "a master that ends while a file is on its way: the call is told, and the target stays",
        arguments: BothTransports.all)
    func transfer(transport: String) throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            let (place, local) = (try Place(), try Place())
            let source = try place.makeSparse("source", size: 256 << 20)
            try local.write("target", "precious")
            try withDaemon(
                BothTransports.config(transport, ["safeguards": ["allow_overwrite": true]]), on: remote
            ) { _, client in
                let arguments: JSON = [
                    "local_path": .string(local.file("target")), "remote_path": .string(source),
                ]
                let call = try client.beginTool("ssh_download_file", arguments, meta: ["progressToken": "t"])
                try waitUntil("the first report") { !client.progress("t").isEmpty || call.isAnswered }
                remote.sshd.pause(true)
                remote.master.kill()
                let result = try call.waitForTool()
                #expect(result.isError, "\(result)")
                #expect(!result.text.contains("claude-ssh-gate"), "the gate is not to blame: \(result)")
                remote.sshd.pause(false)
                try waitUntil("only the target being left") { try local.names == ["target"] }
                #expect(try local.content("target") == "precious")
                try remote.master.restart()
                let again = try client.callTool("ssh_download_file", arguments, timeout: .seconds(60))
                #expect(!again.isError, "\(again)")
            }
        }
    }

    @Test(
        "a master that is restarted under the same path is used by the next call, and what was lost with the old one is told",
        arguments: BothTransports.all)
    func restarted(transport: String) throws {
        let server = try WebServer()
        defer { server.stop() }
        try withRemote(PrivateSSHD.Options(maxSessions: 4)) { remote in
            let place = try Place()
            let file = try place.write("f", "content")
            try withDaemon(BothTransports.config(transport), on: remote) { daemon, client in
                let worker = try daemon.waitForWorker()
                let target: JSON = ["remote_host": "127.0.0.1", "remote_port": .int(server.port)]
                let made = try client.callTool("ssh_forward_port", target)
                #expect(!made.isError, "\(made)")
                let port = try #require(made["local_port"]?.int)
                #expect(try client.callTool("ssh_read_file", ["path": .string(file)])["content"] == "content")
                for isKilled in [false, true] {
                    let mark = Self.mark()
                    let lost = try client.beginTool(
                        "ssh_exec", ["command": .string("sleep \(mark)"), "timeout_seconds": 600])
                    try Self.running(1, mark, on: remote)
                    if isKilled { remote.master.kill() }
                    try remote.master.restart()
                    // No call was made between the two masters, and the file channel was the old one's.
                    let run = try client.callTool("ssh_exec", ["command": "echo on"])
                    #expect(run["stdout"] == "on\n", "\(run)")
                    let read = try client.callTool("ssh_read_file", ["path": .string(file)])
                    #expect(read["content"] == "content", "\(read)")
                    let result = try lost.waitForTool()
                    #expect(result.isError || result["exit_code"] == -1, "nothing is known of its end: \(result)")
                    for process in Self.running(mark, on: remote) { process.killIfAlive() }
                    let status = try client.callTool("ssh_connection_status")["hosts"]?.array?.first
                    #expect(status?["connected"] == true, "\(String(describing: status))")
                    let listed = try #require(try client.callTool("ssh_list_forwards")["forwards"]?.array?.first)
                    #expect(listed["status"] != "running" && listed["local_port"] == .int(port), "\(listed)")
                    #expect(listed["reason"]?.string?.isEmpty == false, "\(listed)")
                    // The same forward on the same port, by the new master.
                    let again = try client.callTool("ssh_forward_port", target)
                    #expect(again["local_port"] == .int(port) && again["status"] == "running", "\(again)")
                    #expect(try fetch(port: port) == server.page)
                }
                // Three for commands and files, one for stopping: none was lost with the old masters.
                let mark = Self.mark()
                let calls = try (0..<3).map { _ in
                    try client.beginTool("ssh_exec", ["command": .string("sleep \(mark)"), "timeout_seconds": 600])
                }
                try Self.running(3, mark, on: remote)
                for call in calls { try client.cancel(call) }
                try Self.running(0, mark, on: remote)
                #expect(worker.isAlive)
            }
        }
    }

    @Test(
        "100 calls at once on a host with few sessions: each has its own answer, and none is lost",
        arguments: BothTransports.all)
    func hundred(transport: String) throws {
        try withRemote(PrivateSSHD.Options(maxSessions: 8)) { remote in
            try withDaemon(BothTransports.config(transport), on: remote) { daemon, client in
                let calls = try (0..<100).map { number in
                    try client.beginTool(
                        "ssh_exec", ["command": .string("echo out \(number); exit \(number)"), "timeout_seconds": 300])
                }
                for (number, call) in calls.enumerated() {
                    let result = try call.waitForTool(timeout: .seconds(300))
                    #expect(result["stdout"] == .string("out \(number)\n"), "\(result)")
                    #expect(result["exit_code"] == .int(number), "\(result)")
                }
                #expect(try client.callTool("ssh_exec", ["command": "exit 3"])["exit_code"] == 3)
                #expect(daemon.workerPIDs().count == 1 && daemon.gates().count == 1)
            }
        }
    }

    @Test(
        "where others hold all sessions of the host, that is said, and a call that can wait has one when they end",
        arguments: BothTransports.all)
    func others(transport: String) throws {
        try withRemote(PrivateSSHD.Options(maxSessions: 2)) { remote in
            try withDaemon(BothTransports.config(transport), on: remote) { _, client in
                let held = try (0..<2).map { _ in
                    try MuxConnection(remote.master.socketPath, "echo up; cat", keepsInput: true)
                }
                for session in held { try session.run("it being open") { $0.stdout.elementsEqual("up\n".utf8) } }
                let refused = try client.callTool("ssh_exec", ["command": "true", "timeout_seconds": 2])
                #expect(refused.isError && refused.text.contains("MaxSessions"), "\(refused)")
                #expect(refused.text.contains("None is held by this connection"), "\(refused)")
                #expect(refused.text.contains("not run"), "\(refused)")
                let file = try client.callTool("ssh_read_file", ["path": "/etc/hostname"], timeout: .seconds(60))
                #expect(file.isError && file.text.contains("MaxSessions"), "\(file)")
                let waiting = try client.beginTool("ssh_exec", ["command": "echo at last", "timeout_seconds": 300])
                for session in held { session.finishInput() }
                for session in held { try session.runToEnd() }
                let result = try waiting.waitForTool(timeout: .seconds(300))
                #expect(result["stdout"] == "at last\n", "\(result)")
            }
        }
    }

    @Test(
        "a death by a signal, of a command and of all that is around it, is told as far as it was seen",
        arguments: BothTransports.all)
    func signals(transport: String) throws {
        try withDaemon(BothTransports.config(transport)) { _, client in
            for (name, code) in [("KILL", 137), ("SEGV", 139)] {
                let result = try client.callTool("ssh_exec", ["command": .string("echo before; kill -\(name) $$")])
                #expect(result["exit_code"] == .int(code) && result["signal"] == .string("SIG\(name)"), "\(result)")
                #expect(result["stdout"] == "before\n", "\(result)")
            }
            // What leads the session is the script around the command. With it dies whoever would tell the end, and sshd tells a
            // signal only, of which the ControlMaster says nothing.
            let unseen = try client.callTool(
                "ssh_exec", ["command": #"echo before; kill -KILL "$(ps -o sid= -p $$ | tr -d ' ')""#])
            #expect(!unseen.isError && unseen["exit_code"] == -1, "\(unseen)")
            #expect(unseen["signal"] == nil && unseen["timed_out"] == false, "\(unseen)")
            #expect(unseen["stdout"] == "before\n", "\(unseen)")
            let all = try client.callTool("ssh_exec", ["command": "echo before; kill -KILL 0"])
            #expect(!all.isError && all["exit_code"] == -1 && all["signal"] == nil, "\(all)")
            #expect(try client.callTool("ssh_exec", ["command": "exit 3"])["exit_code"] == 3)
        }
    }

    // MARK: A host that is named twice

    @Test("a host that is named twice, by two keys, has its sessions once", arguments: BothTransports.all)
    func twoKeys(transport: String) throws {
        try withRemote(PrivateSSHD.Options(maxSessions: 4)) { remote in
            let patch: JSON = ["hosts": ["again": remote.hostEntry], "limits": ["sessions_per_host": 2]]
            try withDaemon(BothTransports.config(transport, patch), on: remote) { _, client in
                let mark = Self.mark()
                let calls = try ["box", "again"].map {
                    try client.beginTool(
                        "ssh_exec",
                        ["host": .string($0), "command": .string("sleep \(mark)"), "timeout_seconds": 600])
                }
                try Self.running(2, mark, on: remote)
                for name in ["box", "again"] {
                    let result = try client.callTool(
                        "ssh_exec", ["host": .string(name), "command": "true", "timeout_seconds": 1])
                    #expect(
                        result.isError && result.text.contains("sessions_per_host is 2, held by 2 commands"),
                        "\(result)")
                }
                for call in calls { try client.cancel(call) }
                try Self.running(0, mark, on: remote)
                for name in ["box", "again"] {
                    let run = try client.callTool("ssh_exec", ["host": .string(name), "command": "echo on"])
                    #expect(run["stdout"] == "on\n", "\(run)")
                }
                let status = try client.callTool("ssh_connection_status")["hosts"]?.array ?? []
                #expect(status.count == 2 && status.allSatisfy { $0["connected"] == true }, "\(status)")
            }
        }
    }

    @Test("a host that is named twice by one key is a mistake of the config, of a start, and of a reload")
    func oneKeyTwice() throws {
        let entry = #""box": {"socket": "/run/a", "user": "u", "host": "h", "exec_allowlist": []}"#
        let other = #""box": {"socket": "/run/b", "user": "u", "host": "h"}"#
        let text = #"{"mcp_socket": "/run/m", "hosts": {\#(entry), \#(other)}}"#
        let place = try TemporaryDirectory()
        let config = try place.write("config.json", text)
        try #require(chmod(config, 0o600) == 0)
        let checked = try runDaemonCommand(["check", "--config", config])
        #expect(checked.status == .exited(2))
        #expect(checked.outputText.contains("error: hosts.box: is given twice"), "\(checked.outputText)")
        let (status, log) = try runDaemonExpectingFailure(config: text)
        #expect(status == .exited(2) && log.contains("hosts.box: is given twice"), "\(log)")
        try withDaemon { daemon, client in
            let start = daemon.logRecords().count
            try Data(text.utf8).write(to: URL(filePath: daemon.configFile))
            daemon.signal(SIGHUP)
            try daemon.waitForLog("config not reloaded", from: start) {
                $0["error"]?.string?.contains("hosts.box: is given twice") == true
            }
            #expect(try client.callTool("ssh_exec", ["command": "echo old"])["stdout"] == "old\n")
        }
    }
}
