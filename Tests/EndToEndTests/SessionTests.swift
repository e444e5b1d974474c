import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// Hosts that start a command in their own way, and hosts with few sessions.
@Suite struct SessionTests {
    private static func sleeper() -> (command: String, mark: String) {
        let mark = "32\(UInt32.random(in: 1_000_000...9_999_999))"
        return ("sleep \(mark)", mark)
    }

    private static func running(_ mark: String, on sshd: PrivateSSHD) -> [ProcessEntry] {
        sshd.remoteProcesses(running: mark).filter { $0.comm == "sleep" }
    }

    /// An sshd whose logins go through this shell script; `$SSH_ORIGINAL_COMMAND` is what was asked for.
    private static func wrapping(_ script: String) throws -> (PrivateSSHD.Options, TemporaryDirectory) {
        let directory = try TemporaryDirectory(readableByAll: true)
        let path = try directory.writeProgram("wrapper", "#!/bin/sh\n\(script)\n")
        return (PrivateSSHD.Options(extraConfig: ["ForceCommand \(path)"]), directory)
    }

    @Test(
        "a command that does not lead its session is stopped, on timeout and on cancellation, or its stop is not confirmed",
        arguments: [
            #"/bin/sh -c "$SSH_ORIGINAL_COMMAND"; exit $?"#,
            #"/bin/bash -c "$SSH_ORIGINAL_COMMAND" | cat"#,
            #"exec setsid -w /bin/sh -c "$SSH_ORIGINAL_COMMAND; exit \$?""#,
            #"exec /bin/sh -c "$SSH_ORIGINAL_COMMAND""#,
        ])
    func wrapper(script: String) throws {
        let (options, directory) = try SessionTests.wrapping(script)
        defer { withExtendedLifetime(directory) {} }
        try withRemote(options) { remote in
            try withDaemon(on: remote) { _, client in
                let (sleep, mark) = SessionTests.sleeper()
                let result = try client.callTool(
                    "ssh_exec", ["command": .string("(\(sleep) &); \(sleep)"), "timeout_seconds": 1])
                #expect(result["timed_out"] == true && result["stopped"] == "confirmed", "\(result)")
                #expect(SessionTests.running(mark, on: remote.sshd).isEmpty)
                let call = try client.beginTool(
                    "ssh_exec", ["command": .string(sleep), "timeout_seconds": 600])
                try waitUntil("the command running") { !SessionTests.running(mark, on: remote.sshd).isEmpty }
                try client.cancel(call)
                try waitUntil("the command stopped") { SessionTests.running(mark, on: remote.sshd).isEmpty }
            }
        }
    }

    @Test(
        "where something on the host joins the streams of commands, their start, end and status are known all the same",
        arguments: [
            #"exec /bin/sh -c "$SSH_ORIGINAL_COMMAND" 2>&1"#, #"exec /bin/sh -c "$SSH_ORIGINAL_COMMAND" >&2"#,
            #"/bin/sh -c "$SSH_ORIGINAL_COMMAND" 2>&1 | cat"#, #"exec /bin/sh -c "$SSH_ORIGINAL_COMMAND" 2>/dev/null"#,
        ])
    func joinedStreams(script: String) throws {
        let (options, directory) = try SessionTests.wrapping(script)
        defer { withExtendedLifetime(directory) {} }
        try withRemote(options) { remote in
            try withDaemon(on: remote) { _, client in
                let told = try client.callTool(
                    "ssh_exec", ["command": "cat; echo error >&2; exit 3", "stdin": "input\n"])
                #expect(!told.isError && told["exit_code"] == 3, "\(told)")
                let text = ["stdout", "stderr"].compactMap { told[$0]?.string }.joined()
                let isTaken = script.contains("/dev/null")
                #expect(text == (isTaken ? "input\n" : "input\nerror\n"), "\(told)")
                let elsewhere = try client.callTool("ssh_exec", ["command": "echo x", "cwd": "/nonexistent"])
                #expect(elsewhere.isError && (isTaken || elsewhere.text.contains("/nonexistent")), "\(elsewhere)")
                let (sleep, mark) = SessionTests.sleeper()
                let stopped = try client.callTool("ssh_exec", ["command": .string(sleep), "timeout_seconds": 1])
                #expect(stopped["timed_out"] == true && stopped["stopped"] == "confirmed", "\(stopped)")
                #expect(SessionTests.running(mark, on: remote.sshd).isEmpty)
            }
        }
    }

    @Test("with as many timeouts as the host has sessions, and more, nothing runs on", arguments: [1, 2, 4])
    func timeouts(maxSessions: Int) throws {
        try withRemote(PrivateSSHD.Options(maxSessions: maxSessions)) { remote in
            try withDaemon(on: remote) { _, client in
                let (sleep, mark) = SessionTests.sleeper()
                // A busy machine may start fewer before the time of the first is up; `cancellations` has no such time.
                let calls = try (0..<5).map { _ in
                    try client.beginTool("ssh_exec", ["command": .string(sleep), "timeout_seconds": 3])
                }
                var ran = 0
                for call in calls {
                    let result = try call.waitForTool(timeout: .seconds(40))
                    if result.isError {
                        #expect(result.text.contains("MaxSessions") && result.text.contains("not run"), "\(result)")
                    } else {
                        ran += 1
                        #expect(result["timed_out"] == true && result["stopped"] == "confirmed", "\(result)")
                    }
                }
                #expect((1...max(1, maxSessions - 1)).contains(ran), "one is kept for stopping")
                #expect(SessionTests.running(mark, on: remote.sshd).isEmpty)
                let after = try client.callTool("ssh_exec", ["command": "echo after"])
                #expect(after["stdout"] == "after\n", "\(after)")
            }
        }
    }

    @Test("with all sessions for commands in use, those that are cancelled are stopped", arguments: [2, 4])
    func cancellations(maxSessions: Int) throws {
        try withRemote(PrivateSSHD.Options(maxSessions: maxSessions)) { remote in
            try withDaemon(on: remote) { _, client in
                let (sleep, mark) = SessionTests.sleeper()
                let calls = try (0..<maxSessions).map { _ in
                    try client.beginTool("ssh_exec", ["command": .string(sleep), "timeout_seconds": 600])
                }
                try waitUntil("commands running") {
                    SessionTests.running(mark, on: remote.sshd).count == maxSessions - 1
                }
                for call in calls.reversed() { try client.cancel(call) }
                try waitUntil("the commands stopped") { SessionTests.running(mark, on: remote.sshd).isEmpty }
            }
        }
    }

    @Test("two names of one ControlMaster share its sessions")
    func twoNames() throws {
        try withRemote(PrivateSSHD.Options(maxSessions: 6)) { remote in
            try withDaemon(["hosts": ["again": remote.hostEntry]], on: remote) { _, client in
                let (sleep, mark) = SessionTests.sleeper()
                let calls = try (0..<16).map { number in
                    try client.beginTool(
                        "ssh_exec",
                        [
                            "command": .string(sleep), "timeout_seconds": 2,
                            "host": .string(number % 2 == 0 ? "box" : "again"),
                        ])
                }
                for call in calls {
                    let result = try call.waitForTool(timeout: .seconds(40))
                    #expect(result.isError || result["stopped"] == "confirmed", "\(result)")
                }
                #expect(SessionTests.running(mark, on: remote.sshd).isEmpty)
            }
        }
    }

    @Test("where the host has one session, files and commands take turns")
    func oneSession() throws {
        let directory = try TemporaryDirectory(readableByAll: true)
        let file = try directory.write("file", "content\n", mode: 0o644)
        try withRemote(PrivateSSHD.Options(maxSessions: 1)) { remote in
            try withDaemon(["hosts": ["again": remote.hostEntry]], on: remote) { _, client in
                for host in ["box", "again", "box"] {
                    let read = try client.callTool("ssh_read_file", ["path": .string(file), "host": .string(host)])
                    #expect(read["content"] == "content\n", "\(read)")
                    let run = try client.callTool("ssh_exec", ["command": "echo ran", "host": "box"])
                    #expect(run["stdout"] == "ran\n", "\(run)")
                }
                let status = try client.callTool("ssh_connection_status")
                #expect(!status.isError)
                #expect(try client.callTool("ssh_exec", ["command": "echo ran"])["stdout"] == "ran\n")
            }
        }
    }

    @Test("who finds no session is told which limit it was, and who holds the sessions")
    func shortage() throws {
        func second(_ remote: Remote, _ overrides: JSON) throws -> String {
            try withDaemon(overrides, on: remote) { _, client in
                let (sleep, mark) = SessionTests.sleeper()
                let first = try client.beginTool("ssh_exec", ["command": .string(sleep), "timeout_seconds": 600])
                try waitUntil("the command running") { !SessionTests.running(mark, on: remote.sshd).isEmpty }
                let result = try client.callTool("ssh_exec", ["command": "echo ran", "timeout_seconds": 1])
                #expect(result.isError && result.text.contains("not run"), "\(result)")
                try client.cancel(first)
                for process in SessionTests.running(mark, on: remote.sshd) { process.killIfAlive() }
                return result.text
            }
        }
        let ours = try second(Remote.shared(), ["limits": ["sessions_per_host": 1]])
        #expect(ours.contains("limits.sessions_per_host is 1") && ours.contains("1 command"), "\(ours)")
        try withRemote(PrivateSSHD.Options(maxSessions: 1)) { remote in
            let hosts = try second(remote, [:])
            #expect(hosts.contains("MaxSessions") && hosts.contains("1 command"), "\(hosts)")
        }
    }

    @Test("a reload that changes a host leaves its sessions counted")
    func reload() throws {
        let remote = try Remote.shared()
        let limits: JSON = ["limits": ["sessions_per_host": 1]]
        try withDaemon(limits, on: remote) { daemon, client in
            let (sleep, mark) = SessionTests.sleeper()
            let first = try client.beginTool("ssh_exec", ["command": .string(sleep), "timeout_seconds": 600])
            try waitUntil("the command running") { !SessionTests.running(mark, on: remote.sshd).isEmpty }
            let config = remote.config(
                limits.merging([
                    "hosts": ["box": ["capabilities": ["port_forward": false]]],
                    "mcp_socket": .string(daemon.socketPath),
                ]))
            let records = daemon.logRecords().count
            try config.encoded().write(to: URL(filePath: daemon.configFile))
            daemon.signal(SIGHUP)
            try daemon.waitForLog("config reloaded", from: records)
            let second = try client.callTool("ssh_exec", ["command": "echo ran", "timeout_seconds": 1])
            #expect(second.isError && second.text.contains("not run"), "\(second)")
            try client.cancel(first)
            try waitUntil("the command stopped") { SessionTests.running(mark, on: remote.sshd).isEmpty }
        }
    }

    @Test("when the connection is lost, the host ends the command itself at its timeout")
    func lostConnection() throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            try withDaemon(on: remote) { _, client in
                let (sleep, mark) = SessionTests.sleeper()
                let call = try client.beginTool("ssh_exec", ["command": .string(sleep), "timeout_seconds": 3])
                try waitUntil("the command running") { !SessionTests.running(mark, on: remote.sshd).isEmpty }
                remote.master.kill()
                let result = try call.waitForTool(timeout: .seconds(25))
                #expect(result.isError && result.text.contains("unknown"), "\(result)")
                try waitUntil("the command ended") { SessionTests.running(mark, on: remote.sshd).isEmpty }
            }
        }
    }

    @Test("what starts late and ends by itself has not timed out; what is stopped has, with the status of its end")
    func timedOut() throws {
        let (options, directory) = try SessionTests.wrapping(#"sleep 2; exec /bin/sh -c "$SSH_ORIGINAL_COMMAND""#)
        defer { withExtendedLifetime(directory) {} }
        try withRemote(options) { remote in
            try withDaemon(on: remote) { _, client in
                let quick = try client.callTool("ssh_exec", ["command": "echo ran", "timeout_seconds": 1])
                #expect(quick["timed_out"] == false && quick["exit_code"] == 0, "\(quick)")
                #expect(quick["stopped"] == nil && quick["stdout"] == "ran\n", "\(quick)")
                let (sleep, mark) = SessionTests.sleeper()
                let slow = try client.callTool("ssh_exec", ["command": .string(sleep), "timeout_seconds": 1])
                #expect(slow["timed_out"] == true && slow["exit_code"] == 143, "\(slow)")
                #expect(slow["stopped"] == "confirmed", "\(slow)")
                #expect(SessionTests.running(mark, on: remote.sshd).isEmpty)
            }
        }
        try withDaemon { _, client in
            let own = try client.callTool(
                "ssh_exec", ["command": "trap 'exit 0' TERM; sleep 1000 & wait", "timeout_seconds": 1])
            #expect(own["timed_out"] == true && own["exit_code"] == 0 && own["stopped"] == "confirmed", "\(own)")
        }
    }

    @Test("names whose paths lead to one socket share its sessions, and a shortage counts truly")
    func linkedNames() throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            let directory = try TemporaryDirectory(readableByAll: true)
            let link = directory.file("link")
            try #require(symlink(remote.master.socketPath, link) == 0)
            defer { unlink(link) }
            let patch: JSON = [
                "hosts": ["alias": remote.hostEntry.merging(["socket": .string(link)])],
                "limits": ["sessions_per_host": 2],
            ]
            try withDaemon(patch, on: remote) { _, client in
                let (sleep, mark) = SessionTests.sleeper()
                let calls = try ["box", "alias"].map {
                    try client.beginTool(
                        "ssh_exec", ["host": .string($0), "command": .string(sleep), "timeout_seconds": 600])
                }
                try waitUntil("both running") { SessionTests.running(mark, on: remote.sshd).count == 2 }
                for name in ["box", "alias"] {
                    let result = try client.callTool(
                        "ssh_exec", ["host": .string(name), "command": "true", "timeout_seconds": 1],
                        timeout: .seconds(20))
                    #expect(
                        result.isError && result.text.contains("sessions_per_host is 2, held by 2 commands"),
                        "\(result)")
                }
                for call in calls { try client.cancel(call) }
                try waitUntil("nothing runs") { SessionTests.running(mark, on: remote.sshd).isEmpty }
            }
        }
    }

    @Test("duration_ms is the command's own time, and not that of waiting for a session")
    func duration() throws {
        try withRemote(PrivateSSHD.Options(maxSessions: 1)) { remote in
            try withDaemon(on: remote) { _, client in
                let first = try client.beginTool("ssh_exec", ["command": "sleep 3", "timeout_seconds": 60])
                try waitUntil("it runs") { !remote.sshd.remoteProcesses(running: "sleep 3").isEmpty }
                let started = ContinuousClock.now
                let second = try client.callTool(
                    "ssh_exec", ["command": "echo hi", "timeout_seconds": 60], timeout: .seconds(60))
                let waited = (ContinuousClock.now - started) / .milliseconds(1)
                let long = try first.waitForTool(timeout: .seconds(60))
                #expect((2_500...10_000).contains(long["duration_ms"]?.int ?? -1), "\(long)")
                #expect(second["stdout"] == "hi\n" && waited > 1_500, "\(waited) \(second)")
                #expect((0...1_000).contains(second["duration_ms"]?.int ?? -1), "\(waited) \(second)")
            }
        }
    }
}
