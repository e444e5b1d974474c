import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// A gate that is killed, in whatever its connection does: calls fail clearly, the connection ends, and the next one has another
/// worker and another gate. A command that runs then is in `GateTests`.
@Suite struct GateDeathTests {
    /// The pair of a connection.
    private struct Pair: Equatable {
        let worker: pid_t
        let gate: pid_t
    }

    private static func pair(_ daemon: RunningDaemon) throws -> Pair {
        try waitFor("one worker and one gate") {
            let (workers, gates) = (daemon.workers().filter { !$0.isZombie }, daemon.gates())
            guard workers.count == 1, gates.count == 1 else { return nil }
            return Pair(worker: workers[0].pid, gate: gates[0].pid)
        }
    }

    /// The next connection works, and neither its worker nor its gate is one of the pair that ended.
    private static func expectNext(_ daemon: RunningDaemon, after ended: Pair) throws {
        let next = try daemon.connect()
        defer { next.closeAbruptly() }
        let result = try next.callTool("ssh_exec", ["command": "echo next"])
        #expect(result["stdout"] == "next\n", "\(result)")
        let pair = try pair(daemon)
        #expect(pair.worker != ended.worker && pair.gate != ended.gate)
    }

    @Test("while nothing is under way", arguments: BothTransports.all)
    func idle(transport: String) throws {
        let daemon = try Remote.shared().startDaemon(BothTransports.config(transport))
        defer { daemon.stop() }
        let client = try daemon.connect()
        #expect(try client.callTool("ssh_exec", ["command": "exit 3"])["exit_code"] == 3)
        let pair = try Self.pair(daemon)
        kill(pair.gate, SIGKILL)
        try client.waitForEOF()
        let told = try daemon.waitForLog("client disconnected")
        #expect(told["reason"]?.string?.contains("its gate ended") == true, "\(told)")
        try Self.expectNext(daemon, after: pair)
        #expect(try daemon.terminate() == .exited(0))
    }

    @Test(
        "a call that comes when it has just died is told, or finds the connection ended", arguments: BothTransports.all)
    func callBehind(transport: String) throws {
        let daemon = try Remote.shared().startDaemon(BothTransports.config(transport))
        defer { daemon.stop() }
        for _ in 0..<5 {
            let client = try daemon.connect()
            let pair = try Self.pair(daemon)
            kill(pair.gate, SIGKILL)
            // The worker may have ended the connection by now.
            let call = try? client.beginTool("ssh_exec", ["command": "echo never"])
            try client.waitForEOF()
            try Self.expectNext(daemon, after: pair)
            if let call, call.isAnswered {
                let answer = try call.wait()
                // It may have come when the worker was about to end the connection.
                guard answer["error"] == nil else {
                    let text = answer["error"]?["message"]?.string
                    #expect(text?.hasPrefix("The connection is closing. Nothing was run.") == true, "\(answer)")
                    continue
                }
                let result = try call.waitForTool()
                #expect(result.isError && result.text.contains("claude-ssh-gate"), "\(result)")
                #expect(result.text.contains("Nothing was run."), "\(result)")
            }
        }
    }

    @Test(
        "while a file is on its way: an error that says so, and the target stays as it was",
        arguments: BothTransports.all, [true, false])
    func transfer(transport: String, isUpload: Bool) throws {
        let (place, local) = (try Place(), try Place())
        let size = 256 << 20
        let source = try (isUpload ? local : place).makeSparse("source", size: size)
        try (isUpload ? place : local).write("target", "precious")
        try withRemote(PrivateSSHD.Options()) { remote in
            let daemon = try remote.startDaemon(
                BothTransports.config(transport, ["safeguards": ["allow_overwrite": true]]))
            defer { daemon.stop() }
            let client = try daemon.connect()
            let arguments: JSON =
                isUpload
                ? ["local_path": .string(source), "remote_path": .string(place.file("target"))]
                : ["local_path": .string(local.file("target")), "remote_path": .string(source)]
            let call = try client.beginTool(
                isUpload ? "ssh_upload_file" : "ssh_download_file", arguments, meta: ["progressToken": "t"])
            try waitUntil("the first report") { !client.progress("t").isEmpty || call.isAnswered }
            remote.sshd.pause(true)
            let pair = try Self.pair(daemon)
            kill(pair.gate, SIGKILL)
            let result = try call.waitForTool()
            #expect(result.isError && result.text.contains("claude-ssh-gate"), "\(result)")
            #expect(!result.text.contains("is not up"), "the master is not to blame: \(result)")
            try client.waitForEOF()
            remote.sshd.pause(false)
            #expect(try (isUpload ? place : local).content("target") == "precious")
            if !isUpload { try waitUntil("only the target being left") { try local.names == ["target"] } }
            try Self.expectNext(daemon, after: pair)
            let next = try daemon.connect()
            let small = try (isUpload ? local : place).write("small", "small")
            let again: JSON = [
                "local_path": .string(isUpload ? small : local.file("small")),
                "remote_path": .string(isUpload ? place.file("small") : small),
            ]
            let copied = try next.callTool(isUpload ? "ssh_upload_file" : "ssh_download_file", again)
            #expect(!copied.isError, "\(copied)")
        }
    }

    @Test("in a reload: the next connection has the new config", arguments: BothTransports.all, [true, false])
    func reload(transport: String, isStopped: Bool) throws {
        let remote = try Remote.shared()
        let daemon = try remote.startDaemon(BothTransports.config(transport))
        defer { daemon.stop() }
        let client = try daemon.connect()
        #expect(try client.callTool("ssh_exec", ["command": "exit 3"])["exit_code"] == 3)
        let pair = try Self.pair(daemon)
        let start = daemon.logRecords().count
        try daemon.rewriteConfig(
            remote.config(
                BothTransports.config(
                    transport,
                    ["hosts": ["box": ["exec_allowlist": ["echo "]]], "capabilities": ["port_forward": false]]
                )))
        // Stopped, it has the new policy in its channel and has not read it when it dies.
        if isStopped { kill(pair.gate, SIGSTOP) }
        daemon.signal(SIGHUP)
        if isStopped { try daemon.waitForLog("config reloaded", from: start) }
        kill(pair.gate, SIGKILL)
        try client.waitForEOF()
        try daemon.waitForLog("config reloaded", from: start)
        try Self.expectNext(daemon, after: pair)
        let next = try daemon.connect()
        let refused = try next.callTool("ssh_exec", ["command": "id"])
        #expect(refused.isError && refused.text.contains("exec_allowlist"), "\(refused)")
        #expect(try daemon.terminate() == .exited(0))
    }

    @Test(
        "while another client waits in line: that one gets the place, with a pair of its own",
        arguments: BothTransports.all)
    func inLine(transport: String) throws {
        let daemon = try Remote.shared().startDaemon(BothTransports.config(transport, ["client_wait_seconds": 600]))
        defer { daemon.stop() }
        let first = try daemon.connect()
        #expect(try first.callTool("ssh_exec", ["command": "echo first"])["stdout"] == "first\n")
        let ended = try Self.pair(daemon)
        let second = try daemon.connect()
        let call = try second.beginTool("ssh_exec", ["command": "echo second"])
        #expect(try second.request("ping")["result"] == [:])
        kill(ended.gate, SIGKILL)
        try first.waitForEOF()
        let result = try call.waitForTool()
        #expect(result["stdout"] == "second\n", "\(result)")
        let pair = try Self.pair(daemon)
        #expect(pair.worker != ended.worker && pair.gate != ended.gate)
    }
}
