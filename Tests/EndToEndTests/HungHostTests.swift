import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// ControlMasters and networks that stop without a word: what is said of them, how soon, and that what is said helps.
@Suite struct HungHostTests {
    static let transports = ["mux", "ssh"]

    private static func config(_ remote: Remote, _ transport: String) -> JSON {
        [
            "transport": .string(transport),
            "hosts": ["box": remote.hostEntry.merging(["port": .int(remote.sshd.port)])],
        ]
    }

    /// The status of the one host.
    private static func status(_ client: MCPClient) throws -> JSON {
        try #require(try client.callTool("ssh_connection_status")["hosts"]?.array?.first)
    }

    @Test(
        "a ControlMaster that hangs is told as that, and the line of the hint brings the host back",
        arguments: transports)
    func hungMaster(transport: String) throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            try withDaemon(Self.config(remote, transport), on: remote) { _, client in
                #expect(try Self.status(client)["responding"] == true)
                #expect(try client.callTool("ssh_exec", ["command": "true"])["exit_code"] == 0)
                let master = try #require(remote.master.pid)
                kill(master, SIGSTOP)
                let result = try client.callTool("ssh_exec", ["command": "true", "timeout_seconds": 3])
                #expect(result.isError && result.text.contains("Nothing was run."), "\(result)")
                let status = try Self.status(client)
                #expect(status["connected"] == false && status["responding"] == false, "\(status)")
                let hint = try HintShell.command(in: status["hint"]?.string ?? "")
                #expect(try HintShell.command(in: result.text) == hint)
                #expect(hint.contains("-o ServerAliveInterval=15 -o ServerAliveCountMax=3 -p \(remote.sshd.port) "))
                let shell = try HintShell(remote)
                defer { shell.close() }
                let typed = try shell.type(hint)
                #expect(typed.succeeded, "\(typed)")
                #expect(try client.callTool("ssh_exec", ["command": "echo back"])["stdout"] == "back\n")
                let then = try Self.status(client)
                #expect(then["connected"] == true && then["responding"] == true && then["hint"] == nil, "\(then)")
            }
        }
    }

    /// A network that takes everything and brings nothing: a proxy on the way to the sshd, which is stopped.
    private static func withFrozenNetwork(
        _ options: PrivateSSHD.Options, _ transport: String,
        _ body: (_ remote: Remote, _ client: MCPClient, _ freeze: (Bool) -> Void) throws -> Void
    ) throws {
        let socat = try findProgram("socat")
        let remote = try Remote(options, masterOptions: ["ProxyCommand=\(socat) - TCP4:%h:%p"])
        defer { remote.stop() }
        let master = try #require(remote.master.pid)
        let proxy = try waitFor("the proxy") {
            ProcessTable().children(of: master).first { $0.arguments.first?.hasSuffix("socat") == true }
        }
        let freeze: (Bool) -> Void = { kill(proxy.pid, $0 ? SIGSTOP : SIGCONT) }
        defer { freeze(false) }
        try withDaemon(config(remote, transport), on: remote) { _, client in try body(remote, client, freeze) }
    }

    @Test(
        "a network that dies without a word: a command may or may not have begun, the status tells it, the hint helps",
        arguments: transports)
    func frozenNetwork(transport: String) throws {
        try Self.withFrozenNetwork(PrivateSSHD.Options(), transport) { remote, client, freeze in
            #expect(try client.callTool("ssh_exec", ["command": "true"])["exit_code"] == 0)
            freeze(true)
            let result = try client.callTool("ssh_exec", ["command": "true", "timeout_seconds": 3])
            #expect(
                result.isError && result.text.contains("\"box\" does not answer, while its ControlMaster does"),
                "\(result)")
            #expect(result.text.contains("may or may not have begun"), "\(result)")
            let status = try Self.status(client)
            #expect(status["connected"] == true && status["responding"] == false, "\(status)")
            let hint = try HintShell.command(in: result.text)
            #expect(status["hint"]?.string?.hasSuffix(hint) == true, "\(status)")
            let shell = try HintShell(remote)
            defer { shell.close() }
            let typed = try shell.type(hint)
            #expect(typed.succeeded, "\(typed)")
            #expect(try client.callTool("ssh_exec", ["command": "echo back"])["stdout"] == "back\n")
            #expect(try Self.status(client)["responding"] == true)
        }
    }

    @Test("calls behind the first are told the same, and no limit of sessions is blamed")
    func manyCalls() throws {
        try Self.withFrozenNetwork(PrivateSSHD.Options(), "mux") { remote, client, freeze in
            #expect(try client.callTool("ssh_exec", ["command": "true"])["exit_code"] == 0)
            freeze(true)
            let calls = try (0..<12).map { _ in
                try client.beginTool("ssh_exec", ["command": "true", "timeout_seconds": 5])
            }
            for call in calls {
                let result = try call.waitForTool(timeout: .seconds(60))
                #expect(result.isError && result.text.contains("does not answer"), "\(result)")
                #expect(!result.text.contains("MaxSessions") && !result.text.contains("sessions_per_host"), "\(result)")
            }
            freeze(false)
            #expect(try client.callTool("ssh_exec", ["command": "echo back"])["stdout"] == "back\n")
        }
    }

    @Test("a command that had begun keeps its output, and what cannot be stopped is told to be unknown")
    func begun() throws {
        try Self.withFrozenNetwork(PrivateSSHD.Options(), "mux") { remote, client, freeze in
            let mark = "33\(UInt32.random(in: 1_000_000...9_999_999))"
            let call = try client.beginTool(
                "ssh_exec", ["command": .string("echo first; exec sleep \(mark)"), "timeout_seconds": 6])
            try waitUntil("the command running") { !remote.sshd.remoteProcesses(running: "sleep \(mark)").isEmpty }
            // Its first output has come by then: a session beside it has been answered.
            #expect(try client.callTool("ssh_exec", ["command": "true"])["exit_code"] == 0)
            freeze(true)
            let result = try call.waitForTool(timeout: .seconds(60))
            #expect(result["timed_out"] == true && result["stopped"] == "unknown", "\(result)")
            #expect(result["stdout"] == "first\n" && result["responding"] == false, "\(result)")
            #expect(result["hint"]?.string?.contains("ssh -O exit -S") == true, "\(result)")
        }
    }

    @Test("files: reads and writes are given up within seconds, with what is sure", arguments: FileTransport.all)
    func files(over transport: FileTransport) throws {
        try Self.withFrozenNetwork(transport.options, "mux") { remote, client, freeze in
            let place = try Place()
            let path = try place.write("file", "text\n")
            #expect(try client.callTool("ssh_read_file", ["path": .string(path)])["content"] == "text\n")
            freeze(true)
            let read = try client.callTool("ssh_read_file", ["path": .string(path)])
            #expect(read.isError && read.text.contains("does not answer, while its ControlMaster does"), "\(read)")
            let write = try client.callTool(
                "ssh_write_file", ["path": .string(place.file("new")), "content": "x"], timeout: .seconds(60))
            #expect(write.isError && write.text.contains("does not answer, while its ControlMaster does"), "\(write)")
            freeze(false)
            #expect(
                try client.callTool("ssh_read_file", ["path": .string(path)], timeout: .seconds(60))["content"]
                    == "text\n")
        }
    }

    @Test("a host that has stopped behind a living network is told the same", arguments: transports)
    func stoppedHost(transport: String) throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            try withDaemon(Self.config(remote, transport), on: remote) { _, client in
                #expect(try client.callTool("ssh_exec", ["command": "true"])["exit_code"] == 0)
                remote.sshd.pause(true)
                defer { remote.sshd.pause(false) }
                let result = try client.callTool("ssh_exec", ["command": "true", "timeout_seconds": 3])
                #expect(result.isError && result.text.contains("may or may not have begun"), "\(result)")
                #expect(try Self.status(client)["responding"] == false)
                remote.sshd.pause(false)
                #expect(try client.callTool("ssh_exec", ["command": "echo back"])["stdout"] == "back\n")
            }
        }
    }
}

/// The line of a hint opens the session as the config says that the user does it.
@Suite struct HintTests {
    @Test(
        "a hint has the port, the jump hosts and the name in ssh_config, and does what it says",
        arguments: ["port", "alias", "jump"])
    func works(kind: String) throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            var entry = remote.hostEntry
            var config = ""
            let wanted: String
            let direct = "-p \(remote.sshd.port) "
            switch kind {
            case "port":
                entry = entry.merging(["port": .int(remote.sshd.port)])
                wanted = "\(direct)\(remote.master.destination)"
            case "alias":
                config =
                    "Host far-box\nHostName \(remote.sshd.address)\nPort \(remote.sshd.port)\nUser \(remote.sshd.loginUser.name)"
                entry = entry.merging(["ssh_config_host": "far-box"])
                wanted = "far-box"
            default:
                // ssh takes a jump host of the target's own name for a loop.
                let jump = "\(remote.sshd.loginUser.name)@localhost:\(remote.sshd.port)"
                config = "Host localhost\nHostKeyAlias [\(remote.sshd.address)]:\(remote.sshd.port)"
                entry = entry.merging(["port": .int(remote.sshd.port), "jump": .string(jump)])
                wanted = "\(direct)-J \(jump) \(remote.master.destination)"
            }
            try withDaemon(["hosts": ["box": entry]], on: remote) { _, client in
                #expect(try client.callTool("ssh_exec", ["command": "true"])["exit_code"] == 0)
                remote.master.kill()
                let result = try client.callTool("ssh_exec", ["command": "true"])
                let hint = try HintShell.command(in: result.text)
                #expect(
                    hint.hasSuffix(" -fN -o ServerAliveInterval=15 -o ServerAliveCountMax=3 \(wanted)"), "\(result)")
                let shell = try HintShell(remote, config: config)
                defer { shell.close() }
                let typed = try shell.type(hint)
                #expect(typed.succeeded, "\(typed)")
                #expect(try client.callTool("ssh_exec", ["command": "echo back"])["stdout"] == "back\n")
            }
        }
    }
}
