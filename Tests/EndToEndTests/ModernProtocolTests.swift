import CLinux
import Foundation
import TestSupport
import Testing

/// MCP 2026-07-28 on the wire, and what a reload and a long command tell the client in both eras.
@Suite struct ModernProtocolTests {
    private static let prefix = "io.modelcontextprotocol/"

    private func meta(_ more: [String: JSON] = [:]) -> JSON {
        .object(
            [
                "\(Self.prefix)protocolVersion": "2026-07-28", "\(Self.prefix)clientCapabilities": [:],
                "\(Self.prefix)clientInfo": ["name": "csd-tests", "version": "1"],
            ].merging(more) { $1 })
    }

    private func next(_ client: MCPClient, _ method: String) throws -> JSON {
        while true {
            let message = try client.nextUnmatched()
            if message["method"] == .string(method) { return message }
        }
    }

    @Test("without any opening, the stateless revision is served through socat")
    func stateless() throws {
        let daemon = try Remote.shared().startDaemon()
        defer { daemon.stop() }
        let client = try daemon.connect(.socat, initialize: false)
        let found = try client.request("server/discover", ["_meta": meta()], id: "probe")["result"]
        #expect(found?["supportedVersions"]?[0] == "2026-07-28")
        #expect(found?["instructions"]?.string?.contains("box (default)") == true)
        let list = try client.request("tools/list", ["_meta": meta()])["result"]
        #expect(list?["tools"]?.array?.count ?? 0 > 2)
        #expect(list?["cacheScope"] == "private" && list?["resultType"] == "complete")
        let result = try client.beginTool("ssh_exec", ["command": "echo hi"], meta: meta()).waitForTool()
        #expect(result["stdout"] == "hi\n")
        #expect(try JSON(parsing: Data(result.text.utf8)) == .object(result.structured))
        #expect(result.result["resultType"] == "complete")
        #expect(result.result["_meta"]?["\(Self.prefix)serverInfo"]?["name"] == "claude-ssh-daemon")
        let ping = try client.request("ping", ["_meta": meta()])
        #expect(ping["error"]?["code"] == -32601)
        let future = try client.request("tools/list", ["_meta": meta(["\(Self.prefix)protocolVersion": "2027-01-01"])])
        #expect(future["error"]?["code"] == -32022)
        #expect(future["error"]?["data"]?["requested"] == "2027-01-01")
    }

    @Test("a reload is told in both eras; the next call is judged anew, the one under way ends under the old policy")
    func reload() throws {
        let remote = try Remote.shared()
        let daemon = try remote.startDaemon()
        defer { daemon.stop() }
        let client = try daemon.connect()
        let listening = try client.begin(
            "subscriptions/listen", ["_meta": meta(), "notifications": ["toolsListChanged": true]], id: "listen")
        let acknowledged = try next(client, "notifications/subscriptions/acknowledged")
        #expect(acknowledged["params"]?["notifications"] == ["toolsListChanged": true])
        let place = try TemporaryDirectory(readableByAll: true)
        let gate = place.file("gate")
        let call = try client.beginTool(
            "ssh_exec", ["command": .string("echo began; until [ -e \(gate) ]; do sleep 0.1; done; echo ended")],
            meta: ["progressToken": "p"])
        // It runs: its first line has come.
        try waitUntil("the command under way") { !client.progress("p").isEmpty }
        try daemon.rewriteConfig(
            remote.config(["mcp_socket": .string(daemon.socketPath), "capabilities": ["exec": false]]))
        daemon.signal(SIGHUP)
        var tags: [JSON?] = []
        for _ in 0..<2 {
            let told = try next(client, "notifications/tools/list_changed")
            tags.append(told["params"]?["_meta"]?["\(Self.prefix)subscriptionId"])
        }
        #expect(tags.contains("listen") && tags.contains(nil), "\(tags)")
        let refused = try client.request("tools/call", ["name": "ssh_exec", "arguments": ["command": "true"]])
        #expect(refused["error"]?["code"] == -32602)
        let names = try client.request("tools/list", ["_meta": meta()])["result"]?["tools"]?.array
        #expect(names?.contains { $0["name"] == "ssh_exec" } == false)
        #expect(FileManager.default.createFile(atPath: gate, contents: nil))
        let result = try call.waitForTool()
        #expect(result["stdout"] == "began\nended\n" && result["exit_code"] == 0)
        // The end of the daemon ends the subscription with its result.
        daemon.signal(SIGTERM)
        let end = try listening.wait()
        #expect(end["result"]?["_meta"]?["\(Self.prefix)subscriptionId"] == "listen")
        #expect(end["result"]?["resultType"] == "complete")
    }

    @Test("ssh_exec reports the time and its last line, each report above the one before, none after the answer")
    func progress() throws {
        try withDaemon { _, client in
            let place = try TemporaryDirectory(readableByAll: true)
            let gate = place.file("gate")
            let call = try client.beginTool(
                "ssh_exec",
                ["command": .string("echo first; echo second >&2; until [ -e \(gate) ]; do sleep 0.1; done")],
                meta: meta(["progressToken": 7, "\(Self.prefix)logLevel": "info"]))
            let message = try next(client, "notifications/progress")["params"]?["message"]?.string
            #expect(
                message?.hasSuffix(" s: second") == true || message?.hasSuffix(" s: first") == true, "\(message ?? "")")
            try waitUntil("three reports") { client.progress(7).count >= 3 }
            #expect(FileManager.default.createFile(atPath: gate, contents: nil))
            let ended = try next(client, "notifications/message")
            #expect(ended["params"]?["logger"] == "ssh_exec" && ended["params"]?["level"] == "info")
            #expect(try call.waitForTool()["exit_code"] == 0)
            let reports = client.progress(7).map(\.progress)
            #expect(reports == reports.sorted() && Set(reports).count == reports.count)
            #expect(call.othersBefore == client.otherCount)
            let silent = try client.beginTool("ssh_exec", ["command": "sleep 0.7"], meta: meta()).waitForTool()
            #expect(silent["exit_code"] == 0)
            #expect(call.othersBefore == client.otherCount, "nobody asked for reports")
        }
    }

    @Test("hostile lines get an error, and the next one is served")
    func hostileLines() throws {
        try withDaemon { _, client in
            let deep = String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
            let many = "[" + String(repeating: "0,", count: 4 << 20) + "0]"
            let lines: [(String, Int)] = [
                ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":\(deep)}}", -32700),
                ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":\(many)}}", -32700),
                ("{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}", -32700),
                ("{\"jsonrpc\":\"2.0\",\"id\":\"\\udc00\",\"method\":\"ping\"}", -32700),
                ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",}", -32700), ("\0", -32700),
                ("{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"ping\"}", -32600),
                ("{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"ping\"}", -32600),
            ]
            for (line, code) in lines {
                try client.send(raw: line + "\r\n")
                let answer = try client.nextUnmatched()
                #expect(answer["error"]?["code"] == .int(code), "\(line.prefix(80)): \(answer)")
            }
            let long = String(repeating: "x", count: (16 << 20) - 200)
            let refused = try client.callTool("ssh_exec", ["command": .string(long)], timeout: .seconds(60))
            #expect(refused.isError && refused.text.contains("stdin"), "\(refused.text.prefix(300))")
            try client.send(raw: "\u{FEFF}{\"jsonrpc\":\"2.0\",\"id\":\"bom\",\"method\":\"ping\"}\n")
            #expect(try client.nextUnmatched()["id"] == "bom")
        }
    }
}
