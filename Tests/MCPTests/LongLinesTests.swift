import JSON
import TestSupport
import Testing

@testable import MCP

/// What comes behind a long line does not wait for it, and what depends on it does.
@Suite("Long lines", .timeLimit(.minutes(1)))
struct LongLinesTests {
    /// Some seconds of reading in a debug build.
    private static let filling = String(repeating: "\\u00e9\\n", count: 1 << 20)

    private func long(_ id: String, _ method: String, _ params: String) -> String {
        #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":{"filling":"\#(Self.filling)",\#(params)}}"#
    }

    @Test func `a short request behind a long one is answered first, and long ones keep their order`() {
        let talk = Conversation()
        talk.say(long("1", "ping", #""a":1"#))
        talk.say(long("2", "nonsense", #""a":1"#))
        talk.say(#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#)
        talk.server.finishReceiving()
        #expect(talk.answers.map { $0["id"] } == [3, 1, 2])
    }

    @Test func `a long call that is cancelled before it is read is not begun and gets no answer`() async {
        let talk = Conversation()
        talk.say(long("1", "tools/call", #""name":"hold","arguments":{"key":"a"}"#))
        talk.say(long("2", "tools/call", #""name":"echo","arguments":{}"#))
        talk.cancel("1")
        talk.cancel("77")
        talk.server.finishReceiving()
        while talk.answers.isEmpty { await Task.yield() }
        #expect(talk.answers.map { $0["id"] } == [2])
        talk.tools.finishEvents()
        var events = talk.tools.events.makeAsyncIterator()
        #expect(await events.next() == nil)
        // It meant that request, and none that has its id later.
        talk.say(#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
        #expect(talk.answers.map { $0["id"] } == [2, 1])
    }

    @Test func `of a long batch, what was cancelled is left out`() {
        let talk = Conversation("2025-03-26")
        talk.say("[\(long("1", "ping", #""a":1"#)),\(long("2", "ping", #""a":1"#))]")
        talk.cancel("1")
        talk.server.finishReceiving()
        #expect(talk.answers.count == 1 && talk.answers[0].elements.map { $0["id"] } == [2])
    }

    @Test func `what needs initialize waits for it, however long that is`() {
        let talk = Conversation(nil)
        talk.say(long("1", "initialize", #""protocolVersion":"2025-11-25""#))
        talk.cancel("1")
        talk.say(#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#)
        talk.ask("3", "server/discover")
        talk.server.finishReceiving()
        #expect(talk.writer.all.map { $0["id"] } == [3, 1, 2])
        #expect(talk.writer.all.map(\.errorCode) == [.null, .null, .null])
    }

    @Test func `a long line that is no JSON is answered in its turn`() {
        let talk = Conversation()
        talk.say(long("1", "ping", #""a":1,"#))
        talk.say(#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#)
        talk.server.finishReceiving()
        #expect(talk.answers.map { $0["id"] } == [2, 1])
    }
}
