import JSON
import TestSupport
import Testing

@testable import MCP

@Suite("Lines that cannot be read are answered under the ids that can")
struct UnreadableLineTests {
    /// The ids of the answers to a line that is no JSON.
    private func ids(_ line: [UInt8], _ revision: String = "2025-11-25") -> [JSONValue] {
        let talk = Conversation(revision)
        talk.server.receive(line)
        talk.server.finishReceiving()
        let answers = talk.answers.first?.elements ?? []
        #expect(talk.answers.count == 1 || answers.isEmpty && line.first == UInt8(ascii: "["))
        for answer in answers.isEmpty ? talk.answers : answers {
            #expect(answer.errorCode == -32700)
            #expect(answer.names == ["error", "id", "jsonrpc"])
        }
        return answers.isEmpty ? talk.answers.map { $0["id"] } : answers.map { $0["id"] }
    }

    private func ids(_ line: String) -> [JSONValue] { ids(Array(line.utf8)) }

    /// A call with the id before and behind a value that is no JSON; both are answered.
    private func expectAnswers(_ value: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
        let call = #""jsonrpc":"2.0","method":"tools/call""#
        let params = Array(#""params":{"name":"ssh_exec","arguments":{"command":"#.utf8) + value + Array("}}".utf8)
        let before = Array("{\(call),\"id\":71,".utf8) + params + Array("}".utf8)
        let behind = Array("{\(call),".utf8) + params + Array(",\"id\":\"a\\n\"}".utf8)
        #expect(ids(before) == [71], sourceLocation: sourceLocation)
        #expect(ids(behind) == ["a\n"], sourceLocation: sourceLocation)
    }

    @Test(arguments: [
        #""echo \ud83d""#, #""echo \ude42 x""#, #""\ud83d\ud83d""#, #""\ud83dA""#, #""\x41""#, #""\u12""#, #""\u""#,
        "\"a\tb\"", "\"a\u{0}b\"", "01", "1e999", "NaN", "-Infinity", "tru", "None", ".5", "+1", #"{"a":1,"a":2}"#,
        "[1,]",
        #"{"a":[],"b":{},}"#, #"["\"",{"\\":"\\\""}]"#,
    ])
    func `a value that is no JSON`(value: String) {
        if value == #"["\"",{"\\":"\\\""}]"# {
            // This one is; with a name twice around it.
            expectAnswers(Array(#"{"a":\#(value),"a":\#(value)}"#.utf8))
        } else {
            expectAnswers(Array(value.utf8))
        }
    }

    @Test func `bytes that are not UTF-8, depth, and more values than are kept`() {
        for bytes: [UInt8] in [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xF0, 0x9F, 0x99], [0xC0, 0x80]] {
            expectAnswers([0x22] + bytes + [0x22])
            expectAnswers([0x22, 0x5C] + bytes + [0x22])
        }
        expectAnswers(Array((String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)).utf8))
        expectAnswers(
            Array((String(repeating: "{\"id\":", count: 600) + "1" + String(repeating: "}", count: 600)).utf8))
        expectAnswers(Array(("[" + String(repeating: "0,", count: 300_000) + "0]").utf8))
        expectAnswers(Array(String(repeating: "9", count: 2000).utf8))
    }

    @Test func `a name twice, and more behind the message`() {
        #expect(ids(#"{"jsonrpc":"2.0","id":5,"method":"a","method":"b"}"#) == [5])
        #expect(ids(#"{"jsonrpc":"2.0","method":"a","id":5,"jsonrpc":"2.0"}"#) == [5])
        #expect(ids(#"{"id":5,"method":"a","id":5}"#) == [5], "the same id twice is that id")
        #expect(ids(#"{"id":5,"method":"a","id":6}"#) == [.null], "of two, nobody knows which")
        #expect(ids(#"{"\u0069d":5,"method":"a","method":"b"}"#) == [5])
        #expect(ids(#"{"id":5,"method":"a"} {"id":6,"method":"a"}"#) == [5])
        #expect(ids(#"{"params":{},"id":5,"method":"a"}{"id":6,"method":"a"}"#) == [5])
        #expect(ids(#"{"params":{},"id":5,"method":"a"}}"#) == [5])
        #expect(ids(#"{"id":5,"method":"a",}"#) == [5])
        #expect(ids("\u{FEFF} {\"id\":5,\"method\":\"a\",}") == [5])
    }

    @Test func `a line that was cut is answered where the id is whole`() {
        let line = Array(#"{"jsonrpc":"2.0","id":7123,"method":"tools/call","params":{"a":"b","c":[{}]}}"#.utf8)
        let whole = Array(#"{"jsonrpc":"2.0","id":7123"#.utf8).count
        for count in 1..<line.count {
            #expect(ids(Array(line[..<count])) == [count > whole ? 7123 : .null], "\(count)")
        }
        #expect(ids(#"{"id":"abc"#) == [.null])
        #expect(ids(#"{"id":"abc","#) == ["abc"])
    }

    @Test(arguments: [
        #"{"params":{"id":5},"method":"a","#, #"{"params":[{"id":5}],"method":"a","#, #"{"a":"\"id\":5,","#,
        #"{"a":"x"id":5,"b":1"#, #"{"a" "id":5}"#, #"{"params":{"a":1,"id":5}"#, #"{"params":{"a":[1},"id":5}"#,
        #"{id:5}"#,
        #"{"id":1.5.2,"#, #"{"id":1e,"#, #"{"id":01,"#, #"{"id":null,"#, #"{"id":[5],"#, #"{"id":{"id":5},"#,
        #"{"id":"\ud83d","#, #"{"id":,"#,
        "nonsense",
        #""id":5"#, "", " ", "{", #"{"ID":5,"#, #"{"id ":5,"#, #"[{"id":5"#,
    ])
    func `what is no id of a request is not taken for one`(line: String) {
        guard !line.isEmpty else { return }
        #expect(ids(line) == [.null])
    }

    @Test(arguments: [
        #"{"a":1 "id":5}"#, #"{"a":"x" "id":5}"#, #"{"a":"x""id":5}"#, #"{"a":{}"id":5}"#, #"{"a":[] "id":5}"#,
        #"{"a":true "id":5 "b":1}"#, #"{,"a":1,,"id":5}"#, #"{"a" 1,"id":5}"#, #"{"a" {"b" [1 2 {}]} "id":5}"#,
        #"{"a"::1,"id":5}"#, #"{"a":,"id":5}"#, #"{"a","id":5}"#, #"{"a":[,1,,],"id":5}"#,
        #"{"a":{"b":1 "c":2}"id":5}"#,
        #"{"params":{"id":9 "a":1} "id":5}"#,
    ])
    func `commas and colons that are missing or too many do not hide an id`(line: String) {
        #expect(ids(line) == [5])
    }

    @Test(arguments: [
        #"{"params":{"b":{"c":1}},"id":9},"id":5}"#, #"{"params":{"b":1}"id":9},"id":5}"#,
        #"{"a":"x,"params":{"m":"a\"b","id":9},"id":5}"#, #"{"a":"x"","params":{"m":"a\"b","id":9},"id":5}"#,
        #"{"id" 5}"#, #"{"id","b":5}"#, #"{"params":1"id":9},"id":5}"#, #"{"params":1"id":9}}"#, #"{"a":1 "id":9,"#,
        #"{"a":1:"id":5}"#, #"{"params":"a":"b","c","id":9},"id":5}"#,
    ])
    func `where it is in doubt how deep an id stands, there is none`(line: String) {
        #expect(ids(line) == [.null])
    }

    @Test func `an answer of the client has no id of a request`() {
        #expect(ids(#"{"jsonrpc":"2.0","id":5,"result":{"a":"\ud83d"}}"#) == [.null])
        #expect(ids(#"{"jsonrpc":"2.0","id":5,"error":{"a":"\ud83d"}}"#) == [.null])
    }

    @Test func `every request of a batch is answered`() {
        let batch = Array(
            #"[{"id":1,"method":"a","params":{"a":"\ud83d"}},{"method":"n"},{"id":"b","method":"c"}]"#.utf8)
        #expect(ids(batch, "2025-03-26") == [1, "b"])
        #expect(ids(batch) == [1, "b"], "also where the revision has no batches, in lines of their own")
        #expect(ids(Array(#"[{"method":"\ud83d"}]"#.utf8), "2025-03-26") == [.null])
        let large = "[" + (0..<2000).map { #"{"id":\#($0),"method":"\q"},"# }.joined() + "]"
        #expect(ids(Array(large.utf8), "2025-03-26").count == Server<FakeTools>.maximumBatch)
    }

    @Test(arguments: [
        (#"[1,{"id":1,"method":"a"},"x",[{"id":9}],null,{"id":2,"method":"\q"}]"#, [1, 2] as [JSONValue]),
        (#"[{"id":1,"method":"a"} {"id":2,"method":"b"}]"#, [1, 2]),
        (#"[{"id":1 "method":"a"},,{"method":"b" "id":2},]"#, [1, 2]),
        (#"[{"id":1,"method":"a"},{"params":{"a":[1}},{"id":3,"method":"a"}]"#, [1]),
        (#"[{"id":1,"method":"a"},{"params":{"a":{}},"id":9},"id":2,"method":"a"},{"id":3}]"#, [1]),
        (#"[{"method":"a","id":1},{"method":"a","params":{},"id":2},{"method":"a","id""#, [1, 2]),
    ])
    func `of a batch with a bad member every id is answered that can be read`(line: String, wanted: [JSONValue]) {
        #expect(ids(Array(line.utf8), "2025-03-26") == wanted)
    }

    @Test func `a client without a place is answered as well`() {
        let line = Array(#"{"jsonrpc":"2.0","id":71,"method":"tools/call","params":{"a":"\ud83d"}}"#.utf8)
        let answer = RefusedClient.answer(to: line, reason: "Somebody else is here.").flatMap { JSONValue.parse($0) }
        #expect(answer?["id"] == 71)
        #expect(answer?["error"]["message"] == "Somebody else is here.")
    }

    @Test func `a line that is too long is answered under its id, wherever that stands`() throws {
        let filling = String(repeating: "x\\\"y,", count: 40_000)
        for (text, id): (String, JSONValue) in [
            (#"{"jsonrpc":"2.0","id":9,"method":"a","params":{"a":"\#(filling)","id":8}}"#, 9),
            (#"{"jsonrpc":"2.0","method":"a","params":{"a":"\#(filling)","id":8},"id":"\u0062"}"#, "b"),
            (#"{"jsonrpc":"2.0","method":"a","params":{"a":"\#(filling)","id":8}}"#, .null),
            (#"{"jsonrpc":"2.0","method":"a","params":{"a":"\#(filling)","id":8},"id":9"#, .null),
        ] {
            let bytes = Array((text + "\n{\"id\":7,\"method\":\"b\"}\n").utf8)
            for part in [1, 7, 4096, bytes.count] where part > 1 || bytes.count < 1000 || id == "b" {
                var framer = LineFramer(limit: 60)
                var line: ExcessLine?
                var rest = bytes[...]
                while !rest.isEmpty, line?.isOver != true {
                    if line == nil {
                        do { _ = try framer.append(rest.prefix(part)) } catch { line = framer.excess }
                    } else {
                        line?.take(rest.prefix(part))
                    }
                    rest = rest.dropFirst(part)
                }
                #expect(line?.isOver == true)
                let talk = Conversation()
                talk.server.refuseLine(try #require(line).end, limit: 60)
                #expect(talk.answers.map { $0["id"] } == [id], "in parts of \(part)")
                let refusal = RefusedClient.answer(to: try #require(line).end, reason: "Somebody else is here.")
                #expect(JSONValue.parse(refusal)?["id"] == id)
            }
        }
    }

    @Test func `a line without an end is given up`() {
        var line = ExcessLine()
        let part = [UInt8](repeating: UInt8(ascii: "["), count: 1 << 20)
        var parts = 0
        while !line.isOver {
            line.take(part[...])
            parts += 1
        }
        #expect(parts == ExcessLine.most >> 20)
    }

    @Test func `the next line is served, and what is valid is read as before`() {
        let talk = Conversation()
        talk.say(#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\ud83d"}}"#)
        talk.say(#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#)
        #expect(talk.answers.map { $0["id"] } == [1, 2])
        #expect(talk.answers.last?["result"] == [:])
    }
}
