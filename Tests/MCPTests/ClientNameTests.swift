import Synchronization
import TestSupport
import Testing

@testable import MCP

@Suite("What a client calls itself")
struct ClientNameTests {
    private static func names(_ lines: [String]) -> [String] {
        let names = Names()
        let server = Server(name: "test", version: "1", tools: FakeTools(), writer: RecordingWriter()) { names.add($0) }
        for line in lines { server.receive(Array(line.utf8)) }
        return names.all
    }

    private final class Names: Sendable {
        private let list = Mutex<[String]>([])
        var all: [String] { list.withLock { $0 } }
        func add(_ name: String) { list.withLock { $0.append(name) } }
    }

    private static func initialize(_ info: String) -> String {
        #"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","clientInfo":\#(info)}}"#
    }

    private static func modern(_ info: String) -> String {
        #"{"jsonrpc":"2.0","id":2,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"#
            + #""2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":\#(info)}}}"#
    }

    @Test func `it is told once, from either era, when it is first said`() {
        let (legacy, modern) = (Self.initialize(#"{"name":"a"}"#), Self.modern(#"{"name":"b","version":"1"}"#))
        #expect(Self.names([legacy, modern, legacy]) == ["a"])
        #expect(Self.names([modern, legacy, modern]) == ["b"])
    }

    @Test func `what is no name is not told`() {
        for info in ["null", "[]", "7", "{}", #"{"name":7}"#, #"{"name":""}"#, #"{"name":null}"#] {
            #expect(Self.names([Self.initialize(info), Self.modern(info)]) == [])
        }
        #expect(Self.names([#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"clientInfo":{"name":"x"}}}"#]) == [])
    }
}
