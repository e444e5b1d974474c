import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// `~` and `~/…` in the paths of a host, and what is said of relative ones.
@Suite struct HomePathTests {
    private static let writing: JSON = ["safeguards": ["allow_overwrite": true]]

    /// The login directory, without symlinks.
    private static func home(_ transport: FileTransport) throws -> String {
        let real = try #require(realpath(transport.remote().sshd.loginUser.home, nil))
        defer { free(real) }
        return String(cString: real)
    }

    /// The path of a file of the test by way of the login directory, in which nothing is made.
    private static func byWayOfHome(_ path: String) -> String {
        "~/" + String(repeating: "../", count: 20) + path.dropFirst()
    }

    @Test("every file tool takes a path in the login directory", arguments: FileTransport.all)
    func everyTool(over transport: FileTransport) throws {
        let (place, local) = (try Place(), try Place())
        try local.write("source", "uploaded")
        let home = try Self.home(transport)
        try withDaemon(Self.writing, on: transport.remote()) { _, client in
            let written = try client.callTool(
                "ssh_write_file", ["path": .string(Self.byWayOfHome(place.file("f"))), "content": "one\ntwo\n"])
            #expect(written["method"] == "created", "\(written)")
            #expect(written["path"]?.string?.hasPrefix(home) == true, "\(written)")
            let path = JSON.string(Self.byWayOfHome(place.file("f")))
            #expect(try client.callTool("ssh_read_file", ["path": path])["content"] == "one\ntwo\n")
            let edited = try client.callTool(
                "ssh_edit_file", ["path": path, "edits": [["old_text": "two", "new_text": "three"]]])
            #expect(edited["edited"] == true, "\(edited)")
            let up = try client.callTool(
                "ssh_upload_file",
                [
                    "local_path": .string(local.file("source")),
                    "remote_path": .string(Self.byWayOfHome(place.file("up"))),
                ])
            #expect(up["uploaded"] == true, "\(up)")
            let down = try client.callTool(
                "ssh_download_file", ["remote_path": path, "local_path": .string(local.file("down"))])
            #expect(down["downloaded"] == true, "\(down)")
            #expect(try local.content("down") == "one\nthree\n")
            #expect(try place.names == ["f", "up"])
            for text in ["~", "~/"] {
                let listed = try client.callTool("ssh_list_dir", ["path": .string(text), "limit": 10_000])
                let names = try FileManager.default.contentsOfDirectory(atPath: home)
                let seen = Set(listed["entries"]?.array?.compactMap { $0["name"]?.string } ?? [])
                // Others may work there meanwhile.
                #expect(seen.intersection(names).count * 2 >= names.count, "\(text): \(listed)")
            }
        }
    }

    @Test("a relative path is refused with the absolute one that it would be", arguments: FileTransport.all)
    func relative(over transport: FileTransport) throws {
        let home = try Self.home(transport)
        try withDaemon(on: transport.remote()) { _, client in
            for text in ["notes.txt", "./a b/c", "../x"] {
                for tool in ["ssh_read_file", "ssh_list_dir", "ssh_write_file"] {
                    let content: JSON = tool == "ssh_write_file" ? ["content": "x"] : [:]
                    let result = try client.callTool(tool, (["path": .string(text)] as JSON).merging(content))
                    #expect(result.isError && result.text.contains("\(home)/\(text)"), "\(result)")
                }
            }
            let other = try client.callTool("ssh_read_file", ["path": "~nobody/x"])
            #expect(other.isError && other.text.contains("homes of other users"), "\(other)")
        }
    }

    @Test("a path in the login directory is held to base_dir as what it becomes", arguments: FileTransport.all)
    func confined(over transport: FileTransport) throws {
        let place = try Place()
        try place.write("f", "inside")
        let home = try Self.home(transport)
        func config(_ base: String) -> JSON {
            let hosts: JSON = ["hosts": ["box": ["base_dir": .string(base)]]]
            return hosts.merging(Self.writing)
        }
        try withDaemon(config(place.directory.path), on: transport.remote()) { _, client in
            for path in ["~", "~/x", "~/../../etc/passwd"] {
                for tool in ["ssh_read_file", "ssh_list_dir"] {
                    let result = try client.callTool(tool, ["path": .string(path)])
                    #expect(result.isError && result.text.contains("base_dir"), "\(path): \(result)")
                    #expect(result.text.contains(home), "\(result)")
                }
                let written = try client.callTool("ssh_write_file", ["path": .string(path), "content": "x"])
                #expect(written.isError && written.text.contains("base_dir"), "\(path): \(written)")
            }
            let out = try client.callTool("ssh_exec", ["command": "pwd", "cwd": "~"])
            #expect(out.isError && out.text.contains("base_dir"), "\(out)")
        }
        // The tree may be named by way of a symlink.
        symlink(home, place.file("link"))
        for base in transport == .sftp ? [home, place.file("link")] : [home] {
            try withDaemon(config(base), on: transport.remote()) { _, client in
                let listed = try client.callTool("ssh_list_dir", ["path": "~"])
                #expect(!listed.isError, "\(listed)")
                let missing = try client.callTool("ssh_read_file", ["path": "~/no such file of a test"])
                #expect(missing.isError && missing.text.contains("does not exist"), "\(missing)")
                #expect(missing.text.contains("\(base)/no such file of a test"), "\(missing)")
                let inside = try client.callTool("ssh_exec", ["command": "pwd -P", "cwd": "~"])
                #expect(inside["stdout"]?.string == "\(home)\n", "\(inside)")
            }
        }
    }
}
