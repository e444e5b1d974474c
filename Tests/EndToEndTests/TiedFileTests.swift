import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// Files that another file in their place would not be: those with several names, and with access control lists.
@Suite struct TiedFileTests {
    private static let writing: JSON = ["safeguards": ["allow_overwrite": true]]

    private static func give(_ path: String, on transport: FileTransport) throws {
        let account = try transport.remote().sshd.loginUser
        if account.uid != geteuid() { chown(path, account.uid, account.gid) }
    }

    @Test("a file with two names is written in place, and keeps both", arguments: FileTransport.all)
    func hardLinks(over transport: FileTransport) throws {
        let place = try Place()
        for name in ["f", "alone"] {
            try place.write(name, "one\ntwo\n")
            try Self.give(place.file(name), on: transport)
        }
        chmod(place.file("f"), 0o640)
        #expect(link(place.file("f"), place.file("other")) == 0)
        try withDaemon(Self.writing, on: transport.remote()) { _, client in
            let edited = try client.callTool(
                "ssh_edit_file", ["path": .string(place.file("f")), "edits": [["old_text": "two", "new_text": "2"]]])
            #expect(edited["method"] == "in_place", "\(edited)")
            #expect(edited["reason"]?.string?.contains("2 names") == true, "\(edited)")
            #expect(try place.content("other") == "one\n2\n")
            let long = String(repeating: "0123456789abcdef\n", count: 50_000)
            for content in [long, "short"] {
                let written = try client.callTool(
                    "ssh_write_file", ["path": .string(place.file("other")), "content": .string(content)])
                #expect(written["method"] == "in_place", "\(written)")
                #expect(try place.content("f") == content)
            }
            var status = stat()
            #expect(stat(place.file("f"), &status) == 0 && status.st_mode & 0o7777 == 0o640 && status.st_nlink == 2)
            let alone = try client.callTool(
                "ssh_write_file", ["path": .string(place.file("alone")), "content": "x"])
            #expect(alone["method"] == "replaced" && alone["reason"] == nil, "\(alone)")
            #expect(try place.names == ["alone", "f", "other"], "no copy is left")
        }
    }

    @Test(
        "over a shell a file with an access control list is written in place",
        .enabled(if: access("/usr/bin/setfacl", X_OK) == 0, "setfacl is not installed"))
    func accessControl() throws {
        let place = try Place()
        try place.write("f", "old")
        try Self.give(place.file("f"), on: .shell)
        try runSuccessfully("/usr/bin/setfacl", ["-m", "u:1:r", place.file("f")])
        try withDaemon(Self.writing, on: FileTransport.shell.remote()) { _, client in
            let written = try client.callTool(
                "ssh_write_file", ["path": .string(place.file("f")), "content": "new"])
            #expect(written["method"] == "in_place", "\(written)")
            #expect(written["reason"]?.string?.contains("access control list") == true, "\(written)")
            #expect(try place.content("f") == "new")
        }
    }
}
