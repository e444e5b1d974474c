import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// What the audit log has of what went to hosts: the gate's word, whatever the worker says.
@Suite struct GateAuditTests {
    private static func told(_ trail: AuditTrail) throws -> [JSON] {
        try trail.records().filter { $0["event"] == "gate" }
    }

    @Test("commands, files and forwards have a line as the gate composed them, with the call that they were for")
    func composed() throws {
        let (trail, place) = (try AuditTrail(), try Place())
        try place.write("f", "content")
        let secret = "s3cr3t-\(UInt64.random(in: .min ... .max))"
        let path = JSON.string(place.file("f"))
        let port = JSON.int(try freePort())
        let calls: [(tool: String, arguments: JSON, what: JSON?, host: JSON)] = [
            (
                "ssh_exec", ["command": "echo on", "cwd": "/tmp", "env": ["B": .string(secret), "A": "x"]],
                ["session": "command", "command": "echo on", "cwd": "/tmp", "env": ["A", "B"]], "box"
            ),
            ("ssh_read_file", ["path": path], ["session": "files", "writing": true], "box"),
            // Over the same channel, which was opened for the call before.
            ("ssh_read_file", ["path": path], nil, "box"),
            (
                "ssh_forward_port", ["remote_host": "127.0.0.1", "remote_port": 9, "local_port": port],
                ["forward": "open", "local_port": port, "remote_host": "127.0.0.1", "remote_port": 9], "box"
            ),
            (
                "ssh_cancel_forward", ["local_port": port],
                ["forward": "close", "local_port": port, "remote_host": "127.0.0.1", "remote_port": 9], "box"
            ),
        ]
        try withDaemon(trail.config) { daemon, client in
            for (index, (tool, arguments, what, host)) in calls.enumerated() {
                let result = try client.callTool(tool, arguments)
                #expect(!result.isError, "\(result)")
                let call = try #require(try trail.waitForCalls(index + 1).last)
                #expect(call["word_of"] == "worker" && call["begun"] == .int(index + 1))
                // A forward's host is asked for an answer as well, by a line of the gate's own.
                let lines = try Self.told(trail).filter {
                    $0["begun"] == call["begun"] && $0["what"]?["session"] != "question"
                }
                guard let what else {
                    #expect(lines.isEmpty, "\(lines)")
                    continue
                }
                let line = try #require(lines.first)
                #expect(lines.count == 1 && line["what"] == what, "\(lines)")
                #expect(line["word_of"] == "gate" && line["host"] == host && line["verdict"] == "allowed")
                #expect(line["connection"] == call["connection"])
                _ = try daemon.waitForLog("gate") { $0["what"] == what && $0["hash"]?.string?.utf8.count == 64 }
            }
            #expect(try trail.verify().succeeded)
            let text = try String(contentsOfFile: trail.path, encoding: .utf8)
            #expect(!text.contains(secret) && !daemon.logText().contains(secret))
        }
    }

    @Test("what the gate refuses has a line with the rule, before the caller hears of it")
    func refused() throws {
        let trail = try AuditTrail()
        let remote = try Remote.shared()
        let hosts: JSON = [
            "listed": remote.hostEntry.merging(["exec_allowlist": ["git "], "forward_allowlist": ["db:5432"]]),
            "dead": ["socket": "/nonexistent/socket", "user": "u", "host": "h", "exec_allowlist": ["git "]],
            "off": remote.hostEntry.merging(["capabilities": ["exec": false]]),
        ]
        let cases: [(tool: String, arguments: JSON, rule: JSON, what: JSON)] = [
            (
                "ssh_exec", ["command": "id", "host": "listed"], "exec_allowlist",
                ["session": "command", "command": "id"]
            ),
            // The policy is judged before anybody is asked whether the host is there.
            (
                "ssh_exec", ["command": "id", "host": "dead"], "exec_allowlist",
                ["session": "command", "command": "id"]
            ),
            ("ssh_exec", ["command": "id", "host": "off"], "capability", ["session": "command", "command": "id"]),
            ("ssh_exec", ["command": "rm -r x"], "allow_delete", ["session": "command", "command": "rm -r x"]),
            (
                "ssh_forward_port", ["remote_host": "db", "remote_port": 80, "host": "listed"], "forward_allowlist",
                ["forward": "open", "remote_host": "db", "remote_port": 80]
            ),
        ]
        try withDaemon(trail.config.merging(["hosts": hosts])) { _, client in
            for (index, (tool, arguments, rule, what)) in cases.enumerated() {
                #expect(try client.callTool(tool, arguments).isError)
                let lines = try Self.told(trail)
                #expect(lines.count == index + 1, "\(lines)")
                let line = try #require(lines.last)
                #expect(line["verdict"] == "refused" && line["rule"] == rule && line["what"] == what, "\(line)")
                #expect(line["host"] == arguments["host"] ?? "box" && line["begun"] == .int(index + 1))
                #expect(try trail.waitForCalls(index + 1).last?["rule"] == rule)
            }
            // What a shell would read from its standard input is the worker's to judge: it goes through the worker's pipe.
            let input = try client.callTool("ssh_exec", ["command": "sh", "stdin": "rm -r x"])
            #expect(input.isError && input.text.contains("safeguards.allow_delete"), "\(input)")
            #expect(try trail.waitForCalls(cases.count + 1).last?["rule"] == "allow_delete")
            #expect(try Self.told(trail).count == cases.count, "and nothing was opened")
        }
    }

    /// A daemon whose first worker behaves so, with this tree on its host.
    private func hijacked(
        _ workers: FakeWorkers, _ trail: AuditTrail, _ place: Place
    ) throws -> RunningDaemon {
        let base: JSON = ["hosts": ["box": ["base_dir": .string(place.directory.path)]]]
        return try Remote.shared().startDaemon(base.merging(trail.config), workers.options)
    }

    @Test("a worker that says another command than it has run: the log has what was run")
    func lie() throws {
        let (trail, place) = (try AuditTrail(), try Place())
        let workers = try FakeWorkers(["lieAboutCommand"])
        let daemon = try hijacked(workers, trail, place)
        defer { daemon.stop() }
        let client = try daemon.connect(initialize: false)
        _ = try client.begin("ping")
        try waitUntil("its command") { access(place.file("made"), F_OK) == 0 }
        let line = try #require(try Self.told(trail).first)
        #expect(
            line["what"] == [
                "session": "command", "command": "touch made", "cwd": .string(place.directory.path), "env": ["TOKEN"],
            ])
        #expect(line["word_of"] == "gate" && line["begun"] == 1 && line["verdict"] == "allowed")
        client.closeAbruptly()
        kill(try daemon.waitForWorker().pid, SIGKILL)
        let call = try #require(try trail.waitForCalls(1).last)
        #expect(call["what"]?["command"] == "echo harmless" && call["word_of"] == "worker" && call["begun"] == 1)
        #expect(try trail.verify().succeeded)
    }

    @Test(
        "a worker that skips the beginning of a call, or takes one that has ended, gets nothing opened",
        arguments: ["skipBeginning", "reuseCall"])
    func noCall(conduct: String) throws {
        let (trail, place) = (try AuditTrail(), try Place())
        let workers = try FakeWorkers([conduct])
        let daemon = try hijacked(workers, trail, place)
        defer { daemon.stop() }
        let client = try daemon.connect(initialize: false)
        _ = try client.begin("ping")
        let forward = try daemon.waitForLog("worker said") { $0["text"]?.string?.hasPrefix("forward: ") == true }
        #expect(forward["text"]?.string?.contains("noCall") == true, "\(forward)")
        let asked = conduct == "skipBeginning" ? ["command", "files", "errand"] : ["command", "files"]
        for what in asked {
            let said = try daemon.waitForLog("worker said") { $0["text"]?.string?.hasPrefix("\(what): ") == true }
            #expect(said["text"]?.string?.contains("refused(IPC.GateRule.call)") == true, "\(said)")
        }
        let lines = try Self.told(trail)
        #expect(lines.count == asked.count + 1, "\(lines)")
        for line in lines {
            #expect(line["verdict"] == "refused" && line["rule"] == "call" && line["begun"] == nil, "\(line)")
        }
        #expect(access(place.file("made"), F_OK) != 0)
        client.closeAbruptly()
        kill(try daemon.waitForWorker().pid, SIGKILL)
        let next = try daemon.connect()
        let run = try next.callTool("ssh_exec", ["command": "echo on", "cwd": .string(place.directory.path)])
        #expect(run["stdout"] == "on\n", "\(run)")
        #expect(try trail.verify().succeeded)
    }

    @Test("a call that is cancelled while it opens the files of a host does not take them from another call")
    func cancelledOpening() throws {
        let (trail, place) = (try AuditTrail(), try Place())
        try place.write("f", "content")
        let path = JSON.string(place.file("f"))
        try withRemote(PrivateSSHD.Options(maxSessions: 1)) { remote in
            try withDaemon(trail.config, on: remote) { daemon, client in
                // The one session is taken, so the files wait for it.
                let file = place.file("begun")
                let holder = try client.beginTool("ssh_exec", ["command": .string("touch \(file); sleep 5")])
                try waitUntil("the command running") { access(file, F_OK) == 0 }
                let first = try client.beginTool("ssh_read_file", ["path": path])
                let second = try client.beginTool("ssh_read_file", ["path": path])
                try waitUntil("both begun") { daemon.logCount(of: "\"call begins\"") == 3 }
                try client.cancel(first)
                #expect(try second.waitForTool(timeout: .seconds(40))["content"] == "content")
                #expect(try !holder.waitForTool().isError)
                let calls = try trail.waitForCalls(3)
                #expect(calls.count { $0["outcome"] == "cancelled" } == 1, "\(calls)")
                #expect(try Self.told(trail).allSatisfy { $0["verdict"] == "allowed" })
            }
        }
    }
}
