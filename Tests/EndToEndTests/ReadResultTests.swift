import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// Each key of a file's result means one thing, whatever was asked for.
@Suite struct ReadResultTests {
    /// Contents whose ends fall at all places: of lines, of characters, of the limit.
    private static let contents = ["", "\n", "12345", "one\ntwo\nthree\nfour", "é日\u{1F600}\né日\u{1F600}\n"]

    private static let ways: [JSON] = {
        var ways: [JSON] = [[:]]
        for offset in [0, 1, 4, 5, 18, 100, 1_048_576, 1 << 31, 1 << 53, 1 << 62, .max] {
            ways.append(["offset": .int(offset)])
        }
        for count in [1, 2, 9] { ways.append(["tail_lines": .int(count)]) }
        for start in [1, 2, 9] {
            ways.append(["start_line": .int(start)])
            for count in [1, 2, 9] { ways.append(["start_line": .int(start), "line_count": .int(count)]) }
        }
        for count in [1, 9] { ways.append(["line_count": .int(count)]) }
        return ways
    }()

    private static func bytes(_ result: ToolResult) -> Data? {
        guard let content = result["content"]?.string else { return nil }
        return result["encoding"] == "base64" ? Data(base64Encoded: content) : Data(content.utf8)
    }

    @Test(
        "size is the file's, and truncated says what next_offset says, for every way to ask",
        arguments: FileTransport.all)
    func keys(over transport: FileTransport) throws {
        let place = try Place()
        try withDaemon(on: transport.remote()) { _, client in
            for (index, content) in Self.contents.enumerated() {
                let path = try place.write("f\(index)", content)
                let whole = Data(content.utf8)
                for way in Self.ways {
                    for limit in [nil, 1, 3, 5, 1000] as [Int?] {
                        var arguments = (["path": .string(path)] as JSON).merging(way)
                        if let limit { arguments = arguments.merging(["max_bytes": .int(limit)]) }
                        let result = try client.callTool("ssh_read_file", arguments)
                        let what: Comment = "\(content.debugDescription) \(arguments): \(result)"
                        let (part, offset) = (try #require(Self.bytes(result), what), result["offset"]?.int ?? -1)
                        #expect(result["size"]?.int == whole.count, what)
                        #expect(part.count <= limit ?? .max, what)
                        let end = offset + part.count
                        let next = result["next_offset"]?.int
                        #expect(result["truncated"] == .bool(next != nil), what)
                        // Exactly what is behind the content is what follows.
                        #expect(next == (end < whole.count ? end : nil), what)
                        if offset <= whole.count { #expect(part == whole[offset..<end], what) }
                        if let asked = way["offset"]?.int { #expect(offset == asked, what) }
                        // The beginning of the last lines is missing, where it is.
                        let lines = content.split(separator: "\n", omittingEmptySubsequences: false)
                        let count = way["tail_lines"]?.int ?? 0
                        let wanted = lines.suffix(content.hasSuffix("\n") ? count + 1 : count).joined(separator: "\n")
                        let lacks = count > 0 && wanted.utf8.count > limit ?? .max
                        #expect(result["beginning_truncated"] == (lacks ? true : nil), what)
                    }
                }
            }
        }
    }

    @Test("the size of a log that was rotated is that of the new file", arguments: FileTransport.all)
    func rotation(over transport: FileTransport) throws {
        let place = try Place()
        let path = try place.write("log", String(repeating: "old line\n", count: 233_017))
        try withDaemon(on: transport.remote()) { _, client in
            let first = try client.callTool("ssh_read_file", ["path": .string(path)])
            #expect(first["size"] == 2_097_153 && first["truncated"] == true && first["next_offset"] == 1_048_576)
            rename(path, place.file("log.1"))
            try place.write("log", "new\n")
            let next = try client.callTool("ssh_read_file", ["path": .string(path), "offset": 1_048_576])
            #expect(next["size"] == 4 && next["content"] == "" && next["offset"] == 1_048_576, "\(next)")
            #expect(next["truncated"] == false && next["next_offset"] == nil)
            let tail = try client.callTool("ssh_read_file", ["path": .string(path), "tail_lines": 3])
            #expect(tail["size"] == 4 && tail["content"] == "new\n" && tail["offset"] == 0, "\(tail)")
        }
    }

    @Test("a file that says it is empty has the size of what came of it", arguments: FileTransport.all)
    func sizeOfProc(over transport: FileTransport) throws {
        try withDaemon(on: transport.remote()) { _, client in
            for way: JSON in [[:], ["tail_lines": 1], ["start_line": 1, "line_count": 1]] {
                let result = try client.callTool("ssh_read_file", (["path": "/proc/version"] as JSON).merging(way))
                let size = result["content"]?.string?.utf8.count ?? 0
                #expect(size > 10 && result["size"]?.int == size && result["truncated"] == false, "\(result)")
            }
        }
    }

    @Test("a mode above 0777 is refused before anything is done", arguments: FileTransport.all)
    func modes(over transport: FileTransport) throws {
        let place = try Place()
        let old = try place.write("old", "old")
        let config: JSON = ["safeguards": ["allow_overwrite": true], "capabilities": ["exec": false]]
        try withDaemon(config, on: transport.remote()) { _, client in
            for mode in ["4755", "2755", "1777", "6777", "04755", "1000", "17777", "100755"] {
                for path in [place.file("a/b/new"), place.file("new"), old] {
                    let result = try client.callTool(
                        "ssh_write_file",
                        ["path": .string(path), "content": "x", "mode": .string(mode), "create_dirs": true])
                    #expect(result.isError && result.text.contains("at most \"0777\""), "\(result)")
                }
            }
            #expect(try place.names == ["old"] && place.content("old") == "old")
        }
    }
}
