import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// What the audit log says of calls.
@Suite struct AuditTests {
    private static let overwriting: JSON = ["safeguards": ["allow_overwrite": true]]

    @Test("every tool's call leaves one line: who, what, where, the verdict, the outcome, bytes and time")
    func everyTool() throws {
        let (trail, place, local) = (try AuditTrail(), try Place(), try Place())
        try place.write("old", "alpha\n")
        try local.write("up", "12345")
        let (old, new) = (JSON.string(place.file("old")), JSON.string(place.file("new")))
        let number = try freePort()
        let port = JSON.int(number)
        let cases: [(tool: String, arguments: JSON, what: JSON, more: JSON)] = [
            ("ssh_connection_status", [:], [:], ["bytes_in": 0, "bytes_out": 0]),
            (
                "ssh_exec", ["command": "cat; exit 3", "cwd": "/tmp", "env": ["B": "1", "A": "2"], "stdin": "abc"],
                ["command": "cat; exit 3", "cwd": "/tmp", "env": ["A", "B"]],
                ["bytes_in": 3, "bytes_out": 3, "exit_code": 3]
            ),
            ("ssh_read_file", ["path": old], ["path": old], ["bytes_in": 0, "bytes_out": 6]),
            ("ssh_list_dir", ["path": .string(place.directory.path)], ["path": .string(place.directory.path)], [:]),
            ("ssh_write_file", ["path": new, "content": "four"], ["path": new], ["bytes_in": 4, "bytes_out": 0]),
            (
                "ssh_edit_file", ["path": old, "edits": [["old_text": "alpha", "new_text": "be"]]], ["path": old],
                ["bytes_in": 3, "bytes_out": 6]
            ),
            (
                "ssh_upload_file", ["local_path": .string(local.file("up")), "remote_path": new],
                ["local_path": .string(local.file("up")), "remote_path": new], ["bytes_in": 5, "bytes_out": 0]
            ),
            (
                "ssh_download_file", ["local_path": .string(local.file("down")), "remote_path": old],
                ["local_path": .string(local.file("down")), "remote_path": old], ["bytes_in": 0, "bytes_out": 3]
            ),
            (
                "ssh_forward_port", ["remote_host": "127.0.0.1", "remote_port": 9, "local_port": port],
                ["remote_host": "127.0.0.1", "remote_port": 9, "local_port": port], [:]
            ),
            ("ssh_list_forwards", [:], [:], [:]),
            ("ssh_cancel_forward", ["local_port": port], ["local_port": port], [:]),
        ]
        try withDaemon(Self.overwriting.merging(trail.config)) { daemon, client in
            let listed = try client.request("tools/list")["result"]?["tools"]?.array ?? []
            let names = Set(listed.compactMap { $0["name"]?.string })
            #expect(names == Set(cases.map(\.tool)), "every tool is tried here")
            for (index, (tool, arguments, what, more)) in cases.enumerated() {
                let result = try client.callTool(tool, arguments)
                #expect(!result.isError, "\(result)")
                let calls = try trail.waitForCalls(index + 1)
                #expect(calls.count == index + 1, "one line a call")
                let call = try #require(calls.last)
                #expect(call["tool"] == .string(tool))
                let isOfAll = ["ssh_connection_status", "ssh_list_forwards", "ssh_cancel_forward"].contains(tool)
                #expect(call["host"] == (isOfAll ? nil : "box"), "\(tool)")
                #expect(call["what"] == what)
                #expect(call["verdict"] == "allowed" && call["rule"] == nil && call["outcome"] == "ok")
                for (key, value) in more.object ?? [:] { #expect(call[key] == value, "\(tool) \(key)") }
                #expect(call["client_pid"] == .int(Int(getpid())) && call["client_uid"] == .int(Int(geteuid())))
                let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
                #expect(call["client_executable"] == .string(program))
                #expect(call["time"]?.string?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
                #expect((call["duration_ms"]?.int ?? -1) >= 0)
                #expect(call["prev"]?.string?.utf8.count == 64)
                // The journal has it as well, with the hash of the line.
                let logged = try daemon.waitForLog("call") { $0["call"] == call["call"] }
                #expect(logged["tool"] == .string(tool) && logged["hash"]?.string?.utf8.count == 64)
            }
            let verdict = try trail.verify()
            let count = try trail.records().count
            #expect(count >= 2 * cases.count - 4, "and what their gate let through")
            #expect(verdict.succeeded && verdict.outputText.hasPrefix("\(count) lines, chain intact"))
        }
    }

    @Test("a refused call names the rule in its line, and the key and the host in its answer")
    func refusals() throws {
        let (trail, place, local) = (try AuditTrail(), try Place(), try Place())
        try place.write("old", "x")
        try local.write("old", "x")
        symlink("/etc", place.file("out"))
        let remote = try Remote.shared()
        let base = JSON.string(place.directory.path)
        let hosts: JSON = [
            "listed": remote.hostEntry.merging(["exec_allowlist": ["git "], "forward_allowlist": ["db:5432"]]),
            "rooted": remote.hostEntry.merging(["base_dir": base]),
            "narrow": remote.hostEntry.merging(["capabilities": ["exec": false]]),
        ]
        let config: JSON = ["hosts": hosts, "local_roots": [.string(local.directory.path)]]
        let old = JSON.string(place.file("old"))
        let cases: [(tool: String, arguments: JSON, rule: String, words: [String])] = [
            ("ssh_exec", ["command": "id", "host": "listed"], "exec_allowlist", ["hosts.listed.exec_allowlist"]),
            ("ssh_exec", ["command": "rm -rf /x"], "allow_delete", ["safeguards.allow_delete", "box"]),
            ("ssh_exec", ["command": "id", "host": "rooted"], "base_dir", ["hosts.rooted.base_dir"]),
            ("ssh_read_file", ["path": "/etc/passwd", "host": "rooted"], "base_dir", ["hosts.rooted.base_dir"]),
            (
                "ssh_read_file", ["path": .string(place.file("out/passwd")), "host": "rooted"], "base_dir",
                ["hosts.rooted.base_dir", "symlink"]
            ),
            ("ssh_exec", ["command": "id", "host": "narrow"], "capability", ["hosts.narrow.capabilities.exec"]),
            ("ssh_exec", ["command": "id", "host": "nowhere"], "host", ["nowhere", "hosts"]),
            ("ssh_exec", ["cmd": "id"], "arguments", ["cmd"]),
            (
                "ssh_write_file", ["path": old, "content": ""], "allow_overwrite",
                ["safeguards.allow_overwrite", "box"]
            ),
            (
                "ssh_edit_file", ["path": old, "edits": [["old_text": "x", "new_text": "y"]]], "allow_overwrite",
                ["safeguards.allow_overwrite", "box"]
            ),
            (
                "ssh_upload_file", ["local_path": "/etc/passwd", "remote_path": .string(place.file("n"))],
                "local_roots", ["local_roots", "/etc/passwd"]
            ),
            (
                "ssh_download_file", ["local_path": .string(local.file("old")), "remote_path": old], "allow_overwrite",
                ["safeguards.allow_overwrite"]
            ),
            (
                "ssh_forward_port", ["remote_host": "10.0.0.1", "remote_port": 80, "host": "listed"],
                "forward_allowlist", ["hosts.listed.forward_allowlist", "listed", "ask the user"]
            ),
            (
                "ssh_forward_port", ["remote_host": "169.254.169.254", "remote_port": 80], "forward_allowlist",
                ["hosts.box.forward_allowlist"]
            ),
        ]
        try withDaemon(config.merging(trail.config)) { _, client in
            for (index, (tool, arguments, rule, words)) in cases.enumerated() {
                let result = try client.callTool(tool, arguments)
                #expect(result.isError)
                for word in words { #expect(result.text.contains(word), "\(result.text)") }
                let call = try #require(try trail.waitForCalls(index + 1).last)
                #expect(call["verdict"] == "refused" && call["rule"] == .string(rule), "\(call)")
                #expect(call["outcome"] == "refused")
                #expect(call["host"] == arguments["host"] ?? "box")
            }
            // Not only what is judged in a tool: one that there is not, or that is off.
            let unknown = try client.request("tools/call", ["name": "nonsense", "arguments": [:]])
            #expect(unknown["error"] != nil)
            #expect(try trail.waitForCalls(cases.count + 1).last?["rule"] == "tool")
            #expect(try trail.verify().succeeded)
        }
        let off: JSON = ["capabilities": ["exec": false]]
        try withDaemon(off.merging(trail.config)) { _, client in
            let answer = try client.request("tools/call", ["name": "ssh_exec", "arguments": ["command": "id"]])
            #expect(answer["error"] != nil)
            #expect(try trail.waitForCalls(cases.count + 2).last?["rule"] == "capability")
        }
    }

    /// A command that runs until it is stopped, and how to find it.
    private static func begin(_ client: MCPClient, timeout: Int = 600) throws -> (PendingResponse, mark: String) {
        let mark = "34\(UInt32.random(in: 1_000_000...9_999_999))"
        let pending = try client.beginTool(
            "ssh_exec", ["command": .string("sleep \(mark)"), "timeout_seconds": .int(timeout)])
        try waitUntil("the command running") { try !Remote.shared().sshd.remoteProcesses(running: mark).isEmpty }
        return (pending, mark)
    }

    @Test("calls that time out, fail, are cancelled, or lose their client, worker or daemon have their outcome")
    func outcomes() throws {
        let trail = try AuditTrail()
        let remote = try Remote.shared()
        let daemon = try remote.startDaemon(trail.config)
        defer { daemon.stop() }
        let client = try daemon.connect()

        let (late, _) = try Self.begin(client, timeout: 1)
        #expect(try late.waitForTool()["timed_out"] == true)
        #expect(try trail.waitForCalls(1).last?["outcome"] == "timeout")

        #expect(try client.callTool("ssh_read_file", ["path": "/nonexistent"]).isError)
        let failed = try #require(try trail.waitForCalls(2).last)
        #expect(failed["outcome"] == "error" && failed["verdict"] == "allowed")

        let (cancelled, _) = try Self.begin(client)
        try client.cancel(cancelled)
        #expect(try trail.waitForCalls(3).last?["outcome"] == "cancelled")

        _ = try Self.begin(client)
        client.closeAbruptly()
        #expect(try trail.waitForCalls(4).last?["outcome"] == "cancelled")

        let second = try daemon.connect()
        let (_, crashed) = try Self.begin(second)
        let worker = try daemon.waitForWorker()
        kill(worker.pid, SIGKILL)
        let lost = try #require(try trail.waitForCalls(5).last)
        #expect(lost["outcome"] == "unknown" && lost["verdict"] == nil)
        #expect(lost["reason"] == "the worker ended: crashed or killed by signal 9")
        #expect(lost["what"]?["command"] == .string("sleep \(crashed)"))
        for process in remote.sshd.remoteProcesses(running: crashed) { process.killIfAlive() }

        let third = try daemon.connect()
        _ = try Self.begin(third)
        #expect(try daemon.terminate() == .exited(0))
        let calls = try trail.calls()
        #expect(calls.count == 6 && calls.last?["outcome"] == "cancelled")
        #expect(try trail.verify().succeeded)
    }

    @Test("a daemon that is killed in a call leaves its beginning in the daemon's log, and the chain goes on")
    func killed() throws {
        let trail = try AuditTrail()
        let remote = try Remote.shared()
        let daemon = try remote.startDaemon(trail.config)
        defer { daemon.stop() }
        let client = try daemon.connect()
        _ = try client.callTool("ssh_exec", ["command": "echo first"])
        _ = try trail.waitForCalls(1)
        let (_, mark) = try Self.begin(client)
        defer { for process in remote.sshd.remoteProcesses(running: mark) { process.killIfAlive() } }
        let begun = try daemon.waitForLog("call begins") { $0["what"]?["command"] == .string("sleep \(mark)") }
        #expect(begun["client_pid"] == .int(Int(getpid())) && begun["tool"] == "ssh_exec")
        try daemon.kill9()
        let next = try remote.startDaemon(trail.config)
        defer { next.stop() }
        _ = try next.connect().callTool("ssh_exec", ["command": "echo second"])
        #expect(try trail.waitForCalls(2).count == 2)
        let events = try trail.records().map { $0["event"] }
        #expect(events == ["open", "gate", "call", "gate", "open", "gate", "call"], "what ran is there")
        #expect(try trail.verify().succeeded)
    }

    @Test("values of variables, standard input and content are nowhere in the audit log, nor in the daemon's log")
    func secrets() throws {
        let (trail, place, local) = (try AuditTrail(), try Place(), try Place())
        let secret = "s3cr3t-\(UInt64.random(in: .min ... .max))"
        try place.write("old", secret)
        try local.write("up", secret)
        try withDaemon(Self.overwriting.merging(trail.config)) { daemon, client in
            let calls: [(String, JSON)] = [
                (
                    "ssh_exec",
                    ["command": "printenv TOKEN; cat", "env": ["TOKEN": .string(secret)], "stdin": .string(secret)]
                ),
                ("ssh_read_file", ["path": .string(place.file("old"))]),
                ("ssh_write_file", ["path": .string(place.file("new")), "content": .string(secret)]),
                (
                    "ssh_edit_file",
                    [
                        "path": .string(place.file("new")),
                        "edits": [["old_text": .string(secret), "new_text": .string(secret + "2")]],
                    ]
                ),
                (
                    "ssh_upload_file",
                    ["local_path": .string(local.file("up")), "remote_path": .string(place.file("up"))]
                ),
            ]
            for (tool, arguments) in calls {
                let result = try client.callTool(tool, arguments)
                #expect(!result.isError, "\(result)")
            }
            // What a call refuses or does not know is no way in either.
            for arguments in [
                ["command": "id", "env": .string(secret)], ["command": "id", "password": .string(secret)],
                ["command": "id", "env": [secret + "=": "x"]],
            ] as [JSON] {
                #expect(try client.callTool("ssh_exec", arguments).isError)
            }
            _ = try trail.waitForCalls(calls.count + 3)
            let text = try String(contentsOfFile: trail.path, encoding: .utf8)
            #expect(text.contains("TOKEN") && !text.contains(secret))
            #expect(!daemon.logText().contains(secret))
        }
    }

    @Test("through socat the line names socat, and what a call says cannot break the line")
    func hostileText() throws {
        let trail = try AuditTrail()
        let daemon = try Remote.shared().startDaemon(trail.config)
        defer { daemon.stop() }
        let client = try daemon.connect(.socat)
        let command = "echo '\"},{\"verdict\":\"allowed\"'\n# \u{1B}[2J\u{202E}\u{2028}\r end"
        _ = try client.callTool("ssh_exec", ["command": .string(command)])
        let long = String(repeating: "\u{1F600}", count: 3_000)
        #expect(try client.callTool("ssh_exec", ["command": .string("true " + long)]).isError == false)
        let calls = try trail.waitForCalls(2)
        #expect(calls[0]["what"]?["command"] == .string(command))
        #expect(calls[0]["client_executable"]?.string?.contains("socat") == true)
        #expect(calls[1]["what"]?["command"]?.string?.hasSuffix("[cut, 12005 bytes]") == true)
        let bytes = try Data(contentsOf: URL(filePath: trail.path))
        #expect(bytes.allSatisfy { $0 >= 0x20 || $0 == 0x0A } && !bytes.contains(0x7F))
        #expect(try trail.verify().succeeded)
    }
}
