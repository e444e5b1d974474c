import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// Files over a shell go through the gate, which opens one only where the config gives nothing away by it.
@Suite struct FilesOverShellTests {
    private static func hosts(_ remote: Remote, _ entry: JSON) -> JSON {
        ["hosts": ["box": remote.hostEntry.merging(entry)]]
    }

    @Test(
        "where commands are limited and the host has no SFTP, no shell is opened, and the answer says why",
        arguments: [
            (["exec_allowlist": ["cat "]], "exec_allowlist limits"), (["capabilities": ["exec": false]], "exec is off"),
            (["file_transport": "sftp", "exec_allowlist": []], "no word of a shell"),
        ] as [(JSON, String)])
    func refused(entry: JSON, why: String) throws {
        let remote = try FileTransport.shell.remote()
        let place = try TemporaryDirectory(readableByAll: true)
        try place.write("f", "content")
        try withDaemon(Self.hosts(remote, entry), on: remote) { _, client in
            for (tool, arguments) in [
                ("ssh_read_file", ["path": .string(place.file("f"))] as JSON),
                ("ssh_list_dir", ["path": .string(place.path)]),
                ("ssh_write_file", ["path": .string(place.file("g")), "content": "x"]),
            ] {
                let result = try client.callTool(tool, arguments)
                #expect(result.isError, "\(result)")
                guard entry["file_transport"] == nil else {
                    #expect(result.text.contains("did not start its SFTP server"), "\(result)")
                    continue
                }
                for words in ["started no SFTP server", "does not allow files over a shell", why, "Nothing was done"] {
                    #expect(result.text.contains(words), "\(words): \(result)")
                }
            }
            #expect(access(place.file("g"), F_OK) != 0)
            let status = try client.callTool("ssh_connection_status")
            #expect(status["hosts"]?[0]?["connected"] == true)
            #expect(status["hosts"]?[0]?["file_transport"] == nil, "\(status)")
        }
    }

    @Test(
        "with file_transport shell files are read and written over a shell, also where commands are off",
        arguments: FileTransport.all)
    func named(over transport: FileTransport) throws {
        let remote = try transport.remote()
        let place = try TemporaryDirectory(readableByAll: true)
        chmod(place.path, 0o777)
        let path = place.file("f 'ü\n")
        let entry: JSON = ["file_transport": "shell", "capabilities": ["exec": false]]
        try withDaemon(Self.hosts(remote, entry).merging(["capabilities": ["port_forward": false]]), on: remote) {
            daemon, client in
            let text = String(repeating: "0123456789abcdef\n", count: 20_000)
            let written = try client.callTool("ssh_write_file", ["path": .string(path), "content": .string(text)])
            #expect(!written.isError, "\(written)")
            #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
            let read = try client.callTool("ssh_read_file", ["path": .string(path)])
            #expect(read["content"] == .string(text))
            let status = try client.callTool("ssh_connection_status")
            #expect(status["hosts"]?[0]?["file_transport"] == "shell", "\(status)")
            // The gate speaks to the ControlMaster: no program was started beside the daemon's own.
            let names = Set(ProcessTable().descendants(of: daemon.pid).map(\.comm))
            #expect(names.allSatisfy { $0.hasPrefix("claude-ssh-") }, "\(names)")
        }
    }
}
