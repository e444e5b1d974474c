import JSON
import TestSupport
import Testing

@testable import MCP

@Suite("MCP server, both eras on one connection", .timeLimit(.minutes(1)))
struct ServerModernTests {
    private static let subscription = "io.modelcontextprotocol/subscriptionId"

    private func listen(_ talk: Conversation, _ id: String, tools: Bool = true) {
        talk.ask(id, "subscriptions/listen", #""notifications":{"toolsListChanged":\#(tools)}"#)
    }

    @Test func `without any opening, requests are answered by what they carry`() async {
        let talk = Conversation(nil)
        talk.ask("1", "tools/list")
        talk.ask("\"two\"", "tools/call", #""name":"echo","arguments":{"x":1}"#)
        var answers = talk.writer.answers.makeAsyncIterator()
        #expect(await answers.next()?["result"]["tools"].elements.count == 4)
        let called = await answers.next()
        #expect(called?["id"] == "two")
        #expect(called?["result"]["structuredContent"] == ["x": 1] && called?["result"]["resultType"] == "complete")
        // Nothing of that has opened the other era.
        talk.say(#"{"jsonrpc":"2.0","id":3,"method":"tools/list"}"#)
        #expect(await answers.next()?.errorCode == -32600)
    }

    @Test func `the eras mix on one connection, each request in its own`() async {
        let talk = Conversation("2024-11-05")
        talk.call("1", "echo", #"{"x":1}"#)
        await waitFor(talk, answers: 1)
        talk.ask("2", "tools/call", #""name":"echo","arguments":{"x":1}"#)
        await waitFor(talk, answers: 2)
        #expect(talk.answers[0]["result"].names == ["content", "isError"])
        #expect(talk.answers[1]["result"].names == ["_meta", "content", "isError", "resultType", "structuredContent"])
        talk.ask("3", "ping")
        talk.say(#"{"jsonrpc":"2.0","id":4,"method":"ping"}"#)
        #expect(talk.answers[2].errorCode == -32601)
        #expect(talk.answers[3]["result"] == [:])
    }

    @Test func `what a newer client probes with is answered, and initialize works after it`() {
        let talk = Conversation(nil)
        talk.say(#"{"jsonrpc":"2.0","id":"d","method":"server/discover"}"#)
        talk.ask("\"e\"", "server/discover")
        talk.ask("\"f\"", "server/discover", meta: #","io.modelcontextprotocol/logLevel":"debug""#)
        talk.say(
            #"{"jsonrpc":"2.0","id":"g","method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2027-01-01"}}}"#
        )
        talk.say(#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#)
        let answers = talk.writer.all
        for index in 0...2 { #expect(answers[index]["result"]["supportedVersions"].elements.count == 5) }
        #expect(answers[3].errorCode == -32022)
        #expect(answers[3]["error"]["data"].names == ["requested", "supported"])
        #expect(answers[4]["result"]["protocolVersion"] == "2025-11-25")
    }

    @Test func `a batch takes no request of this revision`() {
        let talk = Conversation("2025-03-26")
        talk.say(
            #"[{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}]"#
        )
        #expect(talk.answers[0].elements.map(\.errorCode) == [-32600])
    }

    // MARK: Changes of the list of tools

    @Test func `a subscription is acknowledged first, told of changes with its id, and ended with a result`() async {
        let talk = Conversation(nil)
        talk.server.toolsChanged()
        #expect(talk.writer.all == [], "nobody asked")
        listen(talk, "\"a\"")
        listen(talk, "7")
        listen(talk, "8", tools: false)
        talk.server.toolsChanged()
        let sent = talk.writer.all
        #expect(sent.count == 5)
        for (message, id) in zip(sent, ["a", 7, 8] as [JSONValue]) {
            #expect(message["method"] == "notifications/subscriptions/acknowledged" && message["id"] == .null)
            #expect(message["params"]["_meta"][Self.subscription] == id)
            #expect(message["params"]["notifications"] == (id == 8 ? [:] : ["toolsListChanged": true]))
        }
        let changes = sent.dropFirst(3)
        #expect(changes.allSatisfy { $0["method"] == "notifications/tools/list_changed" })
        #expect(
            Set(changes.compactMap { RequestID($0["params"]["_meta"].object, Self.subscription) })
                == [.string("a"), .integer(7)])
        await talk.server.close()
        let ends = talk.writer.all.dropFirst(5)
        #expect(Set(ends.compactMap { RequestID($0.object, "id") }) == [.string("a"), .integer(7), .integer(8)])
        for end in ends {
            #expect(end["result"]["resultType"] == "complete")
            #expect(end["result"]["_meta"][Self.subscription] == end["id"])
        }
        talk.server.toolsChanged()
        listen(talk, "9")
        #expect(talk.writer.all.count == 9 && talk.writer.all.last?.errorCode == -32000)
    }

    @Test func `a cancelled subscription gets nothing more, and its id is free again`() async {
        let talk = Conversation(nil)
        listen(talk, "1")
        listen(talk, "1")
        talk.ask("1", "tools/list")
        #expect(talk.writer.all.dropFirst().map(\.errorCode) == [-32600, -32600], "it is under way")
        talk.cancel("1")
        talk.server.toolsChanged()
        #expect(talk.writer.all.count == 3)
        listen(talk, "1")
        #expect(talk.writer.all.last?["method"] == "notifications/subscriptions/acknowledged")
        talk.cancel("1")
        await talk.server.close()
        #expect(talk.writer.all.count == 4)
    }

    @Test func `subscriptions are bounded`() {
        let talk = Conversation(nil)
        for id in 0..<64 { listen(talk, "\(id)") }
        listen(talk, "64")
        #expect(talk.writer.all.last?.errorCode == -32000)
        talk.cancel("3")
        listen(talk, "64")
        #expect(talk.writer.all.last?["params"]["_meta"][Self.subscription] == 64)
    }

    @Test func `an initialized client is told unasked, without a tag`() {
        for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
            let talk = Conversation(version)
            talk.server.toolsChanged()
            #expect(talk.answers == [["jsonrpc": "2.0", "method": "notifications/tools/list_changed"]])
        }
    }

    // MARK: Log messages

    private func messages(_ talk: Conversation) -> [JSONValue] {
        talk.writer.all.filter { $0["method"] == "notifications/message" }
    }

    @Test func `log messages come for the request that asks for them, from its level on, before its answer`() async {
        let talk = Conversation(nil)
        func call(_ id: String, _ tool: String, _ level: String?) async {
            let meta = level.map { #","io.modelcontextprotocol/logLevel":"\#($0)""# } ?? ""
            talk.ask(id, "tools/call", #""name":"\#(tool)""#, meta: meta)
            while !talk.writer.all.contains(where: { $0["id"] == .integer(Int64(id) ?? 0) }) { await Task.yield() }
        }
        await call("1", "echo", nil)
        #expect(messages(talk) == [])
        await call("2", "echo", "debug")
        #expect(messages(talk).map { $0["params"]["level"] } == ["debug", "info"])
        #expect(messages(talk).map { $0["params"]["data"]["event"] } == ["started", "ended"])
        #expect(messages(talk).allSatisfy { $0["params"]["logger"] == "echo" })
        #expect(talk.writer.all.last?["id"] == 2)
        await call("3", "echo", "warning")
        #expect(messages(talk).count == 2)
        await call("4", "fail", "warning")
        #expect(messages(talk).count == 3 && messages(talk).last?["params"]["level"] == "warning")
        await call("5", "fail", "error")
        await call("6", "fail", nil)
        #expect(messages(talk).count == 3)
    }

    @Test func `an older client sets the level for its connection, and modern requests do not see that`() async {
        let talk = Conversation("2025-06-18")
        talk.say(#"{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"info"}}"#)
        talk.call("2", "echo")
        await waitFor(talk, answers: 3)
        #expect(messages(talk).map { $0["params"]["level"] } == ["info"])
        talk.ask("3", "tools/call", #""name":"echo""#)
        await waitFor(talk, answers: 4)
        #expect(messages(talk).count == 1)
    }

    // MARK: Bad input

    @Test(arguments: [
        (#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":7}}"#, -32602, 1),
        (#"{"jsonrpc":"2.0","id":2,"method":"notifications/initialized"}"#, -32601, 2),
        (#"{"jsonrpc":"2.0","id":3,"id":4,"method":"ping"}"#, -32700, nil),
        ("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\",\"params\":{\"x\":\"\\ud800\"}}", -32700, 5),
        ("{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"p\0ng\"}", -32700, 6),
        (#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, -32600, nil),
        (#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600, nil),
        (#"{"jsonrpc":"2.0","id":7,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#, -32600, 7),
    ])
    func `bad lines get their error, and the next one is served`(line: String, code: Int64, id: Int64?) {
        let talk = Conversation()
        talk.say(line)
        #expect(talk.answers.map(\.errorCode) == [.integer(code)])
        #expect(talk.answers[0]["id"] == (id.map { .integer($0) } ?? .null))
        talk.say(#"{"jsonrpc":"2.0","id":"next","method":"ping"}"#)
        #expect(talk.answers.last?["result"] == [:])
    }

    @Test func `negative ids, a byte order mark and long arguments are served`() async {
        let talk = Conversation()
        talk.say(#"{"jsonrpc":"2.0","id":-5,"method":"ping"}"#)
        talk.say("\u{FEFF}" + #"{"jsonrpc":"2.0","id":"bom","method":"ping"}"#)
        #expect(talk.answers.map { $0["id"] } == [-5, "bom"])
        talk.call("1", "echo", #"{"text":"\#(String(repeating: "x", count: 15 << 20))"}"#)
        await waitFor(talk, answers: 3)
        #expect(talk.answers[2]["result"]["structuredContent"]["text"].string?.utf8.count == 15 << 20)
    }

    @Test func `cancelling what is unknown or done is ignored`() async {
        let talk = Conversation()
        talk.call("1", "echo")
        await waitFor(talk, answers: 1)
        for id in ["1", "2", "\"x\"", "null", "1.5", "{}"] { talk.cancel(id) }
        talk.say(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":[1]}"#)
        talk.say(#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#)
        #expect(talk.answers.map { $0["id"] } == [1, 3])
    }
}
