import JSON
import TestSupport
import Testing

@testable import MCP

@Suite("MCP server", .timeLimit(.minutes(1)))
struct ServerTests {
    @Test func `progress is reported where a token asks for it, before the answer and never after`() async {
        let talk = Conversation()
        talk.call("1", "echo")
        for token in ["\"t\"", "7"] {
            talk.say(
                #"{"jsonrpc":"2.0","id":\#(token),"method":"tools/call","params":{"name":"echo","_meta":{"progressToken":\#(token)}}}"#
            )
        }
        await waitFor(talk, answers: 5)
        let reports = talk.answers.filter { $0["method"] == "notifications/progress" }
        #expect(reports.count == 2)
        for token in ["t", 7] as [JSONValue] {
            let mine = reports.first { $0["params"]["progressToken"] == token }
            #expect(mine?["params"]["progress"] == 1)
            #expect(mine?["params"]["total"] == 2)
            #expect(mine?["params"]["message"] == "half")
            let report = talk.answers.firstIndex { $0["params"]["progressToken"] == token }
            let answer = talk.answers.firstIndex { $0["id"] == token }
            #expect((report ?? .max) < (answer ?? .min))
        }
    }

    @Test(arguments: ["2024-11-05", "2025-03-26", "2025-11-25"])
    func `progress has a message where the revision knows that`(version: String) async {
        let talk = Conversation(version)
        talk.say(
            #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{"progressToken":"t"}}}"#)
        await waitFor(talk, answers: 2)
        let report = talk.answers.first { $0["method"] == "notifications/progress" }
        #expect(report?["params"]["progress"] == 1)
        #expect(report?["params"].names.contains("message") == (version != "2024-11-05"))
    }

    @Test func `a client opens, lists and calls`() async {
        let talk = Conversation(nil)
        talk.say(
            #"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}}"#
        )
        talk.say(#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
        talk.say(#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#)
        talk.call("2", "echo", #"{"text":"hello"}"#)
        var answers = talk.writer.answers.makeAsyncIterator()
        #expect(await answers.next()?["result"]["protocolVersion"] == "2025-06-18")
        #expect(await answers.next()?["result"]["tools"].elements.count == 4)
        let result = await answers.next()
        #expect(result?["id"] == 2)
        #expect(result?["result"]["structuredContent"] == ["text": "hello"])
        await talk.server.close()
        #expect(talk.writer.all.count == 3)
    }

    @Test func `an unparsable line is told so, and the next one served`() {
        let talk = Conversation()
        talk.say("{nonsense")
        talk.server.receive([0xFF, 0xFE])
        talk.say(#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
        #expect(talk.answers.map(\.errorCode) == [-32700, -32700, .null])
        #expect(talk.answers[0]["id"] == .null && talk.answers[0].names.contains("id"))
        #expect(talk.answers[2] == ["jsonrpc": "2.0", "id": 1, "result": [:]] || talk.answers[2]["result"] == [:])
    }

    @Test func `errors have their codes, and calls go on`() async {
        let talk = Conversation()
        talk.say(#"{"jsonrpc":"2.0","id":2,"method":"nonsense"}"#)
        talk.say(#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":[]}"#)
        talk.say(#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#)
        talk.say("[]")
        talk.say("17")
        #expect(talk.answers.map(\.errorCode) == [-32601, -32602, -32600, -32600, -32600])
        #expect(talk.answers.map { $0["id"] } == [2, 3, .null, .null, .null])
        talk.call("1", "nonsense")
        // On the list, and off when the call came to it.
        talk.call("4", "gone")
        talk.call("5", "fail")
        await waitFor(talk, answers: 8)
        #expect(talk.answers.first { $0["id"] == 1 }?.errorCode == -32602)
        let gone = talk.answers.first { $0["id"] == 4 }
        #expect(gone?.errorCode == -32602)
        #expect(gone?["error"]["message"] == "Invalid params: unknown tool \"gone\": its key is false")
        #expect(talk.answers.first { $0["id"] == 5 }?["result"]["isError"] == true)
    }

    @Test func `notifications and answers get no answer`() {
        let talk = Conversation()
        for line in [
            #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, #"{"jsonrpc":"2.0","method":"tools/list"}"#,
            #"{"jsonrpc":"2.0","method":"initialize","params":{}}"#, #"{"jsonrpc":"2.0","id":9,"result":{}}"#,
            #"{"jsonrpc":"2.0","id":"open","error":{"code":1,"message":"x"}}"#,
            #"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
        ] { talk.say(line) }
        #expect(talk.answers == [])
    }

    @Test func `calls run at the same time and are answered in the order in which they end`() async {
        let talk = Conversation()
        var events = talk.tools.events.makeAsyncIterator()
        for key in ["a", "b", "c"] { talk.call("\"\(key)\"", "hold", #"{"key":"\#(key)"}"#) }
        var started: Set<String> = []
        for _ in 0..<3 { if case .started(let key) = await events.next() { started.insert(key) } }
        #expect(started == ["a", "b", "c"], "all run before one has ended")
        var answers = talk.writer.answers.makeAsyncIterator()
        _ = await answers.next()
        talk.say(#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
        #expect(await answers.next()?["id"] == 1, "a ping is answered while they run")
        for key in ["b", "c", "a"] {
            talk.tools.release(key)
            let answer = await answers.next()
            #expect(answer?["id"] == .string(key))
            #expect(answer?["result"]["structuredContent"] == ["key": .string(key)])
        }
    }

    @Test func `a cancelled call is stopped and not answered`() async {
        let talk = Conversation()
        var events = talk.tools.events.makeAsyncIterator()
        talk.call("7", "hold", #"{"key":"a"}"#)
        #expect(await events.next() == .started("a"))
        // Neither another id nor the same digits as a string are it.
        talk.cancel("8")
        talk.cancel("\"7\"")
        talk.cancel("null")
        talk.call("8", "hold", #"{"key":"b"}"#)
        #expect(await events.next() == .started("b"))
        talk.cancel("7")
        #expect(await events.next() == .cancelled("a"))
        talk.tools.release("b")
        await waitFor(talk, answers: 1)
        talk.cancel("8")
        await talk.server.close()
        #expect(talk.answers.map { $0["id"] } == [8])
    }

    @Test func `initialize cannot be cancelled`() {
        let talk = Conversation()
        talk.cancel("\"open\"")
        talk.say(#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#)
        #expect(talk.answers.map(\.errorCode) == [.null])
    }

    @Test func `an id that is under way is refused, and the first call goes on`() async {
        let talk = Conversation()
        var events = talk.tools.events.makeAsyncIterator()
        talk.call("7", "hold", #"{"key":"a"}"#)
        #expect(await events.next() == .started("a"))
        talk.call("7", "echo")
        talk.say(#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#)
        #expect(talk.answers.map(\.errorCode) == [-32600, -32600])
        talk.say(#"{"jsonrpc":"2.0","id":"7","method":"ping"}"#)
        #expect(talk.answers.last?["result"] == [:], "the same digits as a string are another id")
        talk.tools.release("a")
        await waitFor(talk, answers: 4)
        #expect(talk.answers.last?["result"]["structuredContent"] == ["key": "a"])
    }

    @Test func `an id may be used again as soon as its answer was read`() async {
        let talk = Conversation()
        // The client reads the answer and sends its next request before our task knows that the answer was taken.
        talk.writer.whileWriting { answer in
            if answer["result"]["structuredContent"]["n"] == 1 { talk.call("1", "echo", #"{"n":2}"#) }
        }
        talk.call("1", "echo", #"{"n":1}"#)
        await waitFor(talk, answers: 2)
        #expect(talk.answers.map { $0["result"]["structuredContent"]["n"] } == [1, 2])
    }

    @Test func `more calls than 512 at once are told to wait, and are taken again when one has ended`() async {
        let talk = Conversation()
        var events = talk.tools.events.makeAsyncIterator()
        for id in 0..<512 { talk.call("\(id)", "hold", #"{"key":"\#(id)"}"#) }
        for _ in 0..<512 { _ = await events.next() }
        #expect(talk.answers == [])
        talk.call("512", "echo")
        #expect(talk.answers.map(\.errorCode) == [-32000])
        #expect(talk.answers.first?["error"]["message"].string?.hasPrefix("512 calls are under way") == true)
        talk.say(#"{"jsonrpc":"2.0","id":513,"method":"ping"}"#)
        #expect(talk.answers.last?["result"] == [:], "what is no call is served")
        talk.tools.release("100")
        await waitFor(talk, answers: 3)
        await until(talk) {
            talk.call("512", "echo")
        } sees: {
            $0["result"] != .null
        }
        await talk.server.close()
    }

    @Test func `large calls at once are bounded by their bytes`() async {
        let talk = Conversation()
        var events = talk.tools.events.makeAsyncIterator()
        /// A call in a line of that length: blanks count as well.
        func call(_ id: Int, bytes: Int) {
            let line =
                #"{"jsonrpc":"2.0","id":\#(id),"method":"tools/call","params":{"name":"hold","arguments":{"key":"\#(id)"}}}"#
            talk.server.receive(Array(line.utf8) + [UInt8](repeating: 0x20, count: bytes - line.utf8.count))
        }
        let most = Server<FakeTools>.maximumBytesInFlight
        call(0, bytes: most - 200)
        #expect(await events.next() == .started("0"))
        call(1, bytes: 200)
        #expect(await events.next() == .started("1"), "exactly the bound")
        call(2, bytes: 150)
        #expect(talk.answers.map(\.errorCode) == [-32000])
        talk.tools.release("1")
        await waitFor(talk, answers: 2)
        await until(talk) {
            talk.call("3", "echo")
        } sees: {
            $0["result"] != .null
        }
        await talk.server.close()
    }

    @Test func `close stops every call, waits for all of them, and takes no more`() async {
        let talk = Conversation()
        var events = talk.tools.events.makeAsyncIterator()
        for key in ["a", "b", "c"] {
            talk.call("\"\(key)\"", "hold", #"{"key":"\#(key)"}"#)
            #expect(await events.next() == .started(key))
        }
        await talk.server.close()
        var cancelled: Set<String> = []
        for _ in 0..<3 { if case .cancelled(let key) = await events.next() { cancelled.insert(key) } }
        #expect(cancelled == ["a", "b", "c"])
        #expect(talk.answers == [], "a stopped call is not answered")
        talk.call("9", "echo")
        #expect(talk.answers.map(\.errorCode) == [-32000])
        await talk.server.close()
    }

    @Test func `two that close at once both return`() async {
        let talk = Conversation()
        var events = talk.tools.events.makeAsyncIterator()
        for key in ["a", "b"] {
            talk.call("\"\(key)\"", "hold", #"{"key":"\#(key)"}"#)
            #expect(await events.next() == .started(key))
        }
        async let drain: Void = talk.server.close()
        async let end: Void = talk.server.close()
        _ = await (drain, end)
    }
}

/// Returns when the server has written this many answers.
func waitFor(_ talk: Conversation, answers count: Int) async {
    guard talk.answers.count < count else { return }
    for await _ in talk.writer.answers where talk.answers.count >= count { return }
}

/// Repeats `attempt` until its answer is as wanted: for what is true a moment after another answer was seen.
func until(_ talk: Conversation, _ attempt: () -> Void, sees wanted: (JSONValue) -> Bool) async {
    while !Task.isCancelled {
        let count = talk.answers.count
        attempt()
        await waitFor(talk, answers: count + 1)
        if talk.answers.dropFirst(count).contains(where: wanted) { return }
        await Task.yield()
    }
}
