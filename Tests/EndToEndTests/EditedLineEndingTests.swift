import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// Edits of files whose lines do not end as those of the model do.
@Suite struct EditedLineEndingTests {
    private static let writing: JSON = ["safeguards": ["allow_overwrite": true]]

    @Test("an edit leaves line ends, a byte order mark and a last line without an end", arguments: FileTransport.all)
    func edits(over transport: FileTransport) throws {
        let place = try Place()
        let mark = "\u{FEFF}"
        try place.write("dos", "\(mark)one\r\ntwo\r\nlast")
        try place.write("unix", "one\ntwo\n")
        try withDaemon(Self.writing, on: transport.remote()) { _, client in
            func edit(_ name: String, _ old: String, _ new: String, _ more: JSON = [:]) throws -> ToolResult {
                let edits: JSON = [["old_text": .string(old), "new_text": .string(new)]]
                return try client.callTool(
                    "ssh_edit_file", (["path": .string(place.file(name)), "edits": edits] as JSON).merging(more))
            }
            let first = try edit("dos", "one\ntwo", "1\n2\n2a")
            #expect(first["edited"] == true && first["line_endings"] == "crlf", "\(first)")
            #expect(try place.content("dos") == "\(mark)1\r\n2\r\n2a\r\nlast")
            let last = try edit("dos", "last\n", "end\n")
            #expect(last["edited"] == true, "\(last)")
            #expect(try place.content("dos") == "\(mark)1\r\n2\r\n2a\r\nend")
            let dry = try edit("dos", "1\n", "one\n", ["dry_run": true])
            #expect(dry["line_endings"] == "crlf" && dry["edited"] == false, "\(dry)")
            let unix = try edit("unix", "one\r\n", "1\r\n")
            #expect(unix["edited"] == true && unix["line_endings"] == nil, "\(unix)")
            #expect(try place.content("unix") == "1\ntwo\n")
        }
    }
}
