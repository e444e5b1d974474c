import JSON
import TestSupport
import Testing

@testable import MCP

@Suite("JSON-RPC messages told apart")
struct ClientMessageTests {
    private func incoming(_ text: String) throws -> ClientMessage {
        ClientMessage(try #require(JSONValue.parse(Array(text.utf8))))
    }

    private func invalid(_ text: String) throws -> (id: RequestID?, code: Int64)? {
        guard case .invalid(let id, let error) = try incoming(text) else { return nil }
        return (id, error.code)
    }

    @Test func `an id is a string or an integer and comes back as it was`() throws {
        let ids: [(String, RequestID)] = [
            ("0", .integer(0)), ("-1", .integer(-1)), ("9223372036854775807", .integer(.max)), ("\"\"", .string("")),
            ("\"7\"", .string("7")), ("\"é\\n\"", .string("é\n")),
        ]
        for (text, id) in ids {
            #expect(
                try incoming(#"{"jsonrpc":"2.0","id":\#(text),"method":"m"}"#) == .request(id, method: "m", params: [:])
            )
            #expect(JSONWriter.bytes(of: id.json) == Array(text.utf8))
        }
        #expect(RequestID.string("7") != .integer(7))
    }

    @Test func `texts are told apart by their bytes, not by what Unicode holds for equal`() throws {
        #expect(RequestID.string("\u{E9}") != .string("e\u{301}"))
        #expect(Set([RequestID.string("\u{E9}"), .string("e\u{301}"), .string("\u{E9}")]).count == 2)
        let value = try #require(JSONValue.parse(Array("{\"\u{E9}\":1,\"e\u{301}\":2}".utf8)))
        #expect(value.object?["\u{E9}"] == 1 && value.object?["e\u{301}"] == 2)
        #expect(JSONValue.string("\u{E9}") != .string("e\u{301}"))
    }

    @Test func `a method's long name is cut by bytes, marks on one letter included`() throws {
        let name = "a" + String(repeating: "\u{301}", count: 100_000)
        guard case .request(_, let method, _) = try incoming("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\(name)\"}")
        else {
            Issue.record("no request")
            return
        }
        #expect(method.utf8.count < 500)
    }

    @Test(arguments: [
        "9223372036854775808", "-9223372036854775809", "18446744073709551615", "123456789012345678901234567890", "1.5",
        "1.0", "1e2", "1E+2", "-0", "-0.0", "0.1e-7", "1e308", "100000000000000000000000e-20",
    ])
    func `a number of another kind is an id as well, and comes back as it was spelled`(id: String) throws {
        let expected = ClientMessage.request(.number(id), method: "m", params: [:])
        #expect(try incoming(#"{"jsonrpc":"2.0","id":\#(id),"method":"m"}"#) == expected)
        #expect(JSONWriter.bytes(of: RequestID.number(id).json) == Array(id.utf8))
        let talk = Conversation(nil)
        talk.say(#"{"jsonrpc":"2.0","id":\#(id),"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#)
        talk.say(#"{"jsonrpc":"2.0","id":\#(id),"method":"nonsense"}"#)
        talk.say(#"{"jsonrpc":"2.0","id":\#(id),"method":"ping","method":"ping"}"#)
        talk.say(#"{"jsonrpc":"2.0","id":\#(id),"method":5}"#)
        let answers = talk.writer.bytes.map { String(decoding: $0, as: UTF8.self) }
        #expect(answers.count == 4)
        for answer in answers { #expect(answer.contains("\"id\":\(id),"), "\(answer)") }
        let refusal = RefusedClient.answer(to: Array(#"{"jsonrpc":"2.0","id":\#(id),"method":"m"}"#.utf8), reason: "no")
        #expect(String(decoding: refusal ?? [], as: UTF8.self).contains("\"id\":\(id),"))
    }

    @Test func `a number that no double holds is an id as well, of a line that is no JSON here`() {
        for id in [
            "1e400", "-1e999999999", String(repeating: "9", count: 1500), "1." + String(repeating: "0", count: 2000),
        ] {
            let talk = Conversation()
            talk.say(#"{"jsonrpc":"2.0","id":\#(id),"method":"ping"}"#)
            #expect(String(decoding: talk.writer.bytes.last ?? [], as: UTF8.self).contains("\"id\":\(id),"), "\(id)")
        }
    }

    @Test func `a call is cancelled and followed by the spelling of its id and its token`() async {
        let talk = Conversation()
        var events = talk.tools.events.makeAsyncIterator()
        talk.say(
            #"{"jsonrpc":"2.0","id":1e2,"method":"tools/call","params":{"name":"echo","arguments":{},"_meta":{"progressToken":18446744073709551616}}}"#
        )
        while !talk.writer.all.contains(where: { $0["id"] == 100 }) { await Task.yield() }
        let written = talk.writer.bytes.map { String(decoding: $0, as: UTF8.self) }
        #expect(written.contains { $0.contains("\"progressToken\":18446744073709551616,") }, "\(written)")
        talk.call("1e3", "hold", #"{"key":"a"}"#)
        #expect(await events.next() == .started("a"))
        talk.cancel("1e3")
        #expect(await events.next() == .cancelled("a"))
    }

    @Test(arguments: ["null", "true", "[1]", "{}"])
    func `any other id is no request`(id: String) throws {
        let refusal = try #require(try invalid(#"{"jsonrpc":"2.0","id":\#(id),"method":"m"}"#))
        #expect(refusal.id == nil)
        #expect(refusal.code == -32600)
    }

    @Test func `without an id it is a notification, whose parameters may be anything`() throws {
        #expect(try incoming(#"{"jsonrpc":"2.0","method":"m"}"#) == .notification(method: "m", params: [:]))
        #expect(
            try incoming(#"{"jsonrpc":"2.0","method":"m","params":{"a":1}}"#)
                == .notification(method: "m", params: ["a": 1]))
        #expect(
            try incoming(#"{"jsonrpc":"2.0","method":"m","params":[1]}"#) == .notification(method: "m", params: [:]))
    }

    @Test func `parameters of a request must be an object`() throws {
        #expect(
            try incoming(#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1}}"#)
                == .request(.integer(1), method: "m", params: ["a": 1]))
        for params in ["[]", "1", "\"x\"", "null", "true"] {
            let refusal = try #require(try invalid(#"{"jsonrpc":"2.0","id":1,"method":"m","params":\#(params)}"#))
            #expect(refusal.id == .integer(1))
            #expect(refusal.code == -32602)
        }
    }

    @Test func `answers are told apart`() throws {
        #expect(try incoming(#"{"jsonrpc":"2.0","id":1,"result":{}}"#) == .response)
        #expect(try incoming(#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#) == .response)
    }

    @Test(arguments: [
        #"{"id":1,"method":"m"}"#, #"{"jsonrpc":"1.0","id":1,"method":"m"}"#, #"{"jsonrpc":2,"id":1,"method":"m"}"#,
        #"{"jsonrpc":"2.0","id":1}"#, #"{"jsonrpc":"2.0","id":1,"method":5}"#,
        #"{"jsonrpc":"2.0","id":1,"method":null}"#,
    ])
    func `what is no request is refused under its id`(text: String) throws {
        let refusal = try #require(try invalid(text))
        #expect(refusal.id == .integer(1))
        #expect(refusal.code == -32600)
    }

    @Test(arguments: ["[]", "[{}]", "1", "\"x\"", "null", "true", "{}", #"{"jsonrpc":"2.0"}"#])
    func `what has no id is refused under none`(text: String) throws {
        let refusal = try #require(try invalid(text))
        #expect(refusal.id == nil)
        #expect(refusal.code == -32600)
    }

    @Test func `an error without an id has the id null`() {
        let error = Outgoing.error(nil, .parseError(JSONMistake(offset: 3, what: "a digit was expected")))
        #expect(error["id"] == .null && error.names == ["error", "id", "jsonrpc"])
        #expect(error.errorCode == -32700)
        #expect(Outgoing.result(.string("a"), ["x": 1]) == ["jsonrpc": "2.0", "id": "a", "result": ["x": 1]])
    }

    @Test func `a long method name is not repeated whole`() {
        #expect(RPCError.methodNotFound(String(repeating: "x", count: 100_000)).message.utf8.count < 300)
    }
}
