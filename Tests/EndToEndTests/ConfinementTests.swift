import Foundation
import Testing

/// The worker that serves is confined: seen from outside, in the process that answers.
@Suite struct ConfinementTests {
    @Test("the serving worker is under seccomp, without new privileges, with nothing inherited")
    func servingWorker() throws {
        try withDaemon { daemon, client in
            let worker = try #require(daemon.workers().first)
            // After it has served, with all the threads that it will have.
            #expect(try client.callTool("ssh_exec", ["command": "true"])["exit_code"] == 0)
            #expect(worker.status("Seccomp") == "2")
            #expect(worker.status("NoNewPrivs") == "1")
            #expect(worker.group == worker.pid)
            for task in try FileManager.default.contentsOfDirectory(atPath: "/proc/\(worker.pid)/task") {
                let status = try String(contentsOfFile: "/proc/\(worker.pid)/task/\(task)/status", encoding: .utf8)
                #expect(status.contains("Seccomp:\t2\n"), "thread \(task)")
                #expect(status.contains("NoNewPrivs:\t1\n"), "thread \(task)")
            }
            let limits = try String(contentsOfFile: "/proc/\(worker.pid)/limits", encoding: .utf8)
            #expect(limits.contains(/Max core file size +0 +0/))
            #expect(limits.contains(/Max open files +640 +640/))
            #expect(limits.contains(/Max processes +[0-9]+ +[0-9]+/))
            for name in ["CapInh", "CapPrm", "CapEff", "CapAmb"] { #expect(worker.status(name) == "0000000000000000") }
            if geteuid() == 0 { #expect(worker.status("CapBnd") == "0000000000000000") }
            guard geteuid() == 0 else { return }
            // Not dumpable, so only root can look at these.
            #expect(worker.environment == ["LANG=C.UTF-8"])
            for name in ["0", "1"] {
                let target = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(worker.pid)/fd/\(name)")
                #expect(target == "/dev/null")
            }
        }
    }

    @Test("whatever is under way, the worker has no child, and none but the supervisor's programs run")
    func noChild() throws {
        let remote = try Remote.shared()
        try withDaemon(on: remote) { daemon, client in
            let mark = "35\(UInt32.random(in: 1_000_000...9_999_999))"
            let call = try client.beginTool("ssh_exec", ["command": .string("sleep \(mark)"), "timeout_seconds": 600])
            try waitUntil("the command running") { !remote.sshd.remoteProcesses(running: mark).isEmpty }
            #expect(try !client.callTool("ssh_list_dir", ["path": "/"]).isError)
            let worker = try #require(daemon.workers().first)
            let all = ProcessTable().descendants(of: daemon.pid)
            #expect(!all.contains { $0.parent == worker.pid }, "\(all)")
            #expect(all.allSatisfy { $0.comm.hasPrefix("claude-ssh-") }, "\(all.map(\.comm))")
            try client.cancel(call)
        }
    }

    @Test("ssh runs with the worker's confinement, an environment of ours and no way to connect")
    func sshChild() throws {
        let remote = try Remote.shared()
        try withDaemon(["transport": "ssh"], on: remote) { daemon, client in
            let mark = "35\(UInt32.random(in: 1_000_000...9_999_999))"
            let call = try client.beginTool("ssh_exec", ["command": .string("sleep \(mark)"), "timeout_seconds": 600])
            try waitUntil("the command running") { !remote.sshd.remoteProcesses(running: mark).isEmpty }
            let ssh = try #require(ProcessTable().descendants(of: daemon.pid).first { $0.comm == "ssh" })
            #expect(ssh.status("Seccomp") == "2")
            #expect(ssh.status("NoNewPrivs") == "1")
            for name in ["CapPrm", "CapEff"] { #expect(ssh.status(name) == "0000000000000000") }
            #expect(ssh.arguments.contains("ControlMaster=no"))
            #expect(ssh.arguments.contains("ProxyCommand=/nonexistent"))
            if geteuid() == 0 {
                #expect(Set(ssh.environment) == ["LANG=C.UTF-8", "PATH=/nonexistent"])
            }
            try client.cancel(call)
        }
    }

    @Test(
        "an address with a zone only names the master: its interface is not asked for",
        arguments: ["fe80::1%eth0", "fe80::1%lo"])
    func zone(address: String) throws {
        let remote = try Remote.shared()
        let entry = remote.hostEntry.merging(["host": .string(address)])
        try withDaemon(["hosts": ["box": entry]], on: remote) { _, client in
            let run = try client.callTool("ssh_exec", ["command": "echo here"])
            #expect(run["stdout"] == "here\n", "\(run)")
            let listed = try client.callTool("ssh_list_dir", ["path": "/"])
            #expect(!listed.isError, "\(listed)")
        }
    }

    /// Dispatch's watched pool would read /proc and end the process, see Worker/TaskThreads.swift.
    @Test("no thread of the worker belongs to the pool that Dispatch watches")
    func noWatchedPool() throws {
        try withDaemon { daemon, client in
            let worker = try #require(daemon.workers().first)
            let calls = try (0..<40).map { _ in try client.beginTool("ssh_exec", ["command": "echo x"]) }
            for call in calls {
                let result = try call.waitForTool()
                #expect(result["stdout"] == "x\n")
            }
            _ = try client.callTool("ssh_connection_status")
            _ = try client.callTool("ssh_exec", ["command": "sleep 100", "timeout_seconds": 1])
            let tasks = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(worker.pid)/task")
            let names = tasks.compactMap {
                try? String(contentsOfFile: "/proc/\(worker.pid)/task/\($0)/comm", encoding: .utf8)
            }
            #expect(names.contains { $0.contains("overcommit") }, "\(names)")
            #expect(!names.contains { $0.contains("default-qos\n") }, "\(names)")
        }
    }

    @Test("the self-test of the worker is refused everything")
    func selfTest() throws {
        let result = try run("\(BuiltBinaries.folder())/claude-ssh-worker", ["--selftest-escape"])
        #expect(result.succeeded, "\(result.outputText)\(result.errorText)")
        for line in [
            "execute /bin/sh: refused (SIGSYS)", "start a process: refused (SIGSYS)",
            "make a local socket: refused (SIGSYS)", "connect what it has: refused (SIGSYS)",
            "read /etc/passwd: refused (Permission denied)", "look at /etc/passwd: refused (Permission denied)",
            "signal its parent: refused (SIGSYS)",
        ] {
            #expect(result.outputText.contains("\(line)\n"), "\(result.outputText)")
        }
        #expect(!result.outputText.contains("SUCCEEDED"))
    }

    @Test("the self-test of a worker that executes ssh: that works, and the rest is refused")
    func selfTestOfSSH() throws {
        for words in [["ssh"], ["ssh", "/usr/bin/ssh"]] {
            let result = try run("\(BuiltBinaries.folder())/claude-ssh-worker", ["--selftest-escape"] + words)
            #expect(result.succeeded, "\(result.outputText)\(result.errorText)")
            for line in [
                "execute /usr/bin/ssh: works, as it must", "execute /bin/sh: refused (Permission denied)",
                "make an internet socket: refused (Permission denied)",
                "make a datagram socket: refused (Permission denied)",
                "connect a local socket to anybody: refused (Function not implemented)",
                "make a pair of sockets: refused (Permission denied)", "read /etc/shadow: refused (Permission denied)",
                "list /tmp: refused (Permission denied)",
                "write /tmp/claude-ssh-worker.escape: refused (Permission denied)",
            ] {
                #expect(result.outputText.contains("\(line)\n"), "\(result.outputText)")
            }
        }
        // A program that is there and is no ssh has no right more, and that it is none is told.
        let other = try run(
            "\(BuiltBinaries.folder())/claude-ssh-worker", ["--selftest-escape", "ssh", "/bin/false"])
        #expect(!other.succeeded && other.outputText.contains("execute /bin/false: DOES NOT WORK\n"))
        let missing = try run(
            "\(BuiltBinaries.folder())/claude-ssh-worker", ["--selftest-escape", "ssh", "/nonexistent/ssh"])
        #expect(!missing.succeeded && missing.outputText.contains("NOT TRIED, there is no sandbox"))
    }
}
