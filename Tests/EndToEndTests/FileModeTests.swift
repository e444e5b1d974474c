import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// Permission bits of files that go to a host or come from there.
@Suite struct FileModeTests {
    private static let writing: JSON = ["safeguards": ["allow_overwrite": true]]

    private static func mode(_ path: String) -> mode_t? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
    }

    /// Gives a file to who logs in there.
    private static func give(_ path: String, on transport: FileTransport) throws {
        let account = try transport.remote().sshd.loginUser
        if account.uid != geteuid() { chown(path, account.uid, account.gid) }
    }

    /// The umask of a login there.
    private static func remoteMask(_ client: MCPClient) throws -> mode_t {
        let told = try client.callTool("ssh_exec", ["command": "umask"])
        return try #require(
            mode_t(told["stdout"]?.string?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "", radix: 8))
    }

    @Test(
        "an upload keeps the mode of its source less the umask, or that of what it replaces",
        arguments: FileTransport.all)
    func uploads(over transport: FileTransport) throws {
        let (place, local) = (try Place(), try Place())
        try withDaemon(Self.writing, on: transport.remote()) { _, client in
            func upload(_ source: String, _ target: String, _ more: JSON = [:]) throws -> ToolResult {
                try client.callTool(
                    "ssh_upload_file",
                    (["local_path": .string(local.file(source)), "remote_path": .string(place.file(target))] as JSON)
                        .merging(more))
            }
            let mask = try Self.remoteMask(client)
            for mode: mode_t in [0o755, 0o644, 0o600, 0o750, 0o444, 0o555, 0o777, 0o711] {
                let name = "f" + String(mode, radix: 8)
                try local.write(name, name)
                chmod(local.file(name), mode)
                let result = try upload(name, name)
                #expect(result["method"] == "created", "\(result)")
                #expect(try place.content(name) == name)
                #expect(Self.mode(place.file(name)) == mode & ~mask, "\(name), umask \(mask)")
            }
            try place.write("old", "old")
            try Self.give(place.file("old"), on: transport)
            chmod(place.file("old"), 0o640)
            #expect(try upload("f755", "old")["method"] == "replaced")
            #expect(Self.mode(place.file("old")) == 0o640)
            #expect(try upload("f644", "run", ["mode": "0711"])["uploaded"] == true)
            #expect(Self.mode(place.file("run")) == 0o711)
            #expect(try upload("f644", "a/b/deep").isError)
            #expect(try upload("f644", "a/b/deep", ["create_dirs": true])["uploaded"] == true)
            #expect(try place.content("a/b/deep") == "f644")
            #expect(try upload("f644", "x", ["mode": "4755"]).isError)
        }
    }

    @Test(
        "a download keeps the mode of the remote file less the umask, or that of what it replaces",
        arguments: FileTransport.all)
    func downloads(over transport: FileTransport) throws {
        let (place, local) = (try Place(), try Place())
        let mask = umask(0o077)
        umask(mask)
        try withDaemon(Self.writing, on: transport.remote()) { _, client in
            func download(_ name: String, to target: String) throws -> ToolResult {
                try client.callTool(
                    "ssh_download_file",
                    ["remote_path": .string(place.file(name)), "local_path": .string(local.file(target))])
            }
            for mode: mode_t in [0o755, 0o644, 0o600, 0o555, 0o4755] {
                let name = "f" + String(mode, radix: 8)
                try place.write(name, name)
                try Self.give(place.file(name), on: transport)
                chmod(place.file(name), mode)
                #expect(try download(name, to: name)["downloaded"] == true)
                #expect(Self.mode(local.file(name)) == mode & 0o777 & ~mask, "\(name)")
            }
            try local.write("old", "old")
            chmod(local.file("old"), 0o755)
            #expect(try download("f600", to: "old")["downloaded"] == true)
            #expect(Self.mode(local.file("old")) == 0o755)
            #expect(try local.content("old") == "f600")
        }
    }
}
