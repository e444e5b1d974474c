import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// `"transport": "ssh"`: a worker that executes `ssh` and nothing else, and what else is executed in its place.
@Suite struct SSHTransportTests {
    private static let ssh: JSON = ["transport": "ssh"]

    /// A copy of `Tests/FakeSSH` with this conduct.
    private static func fake(_ conduct: String, in place: TemporaryDirectory) throws -> String {
        try place.copyProgram("\(BuiltBinaries.folder())/FakeSSH", as: conduct)
    }

    @Test("the command line of ssh has a ticket and no command, and nothing of the worker is left behind")
    func commandLine() throws {
        try withDaemon(Self.ssh) { daemon, client in
            let worker = try daemon.waitForWorker()
            let call = try client.beginTool(
                "ssh_exec", ["command": "echo begun-4711 && exec sleep 4711", "env": ["NAME": "value-4711"]])
            let ssh = try waitFor("the ssh of the command") { ProcessTable().children(of: worker.pid).first }
            #expect(ssh.arguments.first == "/usr/bin/ssh")
            #expect(!ssh.arguments.contains { $0.contains("4711") || $0.contains("sleep") }, "\(ssh.arguments)")
            let ticket = try #require(ssh.arguments.last)
            #expect(ticket.utf8.count > 20 && ticket.allSatisfy { $0.isASCII && ($0.isNumber || $0.isLowercase) })
            #expect(ssh.arguments.contains("/nonexistent/claude-ssh-gate"))
            try client.cancel(call)
            _ = try waitFor("the end of ssh") { ProcessTable().children(of: worker.pid).isEmpty ? true : nil }
            let result = try client.callTool("ssh_exec", ["command": "echo $HOME; exit 3"])
            #expect(result["exit_code"] == 3)
            _ = try waitFor("the end of ssh") { ProcessTable().children(of: worker.pid).isEmpty ? true : nil }
        }
    }

    @Test("a worker without the transport executes no ssh")
    func mux() throws {
        try withDaemon(["transport": "mux"]) { daemon, client in
            let worker = try daemon.waitForWorker()
            let call = try client.beginTool("ssh_exec", ["command": "exec cat /dev/zero >/dev/null"])
            let seen = try waitFor("the command") {
                ProcessTable().entries.contains { $0.arguments == ["cat", "/dev/zero"] } ? true : nil
            }
            #expect(seen && ProcessTable().children(of: worker.pid).isEmpty)
            try client.cancel(call)
        }
    }

    @Test(
        "an ssh that cannot run is said to be that, and takes nothing else with it",
        arguments: ["leaves", "dies", "silent"])
    func broken(conduct: String) throws {
        let place = try TemporaryDirectory(readableByAll: true)
        let program = try Self.fake(conduct, in: place)
        try withDaemon(["transport": "ssh", "ssh_path": .string(program)]) { daemon, client in
            let result = try client.callTool("ssh_exec", ["command": "true"], timeout: .seconds(60))
            #expect(result.isError && result.text.contains("ssh cannot run here"), "\(result)")
            let word = ["leaves": "\(program) ended with status 3", "dies": "was ended by SIG", "silent": "in time"]
            #expect(result.text.contains(word[conduct] ?? "?"), "\(result)")
            let status = try client.callTool("ssh_connection_status")
            #expect(status["hosts"]?.array?.first?["connected"] == true, "\(status)")
            #expect(daemon.workerPIDs().count == 1)
        }
    }

    @Test("a reload leaves running workers their transport, and gives the next ones the new one")
    func reload() throws {
        let remote = try Remote.shared()
        let daemon = try remote.startDaemon(Self.ssh)
        defer { daemon.stop() }
        let first = try daemon.connect()
        #expect(try first.callTool("ssh_exec", ["command": "exit 4"])["exit_code"] == 4)
        let start = daemon.logRecords().count
        try daemon.rewriteConfig(
            remote.config(["transport": "mux"]).merging(["mcp_socket": .string(daemon.socketPath)]))
        daemon.signal(SIGHUP)
        try daemon.waitForLog("config reloaded", from: start)
        #expect(try first.callTool("ssh_exec", ["command": "exit 5"])["exit_code"] == 5)
        first.closeAbruptly()
        try daemon.waitForLog("client disconnected", from: start)
        let second = try daemon.connect()
        #expect(try second.callTool("ssh_exec", ["command": "exit 6"])["exit_code"] == 6)
        let again = daemon.logRecords().count
        try daemon.rewriteConfig(remote.config(Self.ssh).merging(["mcp_socket": .string(daemon.socketPath)]))
        daemon.signal(SIGHUP)
        try daemon.waitForLog("config reloaded", from: again)
        #expect(try second.callTool("ssh_exec", ["command": "exit 7"])["exit_code"] == 7)
        second.closeAbruptly()
    }

    @Test("where the kernel gives no listener, check and a start say so and name the other transport")
    func noListener() throws {
        let place = try TemporaryDirectory(readableByAll: true)
        let launcher = try Self.fake("with-listener", in: place)
        let daemon = "\(try BuiltBinaries.folder())/\(BuiltBinaries.daemonName)"
        for (transport, isUsable) in [("ssh", false), ("mux", true)] {
            let config = try place.write(
                "\(transport).json",
                #"{"ssh_socket": "/nonexistent/s", "ssh_user": "u", "ssh_host": "h", "mcp_socket": "\#(place.file("m"))", "transport": "\#(transport)"}"#
            )
            try #require(chmod(config, 0o600) == 0)
            let checked = try run(launcher, [daemon, "check", "--config", config])
            #expect((checked.status == .exited(0)) == isUsable, "\(checked.outputText)")
            guard !isUsable else { continue }
            let error = checked.outputText.split(separator: "\n").first { $0.hasPrefix("error: transport: ") }
            #expect(error?.contains("\"transport\": \"mux\"") == true, "\(checked.outputText)")
            #expect(error?.contains("has a filter with one already") == true, "\(checked.outputText)\(error ?? "none")")
            let started = try run(launcher, [daemon, "--config", config])
            #expect(started.status == .exited(2))
            #expect(started.errorText.contains("transport"), "\(started.errorText)")
        }
    }

    @Test("check tells where ssh cannot learn the user's name, and wrong values")
    func check() throws {
        let place = try TemporaryDirectory(readableByAll: true)
        let config = try place.write(
            "config.json",
            #"{"ssh_socket": "/s", "ssh_user": "u", "ssh_host": "h", "mcp_socket": "/m", "transport": "scp"}"#)
        try #require(chmod(config, 0o600) == 0)
        let checked = try runDaemonCommand(["check", "--config", config], environment: [:])
        #expect(checked.status == .exited(2))
        #expect(checked.outputText.contains(#"error: transport: must be "mux" or "ssh", got "scp""#))
    }
}
