import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// Text with bytes that are not UTF-8.
@Suite struct LossyOutputTests {
    @Test("a text with a few bytes that are no UTF-8 comes as text, and exactly if asked", arguments: FileTransport.all)
    func lossy(over transport: FileTransport) throws {
        let place = try Place()
        let line = Data("a line of a log with some text in it, and more of it behind that\n".utf8)
        var log = Data((0..<100).flatMap { _ in line })
        log[200] = 0xE9
        log[log.count - 3] = 0xFF
        try log.write(to: URL(filePath: place.file("log")))
        try Data([0x61, 0xE9, 0x62]).write(to: URL(filePath: place.file("short")))
        try withDaemon(on: transport.remote()) { _, client in
            func read(_ name: String, _ more: JSON = [:]) throws -> ToolResult {
                try client.callTool("ssh_read_file", (["path": .string(place.file(name))] as JSON).merging(more))
            }
            let whole = try read("log")
            #expect(
                whole["encoding"] == "utf-8" && whole["lossy"] == true,
                "\(whole["encoding"] ?? "") \(whole.text.prefix(300))")
            #expect(whole["content"]?.string == String(decoding: log, as: UTF8.self))
            let exact = try read("log", ["encoding": "base64"])
            #expect(exact["encoding"] == "base64" && exact["lossy"] == nil)
            #expect(exact["content"]?.string.flatMap { Data(base64Encoded: $0) } == log)
            let tail = try read("log", ["tail_lines": 40])
            #expect(tail["lossy"] == true && tail["encoding"] == "utf-8", "\(tail.text.prefix(300))")
            let clean = try read("log", ["start_line": 10, "line_count": 3])
            #expect(clean["lossy"] == nil && clean["encoding"] == "utf-8", "\(clean)")
            #expect(try read("short")["encoding"] == "base64", "a third of it is no UTF-8")
            #expect(try read("log", ["encoding": "latin1"]).isError)
            let output = try client.callTool("ssh_exec", ["command": "printf 'caf\\351\\n'"])
            #expect(output["stdout"] == "caf\u{FFFD}\n" && output["lossy"] == true, "\(output)")
            let plain = try client.callTool("ssh_exec", ["command": "printf 'caf\\303\\251\\n'"])
            #expect(plain["stdout"] == "café\n" && plain["lossy"] == nil, "\(plain)")
        }
    }
}
