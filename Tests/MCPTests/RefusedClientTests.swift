import JSON
import TestSupport
import Testing

@testable import MCP

@Suite("Refusal of a client for whom there is no place")
struct RefusedClientTests {
    private let reason = "Another client is connected: \"process 7\"."

    private func answer(_ line: String) -> JSONValue? {
        RefusedClient.answer(to: Array(line.utf8), reason: reason).flatMap { JSONValue.parse($0) }
    }

    @Test(arguments: ["0", "\"probe\""])
    func `the first request gets the reason under its id`(id: String) throws {
        for method in ["initialize", "server/discover", "tools/list", "nonsense"] {
            let error = try #require(answer(#"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":{}}"#))
            #expect(error["id"] == JSONValue.parse(Array(id.utf8)))
            #expect(error.errorCode == -32000)
            #expect(error["error"]["message"] == .string(reason))
            #expect(error["jsonrpc"] == "2.0")
        }
    }

    @Test func `what is no valid request gets it too`() {
        #expect(answer(#"{"jsonrpc":"2.0","id":4,"method":5}"#)?["id"] == 4)
        #expect(answer(#"{"jsonrpc":"2.0","id":4,"method":5}"#)?.errorCode == -32000)
        #expect(answer("[]")?.errorCode == -32000)
        #expect(answer("[]")?["id"] == .null)
    }

    @Test func `an unparsable line is told so`() {
        #expect(answer("{")?.errorCode == -32700)
    }

    @Test func `what asks for nothing gets nothing, and the client's request may still come`() {
        #expect(answer(#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#) == nil)
        #expect(answer(#"{"jsonrpc":"2.0","id":1,"result":{}}"#) == nil)
    }

    @Test func `each request of a batch gets its line`() {
        let batch =
            #"[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","method":"n"},{"jsonrpc":"2.0","id":"b","method":"c"}"#
        for end in ["]", ",]"] {
            let answer = RefusedClient.answer(to: Array((batch + end).utf8), reason: "no") ?? []
            let lines = answer.split(separator: UInt8(ascii: "\n")).map { JSONValue.parse(Array($0)) ?? .null }
            #expect(lines.map { $0["id"] } == [1, "b"])
            #expect(lines.map { $0["error"]["message"] } == ["no", "no"])
        }
    }
}
