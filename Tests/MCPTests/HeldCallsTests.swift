import JSON
import TestSupport
import Testing

@testable import MCP

/// Calls that wait because the client does not read.
@Suite("Held calls", .timeLimit(.minutes(5)))
struct HeldCallsTests {
    /// A client that has left so many answers unread.
    private func burst(_ count: Int) async -> Conversation {
        let talk = Conversation()
        talk.writer.stopReading()
        for id in 0..<count { talk.call("\(id)", "echo") }
        while talk.writer.unread < count { await Task.yield() }
        return talk
    }

    @Test func `all of them begin when the client has read enough, whatever those before them do`() async {
        let talk = await burst(Server<FakeTools>.maximumUnread)
        // More than the answers that will be taken, and none of them ends.
        let held = Set((0..<60).map { "h\($0)" })
        for key in held { talk.call("\"\(key)\"", "hold", #"{"key":"\#(key)"}"#) }
        talk.writer.take(1)
        var started: Set<String> = []
        for await event in talk.tools.events {
            if case .started(let key) = event { started.insert(key) }
            if started.count == held.count { break }
        }
        #expect(started == held)
        talk.call("\"late\"", "echo")
        talk.writer.take(Server<FakeTools>.maximumUnread)
        await waitFor(talk, answers: Server<FakeTools>.maximumUnread + 1)
        #expect(talk.answers.contains { $0["id"] == "late" })
        await talk.server.close()
    }

    @Test func `none begins while there is no room, although answers are taken`() async {
        let talk = Conversation()
        var events = talk.tools.events.makeAsyncIterator()
        let early = ["e1", "e2", "e3", "e4"]
        for key in early {
            talk.call("\"\(key)\"", "hold", #"{"key":"\#(key)"}"#)
            #expect(await events.next() == .started(key))
        }
        talk.writer.stopReading()
        let most = Server<FakeTools>.maximumUnread
        for id in 0..<most { talk.call("\(id)", "echo") }
        while talk.writer.unread < most { await Task.yield() }
        for key in early { talk.tools.release(key) }
        while talk.writer.unread < most + early.count { await Task.yield() }
        talk.call("\"held\"", "hold", #"{"key":"held"}"#)
        let count = talk.answers.count
        talk.writer.take(early.count)
        await waitFor(talk, answers: count + early.count)
        // One more would make room. A call that were let go by those four would begin about now.
        for _ in 0..<1000 { await Task.yield() }
        talk.cancel("\"held\"")
        talk.writer.take(most)
        await talk.server.close()
        talk.tools.finishEvents()
        #expect(await events.next() == nil, "it never ran")
    }

    @Test func `one that is cancelled is let go at once, does nothing, and its id is free`() async {
        let talk = await burst(Server<FakeTools>.maximumUnread)
        talk.call("\"a\"", "hold", #"{"key":"a"}"#)
        talk.call("\"b\"", "echo", #"{"n":1}"#)
        talk.cancel("\"a\"")
        // Refused only while the first of that id is under way.
        while true {
            let count = talk.answers.count
            talk.call("\"a\"", "echo", #"{"n":2}"#)
            if talk.answers.count == count { break }
            #expect(talk.answers.last?.errorCode == -32600)
            await Task.yield()
        }
        talk.writer.take(Server<FakeTools>.maximumUnread + 2)
        await until(talk) {
            talk.say(#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#)
        } sees: { _ in
            talk.answers.contains { $0["result"]["structuredContent"]["n"] == 2 }
        }
        #expect(talk.answers.contains { $0["result"]["structuredContent"]["n"] == 1 })
        await talk.server.close()
        talk.tools.finishEvents()
        for await event in talk.tools.events { Issue.record("the cancelled call ran: \(event)") }
    }
}
