import JSON
import TestSupport
import Testing

@testable import MCP

@Suite("MCP batches, 2025-03-26", .timeLimit(.minutes(1)))
struct ServerBatchTests {
    private func request(_ id: Int, _ method: String, _ params: String = "{}") -> String {
        #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":\#(params)}"#
    }

    private func hold(_ id: Int, _ key: String) -> String {
        request(id, "tools/call", #"{"name":"hold","arguments":{"key":"\#(key)"}}"#)
    }

    @Test(arguments: ["2024-11-05", "2025-06-18", "2025-11-25"])
    func `other revisions have none`(version: String) {
        let talk = Conversation(version)
        let messages = [
            request(1, "ping"), hold(2, "a"), #"{"jsonrpc":"2.0","method":"notifications/x"}"#,
            #"{"jsonrpc":"2.0","id":"c","result":{}}"#, #"{"jsonrpc":"1.0","id":1.5,"method":"m"}"#,
        ]
        talk.say("[\(messages.joined(separator: ","))]")
        #expect(talk.answers.map(\.errorCode) == [-32600, -32600, -32600])
        #expect(talk.answers.map { $0["id"] } == [1, 2, .number(1.5)])
        #expect(String(decoding: talk.writer.bytes.last ?? [], as: UTF8.self).contains(#""id":1.5,"#))
        // What holds no request has no id either, and what cannot be read is answered in the same way.
        talk.say("[5]")
        talk.say("[]")
        #expect(talk.answers.suffix(2).map { $0["id"] } == [.null, .null])
        talk.say("[\(request(7, "ping")),\(request(8, "ping")),]")
        #expect(talk.answers.suffix(2).map { $0["id"] } == [7, 8])
        #expect(talk.answers.suffix(2).map(\.errorCode) == [-32700, -32700])
    }

    @Test func `there is none before initialize, and initialize is in none`() {
        let talk = Conversation(nil)
        talk.say("[\(request(1, "ping"))]")
        talk.say("[" + request(1, "initialize", #"{"protocolVersion":"2025-03-26"}"#) + "]")
        #expect(talk.writer.all.map(\.errorCode) == [-32600, -32600])
        #expect(talk.writer.all.map { $0["id"] } == [1, 1])
    }

    @Test func `all answers come as one array, when the last is there`() async {
        let talk = Conversation("2025-03-26")
        var events = talk.tools.events.makeAsyncIterator()
        let batch = [
            request(1, "ping"), hold(2, "a"), #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, hold(3, "b"),
            request(4, "nonsense"), "5", #"{"jsonrpc":"2.0","id":6,"result":{}}"#,
            request(7, "tools/call", #"{"name":"nonsense"}"#),
        ]
        talk.say("[\(batch.joined(separator: ","))]")
        for _ in 0..<2 { _ = await events.next() }
        talk.tools.release("b")
        talk.say(request(99, "ping"))
        #expect(talk.answers.map { $0["id"] } == [99], "nothing of the batch goes out before its last answer")
        talk.tools.release("a")
        await waitFor(talk, answers: 2)
        let answers = talk.answers[1].elements
        #expect(answers.count == 6)
        #expect(answers.first { $0["id"] == 1 }?["result"] == [:])
        #expect(answers.first { $0["id"] == 2 }?["result"]["isError"] == false)
        #expect(answers.first { $0["id"] == 3 }?["result"]["isError"] == false)
        #expect(answers.first { $0["id"] == 4 }?.errorCode == -32601)
        #expect(answers.first { $0["id"] == .null }?.errorCode == -32600)
        #expect(answers.first { $0["id"] == 7 }?.errorCode == -32602)
    }

    @Test func `a batch that asks for nothing gets nothing, an empty one an error`() {
        let talk = Conversation("2025-03-26")
        let notification = #"{"jsonrpc":"2.0","method":"notifications/x"}"#
        talk.say("[\(notification),\(notification)]")
        talk.say(#"[{"jsonrpc":"2.0","id":1,"result":{}}]"#)
        #expect(talk.answers == [])
        talk.say("[]")
        #expect(talk.answers.map(\.errorCode) == [-32600])
        #expect(talk.answers[0]["id"] == .null, "one error, not an array")
    }

    @Test func `a batch of one is answered with an array of one`() {
        let talk = Conversation("2025-03-26")
        talk.say("[\(request(1, "ping"))]")
        #expect(talk.answers == [[["jsonrpc": "2.0", "id": 1, "result": [:]]]] || talk.answers[0].elements.count == 1)
        talk.say(request(2, "ping"))
        #expect(talk.answers[1]["id"] == 2, "and a single request singly")
    }

    @Test func `a cancelled call is left out of the array`() async {
        let talk = Conversation("2025-03-26")
        var events = talk.tools.events.makeAsyncIterator()
        talk.say("[\(request(1, "ping")),\(hold(2, "a"))]")
        #expect(await events.next() == .started("a"))
        talk.cancel("2")
        await waitFor(talk, answers: 1)
        #expect(talk.answers[0].elements.map { $0["id"] } == [1])
    }

    @Test func `a batch of which every call was cancelled gets no answer at all`() async {
        let talk = Conversation("2025-03-26")
        var events = talk.tools.events.makeAsyncIterator()
        talk.say("[\(hold(1, "a")),\(hold(2, "b"))]")
        for _ in 0..<2 { _ = await events.next() }
        talk.say(#"[{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}]"#)
        talk.cancel("2")
        await talk.server.close()
        #expect(talk.answers == [])
    }

    @Test func `one id twice in a batch is refused the second time`() async {
        let talk = Conversation("2025-03-26")
        var events = talk.tools.events.makeAsyncIterator()
        talk.say("[\(hold(1, "a")),\(hold(1, "b"))]")
        #expect(await events.next() == .started("a"))
        talk.tools.release("a")
        await waitFor(talk, answers: 1)
        #expect(talk.answers[0].elements.map(\.errorCode).sorted { "\($0)" < "\($1)" } == [.integer(-32600), .null])
    }
}
