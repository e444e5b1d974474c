import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// Paths that are not UTF-8.
@Suite struct PathBytesTests {
    private static let writing: JSON = ["safeguards": ["allow_overwrite": true]]

    @Test("a name that is no UTF-8 is taken in base64 by every file tool", arguments: FileTransport.all)
    func names(over transport: FileTransport) throws {
        let (place, local) = (try Place(), try Place())
        let name: [UInt8] = [0x66, 0xE9, 0x20, 0xFF]
        func base64(_ path: String, _ end: [UInt8] = []) -> JSON {
            .string(Data(Array(path.utf8) + end).base64EncodedString())
        }
        try withDaemon(Self.writing, on: transport.remote()) { _, client in
            let path = base64(place.directory.path + "/", name)
            let written = try client.callTool("ssh_write_file", ["path_base64": path, "content": "one\n"])
            #expect(written["written"] == true && written["path_base64"] == path, "\(written)")
            let list = try client.callTool("ssh_list_dir", ["path_base64": base64(place.directory.path)])
            let entry = try #require(list["entries"]?[0])
            #expect(entry["name_base64"] == .string(Data(name).base64EncodedString()))
            #expect(entry["path_base64"] == path, "\(entry)")
            #expect(try client.callTool("ssh_read_file", ["path_base64": path])["content"] == "one\n")
            let edited = try client.callTool(
                "ssh_edit_file", ["path_base64": path, "edits": [["old_text": "one", "new_text": "two"]]])
            #expect(edited["edited"] == true && edited["path_base64"] == path, "\(edited)")
            let down = try client.callTool(
                "ssh_download_file", ["remote_path_base64": path, "local_path": .string(local.file("down"))])
            #expect(down["downloaded"] == true, "\(down)")
            #expect(try local.content("down") == "two\n")
            let up = try client.callTool(
                "ssh_upload_file", ["remote_path_base64": path, "local_path": .string(local.file("down"))])
            #expect(up["uploaded"] == true && up["remote_path_base64"] == path, "\(up)")
            for (arguments, word): (JSON, String) in [
                (["path": .string(place.directory.path), "path_base64": path], "not both"),
                (["path_base64": "%"], "base64"),
                (["path_base64": "YQBi"], "NUL"), (["path_base64": "cmVsYXRpdmU="], "absolute"), ([:], "missing"),
            ] {
                let result = try client.callTool("ssh_read_file", arguments)
                #expect(result.isError && result.text.contains(word), "\(arguments): \(result)")
            }
        }
        let confined: JSON = ["hosts": ["box": ["base_dir": .string(place.directory.path)]]]
        try withDaemon(confined, on: transport.remote()) { _, client in
            let inside = try client.callTool("ssh_read_file", ["path_base64": base64(place.directory.path + "/", name)])
            #expect(inside["content"] == "two\n", "\(inside)")
            let outside = try client.callTool("ssh_read_file", ["path_base64": base64("/etc/", name)])
            #expect(outside.isError && outside.text.contains("base_dir"), "\(outside)")
        }
    }
}
