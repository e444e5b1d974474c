import Foundation
import Testing
import TestSupport

/// MCP as a client meets it on the wire: eras, errors, bad input.
@Suite struct ProtocolTests {
    @Test(
        "each revision is spoken as its schema has it, through socat",
        arguments: ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
    func revisions(version: String) throws {
        let daemon = try Remote.shared().startDaemon()
        defer { daemon.stop() }
        let client = try daemon.connect(.socat, initialize: false)
        let opened = try client.initialize(version: version)
        #expect(opened["protocolVersion"] == .string(version))
        #expect(opened["serverInfo"]?["name"] == "claude-ssh-daemon")
        #expect(opened["instructions"]?.string?.contains("box (default)") == true)
        let tools = try #require(try client.request("tools/list")["result"]?["tools"]?.array)
        #expect(tools.compactMap { $0["name"]?.string }.prefix(2) == ["ssh_connection_status", "ssh_exec"])
        for tool in tools {
            #expect((tool["annotations"] != nil) == (version >= "2025-03-26"))
            #expect((tool["outputSchema"] != nil) == (version >= "2025-06-18"))
            #expect((tool["title"] != nil) == (version >= "2025-06-18"))
        }
        let result = try client.callTool("ssh_exec", ["command": "echo hi"])
        #expect(result.structured.isEmpty == (version < "2025-06-18"))
        #expect(try JSON(parsing: Data(result.text.utf8))["stdout"] == "hi\n")
        #expect(try client.request("ping")["result"] == [:])
    }

    @Test("a version nobody knows is answered with the newest of this era")
    func unknownVersion() throws {
        let daemon = try Remote.shared().startDaemon()
        defer { daemon.stop() }
        let client = try daemon.connect(.direct, initialize: false)
        #expect(try client.initialize(version: "1999-01-01")["protocolVersion"] == "2025-11-25")
    }

    @Test("what Claude Code sends first is answered, and initialize works after it")
    func probe() throws {
        let daemon = try Remote.shared().startDaemon()
        defer { daemon.stop() }
        let client = try daemon.connect(.socat, initialize: false)
        let probe = try client.request("server/discover", [:])
        #expect(probe["result"]?["supportedVersions"]?.array?.count == 5)
        #expect(try client.initialize()["protocolVersion"] == "2025-11-25")
    }

    @Test("a capability that is off leaves its tool unlisted and unknown")
    func capabilityOff() throws {
        try withDaemon(["capabilities": ["exec": false]]) { _, client in
            let tools = try client.request("tools/list")["result"]?["tools"]?.array
            let names = tools?.compactMap { $0["name"]?.string } ?? []
            #expect(names.first == "ssh_connection_status" && !names.contains("ssh_exec"))
            let call = try client.request("tools/call", ["name": "ssh_exec", "arguments": ["command": "true"]])
            #expect(call["error"]?["code"] == -32602)
        }
    }

    @Test("bad lines get the error that the specification asks for, and the next line is served")
    func badLines() throws {
        try withDaemon { _, client in
            let lines: [(String, Int, JSON)] = [
                ("this is not JSON", -32700, .null),
                ("{\"jsonrpc\":\"2.0\",\"id\":1", -32700, .null),
                ("\"text\"", -32600, .null),
                ("[]", -32600, .null),
                ("{\"jsonrpc\":\"1.0\",\"id\":\"a\",\"method\":\"ping\"}", -32600, "a"),
                ("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", -32600, .null),
                ("{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"method\":7}", -32600, "b"),
                ("{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"no/such\"}", -32601, "c"),
                (
                    "{\"jsonrpc\":\"2.0\",\"id\":\"d\",\"method\":\"tools/call\",\"params\":{\"name\":\"rm\"}}", -32602,
                    "d"
                ),
                ("{\"jsonrpc\":\"2.0\",\"id\":\"e\",\"method\":\"tools/call\",\"params\":[1]}", -32602, "e"),
            ]
            for (line, code, id) in lines {
                try client.send(raw: line + "\n")
                let answer = try client.nextUnmatched()
                #expect(answer["error"]?["code"] == .int(code), "\(line): \(answer)")
                #expect(answer["id"] == id, "\(line): \(answer)")
            }
            try client.send(raw: "\n\r\n")
            #expect(try client.request("ping")["result"] == [:])
        }
    }

    @Test("wrong arguments are a result that names them, not an error of the protocol")
    func badArguments() throws {
        try withDaemon { _, client in
            let calls: [(JSON, String)] = [
                ([:], "\"command\" is missing"),
                (["command": 7], "\"command\" must be a string"),
                (["command": ""], "\"command\" must not be empty"),
                (["command": "a\0b"], "\"command\" must not contain a NUL"),
                (["command": "true", "timeout_seconds": 0], "\"timeout_seconds\""),
                (["command": "true", "timeout_seconds": 601], "from 1 to 600"),
                (["command": "true", "timeout_seconds": "soon"], "\"timeout_seconds\""),
                (["command": "true", "env": ["A=B": "x"]], "\"env\""),
                (["command": "true", "env": ["A": 1]], "\"env\""),
                (["command": "true", "cmd": "x"], "no argument \"cmd\""),
                (["command": "true", "host": "elsewhere"], "\"box\""),
            ]
            for (arguments, expected) in calls {
                let result = try client.callTool("ssh_exec", arguments)
                #expect(result.isError, "\(arguments)")
                #expect(result.text.contains(expected), "\(arguments): \(result.text)")
            }
        }
    }

    @Test("17 MiB without a newline end the connection, with an error, a log line and bounded memory")
    func endlessLine() throws {
        let daemon = try Remote.shared().startDaemon()
        defer { daemon.stop() }
        let client = try daemon.connect()
        let worker = try #require(daemon.workers().first)
        var peak = 0
        let chunk = Data(repeating: UInt8(ascii: "x"), count: 1 << 20)
        for _ in 0..<17 {
            // The last one may find the connection closed.
            try? client.send(raw: chunk)
            peak = max(peak, worker.status("VmHWM")?.split(separator: " ").first.flatMap { Int($0) } ?? 0)
        }
        let told = try client.nextUnmatched()["error"]
        #expect(told?["code"] == -32600 && told?["message"]?.string?.contains("max_request_bytes") == true)
        _ = try client.waitForEOF()
        let dropped = try daemon.waitForLog("client disconnected")
        #expect(dropped["reason"]?.string?.contains("max_request_bytes") == true, "\(dropped)")
        #expect(peak < 120_000, "resident \(peak) kB")
        #expect(try daemon.connect().request("ping")["result"] == [:])
    }

    @Test("half a line and then the end is a clean end")
    func halfLine() throws {
        let daemon = try Remote.shared().startDaemon()
        defer { daemon.stop() }
        let client = try daemon.connect()
        try client.send(raw: "{\"jsonrpc\":\"2.0\",\"id\":9,\"meth")
        client.halfClose()
        _ = try client.waitForEOF()
        #expect(try daemon.waitForLog("worker ended")["how"] == "clean exit")
    }

    @Test("a client that closes its sending half at once still gets the answers that are due")
    func halfClose() throws {
        let daemon = try Remote.shared().startDaemon()
        defer { daemon.stop() }
        for _ in 0..<10 {
            let client = try daemon.connect(.direct, initialize: false)
            let opening = try client.begin("initialize", ["protocolVersion": "2025-11-25", "capabilities": [:]])
            let list = try client.begin("tools/list")
            client.halfClose()
            let (opened, listed) = (try opening.wait(), try list.wait())
            #expect(opened["result"] != nil)
            #expect(listed["result"] != nil)
            _ = try client.waitForEOF()
        }
    }

    @Test("a client that does not read does not stop its own cancellations, and what it asks for meanwhile waits")
    func slowReader() throws {
        let remote = try Remote.shared()
        let (place, trail) = (try Place(), try AuditTrail())
        let config = trail.config.merging(["safeguards": ["guard_disabled": true]])
        try withDaemon(config, on: remote) { _, client in
            let marks = (0..<2).map { _ in "32\(UInt32.random(in: 1_000_000...9_999_999))" }
            func runs(_ mark: String) -> Bool {
                remote.sshd.remoteProcesses(running: mark).contains { $0.comm == "sleep" }
            }
            let sleepers = try marks.map {
                try client.beginTool("ssh_exec", ["command": .string("sleep \($0)"), "timeout_seconds": 600])
            }
            try waitUntil("both commands running") { marks.allSatisfy(runs) }
            client.pauseReading()
            // Each is more than the socket holds, and together they are as many as may wait for the client.
            let size = 400_000
            let large = try (0..<16).map { _ in
                try client.beginTool("ssh_exec", ["command": .string("head -c \(size) /dev/zero | tr '\\0' z")])
            }
            // Each has its result, and it is only the client that keeps it from being answered.
            try waitUntil("their results", timeout: .seconds(120)) { try trail.calls().count >= large.count }
            // Short answers, which would come at once, stand behind those.
            let pings = try (0..<200).map { _ in try client.begin("ping") }
            try client.cancel(sleepers[0])
            try waitUntil("the first command stopped", timeout: .seconds(60)) { !runs(marks[0]) }
            let held = try (0..<4).map { number in
                try client.beginTool(
                    "ssh_write_file", ["path": .string(place.file("\(number)")), "content": "held"])
            }
            try client.cancel(held[0])
            try client.cancel(sleepers[1])
            try waitUntil("the second command stopped", timeout: .seconds(60)) { !runs(marks[1]) }
            #expect((large + pings + held).allSatisfy { !$0.isAnswered })
            #expect(try place.names == [], "what came when sixteen answers waited has not begun")
            client.resumeReading()
            for call in large {
                let result = try call.waitForTool(timeout: .seconds(60))
                #expect(result["stdout"]?.string?.utf8.count == size)
            }
            for ping in pings { #expect(try ping.wait()["result"] == [:]) }
            for call in held.dropFirst() { #expect(try call.waitForTool()["written"] == true) }
            #expect(try place.names == ["1", "2", "3"])
            #expect((sleepers + held.prefix(1)).allSatisfy { !$0.isAnswered })
        }
    }
}
