import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// Who a ControlMaster leads to, and what is there instead of a POSIX shell.
@Suite struct HostIdentityTests {
    private static func status(_ client: MCPClient) throws -> JSON {
        try #require(try client.callTool("ssh_connection_status")["hosts"]?.array?.first)
    }

    @Test("a status says who is logged in, where, with which shell, and where the home is")
    func told() throws {
        try withDaemon { daemon, client in
            let account = try Remote.shared().sshd.loginUser
            let status = try Self.status(client)
            #expect(status["user"]?.string == account.name, "\(status)")
            #expect(status["home"]?.string == account.home, "\(status)")
            #expect(status["shell"]?.string?.hasPrefix("/") == true, "\(status)")
            let name = try run("/bin/uname", ["-n"]).outputText.trimmingCharacters(in: .newlines)
            #expect(status["hostname"]?.string == name, "\(status)")
            #expect(status["problem"] == nil && status["note"] == nil, "\(status)")
            let start = daemon.logRecords().count
            #expect(try Self.status(client)["user"]?.string == account.name)
            let asked = daemon.logRecords()[start...].filter { $0["what"]?["session"] == "identity" }
            #expect(asked.isEmpty, "a master is asked once: \(asked)")
        }
    }

    @Test(
        "a socket that leads to another user is used for nothing, and the error names both and the key",
        arguments: ["mux", "ssh"])
    func otherUser(transport: String) throws {
        let remote = try Remote.shared()
        let place = try Place()
        let entry = remote.hostEntry.merging(["user": "somebody-else"])
        try withDaemon(["transport": .string(transport), "hosts": ["box": entry]], on: remote) { _, client in
            let calls: [(String, JSON)] = [
                ("ssh_exec", ["command": .string("touch \(place.file("ran"))")]),
                ("ssh_write_file", ["path": .string(place.file("written")), "content": "x"]),
                ("ssh_forward_port", ["remote_host": "127.0.0.1", "remote_port": 80]),
                ("ssh_exec", ["command": .string("touch \(place.file("again"))")]),
            ]
            for (tool, arguments) in calls {
                let result = try client.callTool(tool, arguments)
                #expect(result.isError, "\(tool): \(result)")
                #expect(
                    result.text.contains("hosts.box.user is \"somebody-else\"")
                        && result.text.contains("is logged in as \"\(remote.sshd.loginUser.name)\""),
                    "\(tool): \(result)")
            }
            #expect(try place.names.isEmpty)
            #expect(try Self.status(client)["problem"]?.string?.contains("hosts.box.user") == true)
        }
    }

    @Test("a host that calls itself otherwise is told, and used")
    func otherName() throws {
        let remote = try Remote.shared()
        let entry = remote.hostEntry.merging(["host": "prod.example.com"])
        try withDaemon(["hosts": ["box": entry]], on: remote) { _, client in
            #expect(try client.callTool("ssh_exec", ["command": "echo used"])["stdout"] == "used\n")
            let note = try Self.status(client)["note"]?.string ?? ""
            #expect(note.contains("prod.example.com") && note.contains("hosts.box.host"), "\(note)")
        }
    }

    /// What answers in the place of a shell: what it prints, its status, and a word of what is said of it.
    private static let strange: [(command: String, says: String)] = [
        (
            "echo \"'exec' is not recognized as an internal or external command,\"; echo operable program or batch file.; exit 1",
            "Windows host (Windows cmd.exe)"
        ),
        ("echo \"% Invalid input detected at '^' marker.\"; exit 0", "an appliance's command line"),
        ("echo This account is currently not available.; exit 1", "has no login shell"),
        ("echo \"rbash: /bin/sh: restricted: cannot specify in command names\" >&2; exit 126", "is restricted"),
        ("echo Welcome to the menu; echo 1. Reboot; exit 0", "Welcome to the menu"),
    ]

    @Test(
        "what is no POSIX shell is told in one sentence, by commands, files and the status, and nothing hangs",
        arguments: strange.indices)
    func strangeShell(index: Int) throws {
        let (command, says) = Self.strange[index]
        let place = try TemporaryDirectory(readableByAll: true)
        let program = try place.writeProgram("shell", "#!/bin/sh\n\(command)\n")
        try withRemote(PrivateSSHD.Options(extraConfig: ["ForceCommand \(program)"])) { remote in
            try withDaemon(on: remote) { _, client in
                let result = try client.callTool("ssh_exec", ["command": "true"])
                #expect(result.isError && result.text.contains(says), "\(result)")
                let read = try client.callTool("ssh_read_file", ["path": "/etc/hostname"])
                #expect(read.isError && read.text.contains(says), "\(read)")
                #expect(!read.text.contains("Use ssh_exec") && !read.text.contains("a packet of"), "\(read)")
                let status = try Self.status(client)
                #expect(status["note"]?.string?.contains(says) == true, "\(status)")
                #expect(status["connected"] == true && status["user"] == nil, "\(status)")
            }
        }
    }

    private static let otherShells = ["/usr/bin/fish", "/bin/tcsh"].filter {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    @Test(
        "a login shell of another syntax is named where a command fails, and in the status",
        .enabled(if: Account.canCreate, "an account with another login shell takes root"),
        arguments: otherShells)
    func otherSyntax(shell: String) throws {
        try withRemote(PrivateSSHD.Options(loginShell: shell)) { remote in
            try withDaemon(on: remote) { _, client in
                let result = try client.callTool("ssh_exec", ["command": "if true; then echo yes; fi"])
                #expect(result["shell"]?.string == shell, "\(result)")
                #expect(result["note"]?.string?.contains("sh -c") == true, "\(result)")
                let status = try Self.status(client)
                #expect(
                    status["shell"]?.string == shell && status["note"]?.string?.contains("sh -c") == true, "\(status)")
            }
        }
    }
}
