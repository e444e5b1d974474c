import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// Timeouts and cancellations stop what runs remotely, whatever it does against that.
@Suite struct StopTests {
    /// A command line that is easy to find among the processes, and how long it would run.
    private static func sleeper() -> (command: String, mark: String) {
        let mark = "31\(UInt32.random(in: 1_000_000...9_999_999))"
        return ("sleep \(mark)", mark)
    }

    private static func running(_ mark: String, on remote: Remote) -> [ProcessEntry] {
        remote.sshd.remoteProcesses(running: mark)
    }

    @Test("a command that ignores TERM is stopped at its timeout, with all that it started")
    func timeout() throws {
        let (sleep, mark) = StopTests.sleeper()
        try withDaemon { _, client in
            let result = try client.callTool(
                "ssh_exec",
                [
                    "command": .string(
                        "trap '' TERM; echo before; (setsid \(sleep) &) ; \(sleep) & \(sleep); echo after"),
                    "timeout_seconds": 1,
                ])
            #expect(result["timed_out"] == true, "\(result)")
            #expect(result["stdout"] == "before\n")
            let left = try Remote.shared().sshd.remoteProcesses(running: mark)
            // A double fork into a session of its own is how a process asks to be left alone.
            #expect(left.count <= 1)
            #expect(result["stopped"]?.string == (left.isEmpty ? "confirmed" : "signalled"), "\(result)")
            for process in left { process.killIfAlive() }
        }
    }

    @Test(
        "what left the command's tree and holds its output keeps a stop from being confirmed",
        arguments: [
            "setsid -f SLEEP; SLEEP", "(setsid SLEEP &) ; SLEEP",
            "trap 'setsid -f SLEEP; exit' TERM; while :; do sleep 0.2; done",
        ])
    func leftItsTree(command: String) throws {
        let (sleep, mark) = StopTests.sleeper()
        try withDaemon { _, client in
            let result = try client.callTool(
                "ssh_exec", ["command": .string(command.replacing("SLEEP", with: sleep)), "timeout_seconds": 1])
            let left = try StopTests.running(mark, on: Remote.shared())
            defer { for process in left { process.killIfAlive() } }
            #expect(result["timed_out"] == true, "\(result)")
            #expect(result["stopped"]?.string == (left.isEmpty ? "confirmed" : "signalled"), "\(result)")
        }
    }

    @Test("an orphan that has its output elsewhere, in the session of its command, is stopped with the command")
    func orphan() throws {
        let (sleep, mark) = StopTests.sleeper()
        try withDaemon { _, client in
            let result = try client.callTool(
                "ssh_exec",
                [
                    "command": .string("( (\(sleep) </dev/null >/dev/null 2>&1 &) & ); \(sleep)"), "timeout_seconds": 1,
                ])
            #expect(result["timed_out"] == true && result["stopped"] == "confirmed", "\(result)")
            #expect(try StopTests.running(mark, on: Remote.shared()).isEmpty)
        }
    }

    @Test("a process in a session of its own is stopped as long as its parent is known")
    func newSession() throws {
        let (sleep, mark) = StopTests.sleeper()
        try withDaemon { _, client in
            let result = try client.callTool(
                "ssh_exec", ["command": .string("trap '' TERM; setsid -w \(sleep)"), "timeout_seconds": 1])
            #expect(result["stopped"] == "confirmed", "\(result)")
            #expect(try StopTests.running(mark, on: Remote.shared()).isEmpty)
        }
    }

    @Test("the daemon serves on after a command that would not end")
    func serviceAfterTimeout() throws {
        let (sleep, _) = StopTests.sleeper()
        try withDaemon { _, client in
            let stuck = try client.beginTool(
                "ssh_exec", ["command": .string("trap '' TERM HUP INT PIPE; \(sleep)"), "timeout_seconds": 1])
            let other = try client.callTool("ssh_exec", ["command": "echo meanwhile"])
            #expect(other["stdout"] == "meanwhile\n")
            #expect(try stuck.waitForTool()["timed_out"] == true)
            #expect(try client.callTool("ssh_exec", ["command": "echo after"])["stdout"] == "after\n")
        }
    }

    @Test("a cancelled call gets no answer, and its command is stopped")
    func cancellation() throws {
        let (sleep, mark) = StopTests.sleeper()
        let remote = try Remote.shared()
        try withDaemon { _, client in
            let call = try client.beginTool(
                "ssh_exec", ["command": .string("trap '' TERM; \(sleep)"), "timeout_seconds": 600])
            try waitUntil("the command running") { !StopTests.running(mark, on: remote).isEmpty }
            try client.cancel(call)
            try waitUntil("the command stopped") { StopTests.running(mark, on: remote).isEmpty }
            // Later answers come, this one does not.
            #expect(try client.callTool("ssh_exec", ["command": "echo next"])["stdout"] == "next\n")
            #expect(!call.isAnswered)
        }
    }

    @Test("a call that waits for its turn is cancelled without running")
    func cancelWaiting() throws {
        let (sleep, mark) = StopTests.sleeper()
        let remote = try Remote.shared()
        let trace = try TemporaryDirectory()
        try runSuccessfully("/bin/chmod", ["777", trace.path])
        try withDaemon(["limits": ["sessions_per_host": 1]]) { _, client in
            let first = try client.beginTool("ssh_exec", ["command": .string(sleep), "timeout_seconds": 600])
            try waitUntil("the first command running") { !StopTests.running(mark, on: remote).isEmpty }
            let second = try client.beginTool("ssh_exec", ["command": .string("touch \(trace.file("ran"))")])
            try client.cancel(second)
            try client.cancel(first)
            let third = try client.callTool("ssh_exec", ["command": "echo third"])
            #expect(third["stdout"] == "third\n")
            #expect(!second.isAnswered)
            #expect(!FileManager.default.fileExists(atPath: trace.file("ran")))
        }
    }

    @Test("a client that is killed has its command stopped, and the next one is served meanwhile")
    func clientKilled() throws {
        let (sleep, mark) = StopTests.sleeper()
        let remote = try Remote.shared()
        let daemon = try remote.startDaemon()
        defer { daemon.stop() }
        let first = try daemon.connect(.socat)
        // TERM is ignored, so the stop takes two seconds: longer than the next client may have to wait.
        _ = try first.beginTool("ssh_exec", ["command": .string("trap '' TERM; \(sleep)"), "timeout_seconds": 600])
        try waitUntil("the command running") { !StopTests.running(mark, on: remote).isEmpty }
        let worker = try #require(daemon.workers().first)
        first.closeAbruptly()
        let second = try daemon.connect(.direct)
        #expect(try second.callTool("ssh_exec", ["command": "echo served"])["stdout"] == "served\n")
        #expect(worker.isAlive, "the first worker should still be stopping its command")
        try waitUntil("the command stopped") { StopTests.running(mark, on: remote).isEmpty }
        try waitUntil("the first worker gone") { !worker.isAlive }
        let ended = try daemon.waitForLog("worker ended") { $0["worker_pid"] == .int(Int(worker.pid)) }
        #expect(ended["how"] == "clean exit")
    }

    @Test("a ControlMaster that hangs does not hold the call beyond its timeout and the bounded stop")
    func hangingMaster() throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            try withDaemon(on: remote) { _, client in
                let (sleep, mark) = StopTests.sleeper()
                let call = try client.beginTool("ssh_exec", ["command": .string(sleep), "timeout_seconds": 5])
                try waitUntil("the command running") { !StopTests.running(mark, on: remote).isEmpty }
                // What the first one told of its start has come through the master before the answer to a second one does.
                _ = try client.callTool("ssh_exec", ["command": "true"])
                let master = try #require(remote.master.pid)
                kill(master, SIGSTOP)
                defer { kill(master, SIGCONT) }
                let result = try call.waitForTool(timeout: .seconds(25))
                #expect(result["timed_out"] == true, "\(result)")
                #expect(result["stopped"] == "unknown", "\(result)")
                for process in StopTests.running(mark, on: remote) { process.killIfAlive() }
            }
        }
    }

    @Test("where sshd has no session left to stop a command over, the host ends it at its timeout")
    func noSessionToStop() throws {
        try withRemote(PrivateSSHD.Options(maxSessions: 1)) { remote in
            try withDaemon(on: remote) { _, client in
                let (sleep, mark) = StopTests.sleeper()
                let result = try client.callTool(
                    "ssh_exec", ["command": .string(sleep), "timeout_seconds": 1], timeout: .seconds(25))
                #expect(result["timed_out"] == true, "\(result)")
                #expect(result["stopped"] == "confirmed", "\(result)")
                #expect(StopTests.running(mark, on: remote).isEmpty)
            }
        }
    }

    @Test("calls cancelled as soon as they are sent leave nothing running")
    func cancelAtOnce() throws {
        let remote = try Remote.shared()
        let (sleep, mark) = StopTests.sleeper()
        try withDaemon { _, client in
            for _ in 0..<6 {
                let call = try client.beginTool("ssh_exec", ["command": .string(sleep), "timeout_seconds": 600])
                try client.cancel(call)
            }
            // These wait for the places of the cancelled ones, so by their end those have been dealt with.
            let after = try (0..<8).map { _ in try client.beginTool("ssh_exec", ["command": "echo after"]) }
            for call in after {
                let result = try call.waitForTool()
                #expect(result["stdout"] == "after\n")
            }
            try waitUntil("nothing of them running") { StopTests.running(mark, on: remote).isEmpty }
        }
    }

    @Test("the timeout counts the wait in line, and what did not get its turn did not run")
    func timeoutInLine() throws {
        let remote = try Remote.shared()
        let (sleep, mark) = StopTests.sleeper()
        try withDaemon(["limits": ["sessions_per_host": 1]]) { _, client in
            let first = try client.beginTool("ssh_exec", ["command": .string(sleep), "timeout_seconds": 600])
            try waitUntil("the first command running") { !StopTests.running(mark, on: remote).isEmpty }
            let second = try client.callTool("ssh_exec", ["command": "echo ran", "timeout_seconds": 1])
            #expect(second.isError && second.text.contains("not run"), "\(second)")
            try client.cancel(first)
            try waitUntil("the first command stopped") { StopTests.running(mark, on: remote).isEmpty }
        }
    }
}
