import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// What is said where a host does not let us work on a file.
@Suite struct HostRefusalTests {
    private static let writing: JSON = ["safeguards": ["allow_overwrite": true]]

    /// Gives a file to who logs in there.
    private static func give(_ path: String, on transport: FileTransport) throws {
        let account = try transport.remote().sshd.loginUser
        if account.uid != geteuid() { chown(path, account.uid, account.gid) }
    }

    @Test("a refusal by the host says whose the file is, its mode and who one is there", arguments: FileTransport.all)
    func denied(over transport: FileTransport) throws {
        let place = try Place()
        try place.write("secret", "a")
        place.makeDirectory("closed", mode: 0o755)
        try place.write("closed/f", "one\n")
        let account = try transport.remote().sshd.loginUser
        for name in ["secret", "closed", "closed/f"] { try Self.give(place.file(name), on: transport) }
        try withDaemon(Self.writing, on: transport.remote()) { _, client in
            chmod(place.file("secret"), 0)
            chmod(place.file("closed/f"), 0o444)
            chmod(place.file("closed"), 0o555)
            defer { chmod(place.file("closed"), 0o755) }
            let read = try client.callTool("ssh_read_file", ["path": .string(place.file("secret"))])
            for word in [
                "Permission denied", "uid \(account.uid)", "mode 0000", "You are \(account.name) there", "mode 0777",
            ] {
                #expect(read.isError && read.text.contains(word), "\(word): \(read)")
            }
            #expect(!read.text.contains("another path"), "\(read)")
            let new = try client.callTool(
                "ssh_write_file", ["path": .string(place.file("closed/new")), "content": "x"])
            #expect(new.isError && new.text.contains("mode 0555") && !new.text.contains("another path"), "\(new)")
            func edit(_ more: JSON) throws -> ToolResult {
                let edits: JSON = [["old_text": "one", "new_text": "two"]]
                return try client.callTool(
                    "ssh_edit_file", (["path": .string(place.file("closed/f")), "edits": edits] as JSON).merging(more))
            }
            let dry = try edit(["dry_run": true])
            #expect(dry["writable"] == false && dry["diff"]?.string?.contains("+two") == true, "\(dry)")
            #expect(dry["reason"]?.string?.contains("mode 0444") == true, "\(dry)")
            let real = try edit([:])
            #expect(real.isError && real.text.contains("mode 0444"), "\(real)")
            // One that its owner cannot write is replaced where the directory is theirs.
            chmod(place.file("closed"), 0o755)
            #expect(try edit(["dry_run": true])["writable"] == nil)
            #expect(try place.names == ["closed", "secret"])
            #expect(try edit([:])["edited"] == true)
        }
    }

    @Test("a name that is too long is told so, without a word of the protocol", arguments: FileTransport.all)
    func longName(over transport: FileTransport) throws {
        let (place, local) = (try Place(), try Place())
        let path = JSON.string(place.file(String(repeating: "n", count: 300)))
        try local.write("source", "x")
        try withDaemon(Self.writing, on: transport.remote()) { _, client in
            for (tool, arguments): (String, JSON) in [
                ("ssh_read_file", ["path": path]), ("ssh_list_dir", ["path": path]),
                ("ssh_write_file", ["path": path, "content": "x"]),
                ("ssh_upload_file", ["remote_path": path, "local_path": .string(local.file("source"))]),
            ] {
                let result = try client.callTool(tool, arguments)
                #expect(result.isError && result.text.contains("300 bytes"), "\(tool): \(result)")
                for word in ["LSTAT", "OPEN", "Bad message", "Failure"] {
                    #expect(!result.text.contains(word), "\(tool): \(result)")
                }
            }
        }
    }
}
