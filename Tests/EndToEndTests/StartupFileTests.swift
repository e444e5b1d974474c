import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// Hosts whose login shell does more than the daemon asks it: start-up files that print, wait for input or start another
/// program. In accounts of their own, for root only.
@Suite("Start-up files", .serialized, .enabled(if: Account.canCreate, "only root can make accounts"))
struct StartupFileTests {
    /// A shell with its start-up file, and what is written into it.
    struct Startup: CustomTestStringConvertible, Sendable {
        let shell: String
        let file: String
        let text: String

        var testDescription: String { "\(file): \(text.prefix(40))" }

        /// In every shell: lines, escapes, standard error, much, and at last no line feed.
        private static let everywhere = """
            echo Welcome to this host
            printf '\\033[1mbold\\033[0m\\r\\n'
            sh -c 'echo something to stderr >&2'
            sh -c 'i=0; while test $i -lt 200; do echo a long message of the day; i=$(expr $i + 1); done'
            printf 'no line feed'
            """

        static let printing: [Startup] = [
            ("/bin/bash", ".bashrc", [everywhere, "exec 2>&1; set -xv"]),
            ("/bin/tcsh", ".tcshrc", [everywhere, "set echo"]),
            ("/usr/bin/fish", ".config/fish/config.fish", [everywhere]), ("/usr/bin/zsh", ".zshenv", [everywhere]),
        ].flatMap { shell, file, texts in texts.map { Startup(shell: shell, file: file, text: $0) } }
            .filter { FileManager.default.isExecutableFile(atPath: $0.shell) }

        static let hanging: [Startup] = ["exec fish", "printf 'Which project? '; read p; read q"].map {
            Startup(shell: "/bin/bash", file: ".bashrc", text: $0)
        }
    }

    /// How the host serves files: the program that OpenSSH's package brings, which the login shell starts, or nothing.
    private static let servers = ["Subsystem sftp /usr/lib/openssh/sftp-server", ""]

    private func withHost(
        _ startup: Startup, purpose: String = "start-up", server: String, _ body: (MCPClient, Place) throws -> Void
    ) throws {
        try withRemoteHost(startup, purpose: purpose, server: server) { client, place, _, _ in try body(client, place) }
    }

    /// The same with the host, and the path of the start-up file.
    private func withRemoteHost(
        _ startup: Startup, purpose: String, server: String, _ body: (MCPClient, Place, Remote, String) throws -> Void
    ) throws {
        var options = PrivateSSHD.Options(sftpSubsystem: false, loginShell: startup.shell)
        options.purpose = purpose
        options.extraConfig = [server]
        try withRemote(options) { remote in
            let path = "\(remote.sshd.loginUser.home)/\(startup.file)"
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try Data("\(startup.text)\n".utf8).write(to: URL(filePath: path))
            defer { unlink(path) }
            try withDaemon(["safeguards": ["allow_overwrite": true]], on: remote) { _, client in
                try body(client, try Place(), remote, path)
            }
        }
    }

    @Test("what a start-up file prints is in nobody's way", arguments: Startup.printing, servers)
    func printing(startup: Startup, server: String) throws {
        try withHost(startup, server: server) { client, place in
            func call(_ tool: String, _ arguments: JSON) throws -> ToolResult {
                let result = try client.callTool(tool, arguments)
                #expect(!result.isError, "\(tool): \(result.text)")
                return result
            }
            let path = JSON.string(place.file("f"))
            #expect(try call("ssh_write_file", ["path": path, "content": "one\n"])["method"] == "created")
            #expect(try call("ssh_write_file", ["path": path, "content": "two\n"])["method"] == "replaced")
            _ = try call("ssh_edit_file", ["path": path, "edits": [["old_text": "two", "new_text": "three"]]])
            #expect(try call("ssh_read_file", ["path": path])["content"] == "three\n")
            #expect(try place.content("f") == "three\n")
            let deep = JSON.string(place.file("a/b/g"))
            _ = try call("ssh_write_file", ["path": deep, "content": "deep", "create_dirs": true])
            #expect(try place.content("a/b/g") == "deep")
            let local = try Place()
            let source = JSON.string(try local.write("s", "upload"))
            _ = try call("ssh_upload_file", ["local_path": source, "remote_path": .string(place.file("u"))])
            #expect(try place.content("u") == "upload")
            let target = JSON.string(local.file("d"))
            _ = try call("ssh_download_file", ["local_path": target, "remote_path": path])
            #expect(try local.content("d") == "three\n")
            let list = try call("ssh_list_dir", ["path": .string(place.directory.path)])
            #expect(list["entries"]?.array?.compactMap { $0["name"]?.string } == ["a", "f", "u"])
            // By the way that the host has: the other would have served as well.
            let hosts = try call("ssh_connection_status", [:])["hosts"]?.array ?? []
            #expect(hosts.compactMap { $0["file_transport"]?.string } == [server.isEmpty ? "shell" : "sftp"])
            #expect(hosts.first?["shell"]?.string == startup.shell, "\(hosts)")
        }
    }

    @Test(
        "a start-up file that waits or starts another program is named in time, and known at once",
        arguments: Startup.hanging)
    func hanging(startup: Startup) throws {
        try withHost(startup, purpose: "hanging", server: Self.servers[0]) { client, place in
            let path = try place.write("f", "content")
            let started = ContinuousClock.now
            let first = try client.callTool("ssh_read_file", ["path": .string(path)], timeout: .seconds(60))
            let duration = ContinuousClock.now - started
            #expect(first.isError && first.text.contains("start-up file"), "\(first.text)")
            #expect(duration < .seconds(25))
            if startup.text.contains("project") { #expect(first.text.contains("Which project?"), "\(first.text)") }
            let second = try client.callTool(
                "ssh_write_file", ["path": .string(place.file("new")), "content": "x"], timeout: .seconds(5))
            #expect(second.isError && second.text.contains("start-up file"), "\(second.text)")
        }
    }

    @Test("a shell that a start-up file starts does not run the content of files")
    func content() throws {
        let startup = Startup(shell: "/bin/bash", file: ".bashrc", text: "sh; true")
        try withHost(startup, purpose: "hanging", server: "") { client, place in
            let lines = String(repeating: "touch \(place.file("ran"))\n", count: 2000)
            let result = try client.callTool(
                "ssh_write_file", ["path": .string(place.file("f")), "content": .string(lines)], timeout: .seconds(60))
            #expect(result.isError, "\(result)")
            #expect(try !place.names.contains { $0 == "ran" || $0 == "f" }, "\(result)")
        }
    }

    @Test(
        "what a start-up file starts, or asks, does not get the input of a command",
        arguments: Startup.hanging + [Startup(shell: "/bin/bash", file: ".bashrc", text: "sh; true")])
    func input(startup: Startup) throws {
        try withHost(startup, purpose: "hanging", server: Self.servers[0]) { client, place in
            let line = "touch \(place.file("ran"))\n"
            let result = try client.callTool(
                "ssh_exec", ["command": "cat", "stdin": .string(line), "timeout_seconds": 2], timeout: .seconds(30))
            #expect(try place.names == [], "\(result)")
            Self.expectNotBegun(result)
            // Without input they read the end of it. That is found out beside the calls that are told what is known.
            var after = try client.callTool("ssh_exec", ["command": "echo after", "timeout_seconds": 10])
            try waitUntil("it is tried anew") {
                if after.isError, after.text.contains("did not begin") {
                    after = try client.callTool("ssh_exec", ["command": "echo after", "timeout_seconds": 10])
                }
                return !after.isError || !after.text.contains("did not begin")
            }
            if startup.text.hasPrefix("exec") {
                #expect(after.isError && after.text.contains("ended (status 0)"), "\(after)")
                #expect(after.text.contains("start-up file"), "\(after)")
            } else {
                #expect(after["stdout"]?.string?.hasSuffix("after\n") == true, "\(after)")
            }
        }
    }

    private static func expectNotBegun(_ result: ToolResult) {
        #expect(
            result.isError && result.text.contains("did not begin") && result.text.contains("start-up file"),
            "\(result)")
        #expect(!result.text.contains("timed_out"), "\(result)")
    }

    @Test(
        "a command that a start-up file holds up is said not to have begun, at once the next time, and what hangs is ended later"
    )
    func hangingCommand() throws {
        let mark = "10\(UInt32.random(in: 1_000_000...9_999_999))"
        let startup = Startup(shell: "/bin/bash", file: ".bashrc", text: "sleep \(mark)")
        try withRemoteHost(startup, purpose: "hanging", server: "Subsystem sftp internal-sftp") {
            client, place, remote, file in
            let command: JSON = ["command": .string("touch \(place.file("ran"))"), "timeout_seconds": 1]
            let first = try client.callTool("ssh_exec", command, timeout: .seconds(20))
            Self.expectNotBegun(first)
            for _ in 0..<3 {
                let started = ContinuousClock.now
                let next = try client.callTool("ssh_exec", ["command": "true"], timeout: .seconds(20))
                #expect(ContinuousClock.now - started < .seconds(8))
                Self.expectNotBegun(next)
            }
            // Files do not need the login shell there.
            #expect(!(try client.callTool("ssh_read_file", ["path": "/etc/hostname"])).isError)
            #expect(!remote.sshd.remoteProcesses(running: mark).isEmpty)
            try Data().write(to: URL(filePath: file))
            try waitUntil("the mended host is used", timeout: .seconds(40)) {
                try client.callTool("ssh_exec", ["command": "echo back"])["stdout"] == "back\n"
            }
            try waitUntil("what hung is ended") { remote.sshd.remoteProcesses(running: mark).isEmpty }
            #expect(try place.names == [], "it did not begin later either")
        }
    }

    @Test(
        "many calls at once on such a host hold up no later one for long, and the shortage names what could not be stopped"
    )
    func manyHanging() throws {
        let mark = "10\(UInt32.random(in: 1_000_000...9_999_999))"
        let startup = Startup(shell: "/bin/bash", file: ".bashrc", text: "sleep \(mark)")
        try withRemoteHost(startup, purpose: "hanging", server: "MaxSessions 4") { client, _, remote, _ in
            let calls = try (0..<16).map { _ in
                try client.beginTool("ssh_exec", ["command": "true", "timeout_seconds": 2])
            }
            for call in calls {
                let result = try call.waitForTool(timeout: .seconds(30))
                #expect(result.isError, "\(result)")
                if !result.text.contains("did not begin") {
                    #expect(result.text.contains("no free session"), "\(result)")
                }
            }
            let started = ContinuousClock.now
            Self.expectNotBegun(try client.callTool("ssh_exec", ["command": "true"], timeout: .seconds(20)))
            #expect(ContinuousClock.now - started < .seconds(8))
            for process in remote.sshd.remoteProcesses(running: mark) { process.killIfAlive() }
        }
    }

    @Test("a command whose start-up file goes on when nobody waits any more does not begin")
    func late() throws {
        let mark = "9.\(UInt32.random(in: 1_000_000...9_999_999))"
        // The command's own shell reads the file as well, and would be ended while it sleeps.
        let startup = Startup(
            shell: "/bin/bash", file: ".bashrc", text: "[ -n \"$slept\" ] || { export slept=1; sleep \(mark); }")
        try withRemoteHost(startup, purpose: "hanging", server: "") { client, place, remote, _ in
            let command: JSON = ["command": .string("touch \(place.file("ran"))"), "timeout_seconds": 1]
            Self.expectNotBegun(try client.callTool("ssh_exec", command, timeout: .seconds(20)))
            let shells = remote.sshd.remoteProcesses(running: mark)
            #expect(!shells.isEmpty)
            try waitUntil("the start-up file ends", timeout: .seconds(20)) {
                remote.sshd.remoteProcesses(running: mark).isEmpty
                    && remote.sshd.remoteProcesses(running: "exec /bin/sh").isEmpty
            }
            #expect(try place.names == [])
        }
    }

    @Test("twenty seconds are enough for a start-up file, whatever a command may take")
    func patience() throws {
        let mark = "10\(UInt32.random(in: 1_000_000...9_999_999))"
        let startup = Startup(shell: "/bin/bash", file: ".bashrc", text: "echo Loading; sleep \(mark)")
        try withRemoteHost(startup, purpose: "hanging", server: "") { client, _, remote, _ in
            let result = try client.callTool(
                "ssh_exec", ["command": "true", "timeout_seconds": 600], timeout: .seconds(28))
            Self.expectNotBegun(result)
            #expect(result.text.contains("within 20 s") && result.text.contains("Loading"), "\(result)")
            for process in remote.sshd.remoteProcesses(running: mark) { process.killIfAlive() }
        }
    }

    @Test(
        "a start-up file that ends or replaces the shell is named by commands and files",
        arguments: ["exit 0", "exit 255", "exec true", "exec bash --norc"])
    func ending(text: String) throws {
        let startup = Startup(shell: "/bin/bash", file: ".bashrc", text: text)
        try withHost(startup, purpose: "hanging", server: "") { client, place in
            let exec = try client.callTool("ssh_exec", ["command": .string("touch \(place.file("ran"))")])
            #expect(exec.isError && exec.text.contains("start-up file") && exec.text.contains("ended"), "\(exec)")
            #expect(!exec.text.contains("POSIX"), "\(exec)")
            if !text.contains("bash") {
                let read = try client.callTool("ssh_read_file", ["path": "/etc/hostname"])
                #expect(read.isError && read.text.contains("start-up file"), "\(read)")
                #expect(!read.text.contains("exited(") && !read.text.contains("ssh_exec"), "\(read)")
            }
            #expect(try place.names == [])
        }
    }

    @Test(
        "a write over a shell that a start-up file holds up leaves nothing, and names the file",
        arguments: ["read x", "exec bash --norc", "exec zsh"].filter {
            !$0.contains("zsh") || FileManager.default.isExecutableFile(atPath: "/usr/bin/zsh")
        })
    func writing(text: String) throws {
        let startup = Startup(shell: "/bin/bash", file: ".bashrc", text: text)
        try withHost(startup, purpose: "hanging", server: "") { client, place in
            for number in 0..<2 {
                let started = ContinuousClock.now
                let result = try client.callTool(
                    "ssh_write_file",
                    ["path": .string(place.file("a/b/c")), "content": "touch ran\n", "create_dirs": true],
                    timeout: .seconds(60))
                #expect(result.isError && result.text.contains("start-up file"), "\(result)")
                #expect(!result.text.contains("choose another path"), "\(result)")
                #expect(try place.names == [], "\(result)")
                if number == 1 { #expect(ContinuousClock.now - started < .seconds(12)) }
            }
            // What was there before stays.
            try FileManager.default.createDirectory(atPath: place.file("a"), withIntermediateDirectories: false)
            try #require(chmod(place.file("a"), 0o777) == 0)
            _ = try client.callTool(
                "ssh_write_file",
                ["path": .string(place.file("a/b/c")), "content": "x", "create_dirs": true], timeout: .seconds(60))
            #expect(try place.names == ["a"])
            #expect(try FileManager.default.contentsOfDirectory(atPath: place.file("a")) == [])
        }
    }

    @Test("where export works it is used from the second command on, and no more where it no longer works")
    func exporting() throws {
        let startup = Startup(
            shell: "/bin/bash", file: ".bashrc", text: "export() { builtin export BY=export \"$@\"; }")
        try withRemoteHost(startup, purpose: "once", server: "") { client, place, _, file in
            let command: JSON = ["command": "echo by $BY"]
            #expect(try client.callTool("ssh_exec", command)["stdout"] == "by\n")
            #expect(try client.callTool("ssh_exec", command)["stdout"] == "by export\n")
            try Data("export() { false; }\n".utf8).write(to: URL(filePath: file))
            Self.expectNotRun(try client.callTool("ssh_exec", ["command": .string("touch \(place.file("ran"))")]))
            #expect(try place.names == [])
            #expect(try client.callTool("ssh_exec", command)["stdout"] == "by\n")
        }
    }

    private static func expectNotRun(_ result: ToolResult) {
        #expect(result.isError && result.text.contains("ended (status 1)"), "\(result)")
    }

    @Test("bash reads .bashrc once for a command, which has what it exports")
    func once() throws {
        let startup = Startup(shell: "/bin/bash", file: ".bashrc", text: "export READS=${READS}x")
        try withHost(startup, purpose: "once", server: "") { client, _ in
            let run = try client.callTool("ssh_exec", ["command": "echo $READS"])
            #expect(run["stdout"] == "x\n", "\(run)")
        }
    }
}
