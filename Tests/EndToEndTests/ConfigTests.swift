import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// The config as a user meets it: what a start, a reload and `check` say of it, and what it switches off.
@Suite struct ConfigTests {
    /// Runs `claude-ssh-daemon check` on a config of this text.
    private static func check(_ text: String, mode: mode_t = 0o644) throws -> CommandResult {
        let directory = try TemporaryDirectory()
        let path = try directory.write("config.json", text, mode: mode)
        return try runDaemonCommand(["check", "--config", path], environment: ["XDG_RUNTIME_DIR": directory.path])
    }

    private static let broken = """
        {"mcp_socket": "relative", "default_host": "nobody", "client_wait_seconds": -1,
         "hosts": {"prod": {"socket": "/s", "user": "u", "host": "h", "base_dir": "srv", "exec_alowlist": []}},
         "capabilities": {"exec": "yes"}, "limits": {"max_output_bytes": 1}}
        """
    private static let mistakes = [
        "mcp_socket: ", "client_wait_seconds: ", "capabilities.exec: ",
        "hosts.prod.base_dir: must be absolute, got \"srv\"", "default_host: ", "limits.max_output_bytes: ",
    ]

    @Test("check, a start and a reload tell all mistakes at once, each with its path, and of the key that may be meant")
    func allAtOnce() throws {
        let checked = try Self.check(Self.broken)
        #expect(checked.status == .exited(2))
        let (status, log) = try runDaemonExpectingFailure(config: Self.broken)
        #expect(status == .exited(2))
        let hint = "hosts.prod.exec_alowlist: unknown key; did you mean \"exec_allowlist\"? Correct or remove it"
        #expect(checked.outputText.contains(hint) && log.contains(hint.replacing("\"", with: "\\\"")))
        for mistake in Self.mistakes {
            #expect(checked.outputText.contains("error: " + mistake), "\(checked.outputText)")
            #expect(log.contains(mistake.replacing("\"", with: "\\\"")), "\(log)")
        }
        #expect(checked.outputText.split(separator: "\n").filter { $0.hasPrefix("error: ") }.count == 7)

        try withDaemon { daemon, client in
            try daemon.rewriteConfig(JSON(parsing: Data(Self.broken.utf8)))
            let start = daemon.logRecords().count
            daemon.signal(SIGHUP)
            for mistake in Self.mistakes {
                try daemon.waitForLog("config not reloaded", from: start) {
                    $0["error"]?.string?.hasPrefix(mistake) == true
                }
            }
            #expect(try client.callTool("ssh_exec", ["command": "echo old"])["stdout"] == "old\n")
        }
    }

    @Test(
        "check takes the configs of version 2.1 as they are, and warns of what is an example in them, or lies in /tmp")
    func reference() throws {
        let single = """
            {
              "ssh_socket": "/tmp/ssh-ctrl-user@host.sock",
              "mcp_socket": "/tmp/claude-ssh-daemon.sock",
              "ssh_user": "ubuntu",
              "ssh_host": "my.server.com",
              "capabilities": {"exec": true, "file_read": true, "file_write": true, "port_forward": false}
            }
            """
        let several = """
            {
              "mcp_socket": "/tmp/claude-ssh-daemon.sock",
              "default_host": "prod",
              "hosts": {
                "prod": {
                  "socket": "/tmp/ssh-ctrl-ubuntu@prod.sock", "user": "ubuntu", "host": "prod.example.com",
                  "base_dir": "/srv/app", "exec_allowlist": ["git ", "make ", "npm "]
                },
                "staging": {
                  "socket": "/tmp/ssh-ctrl-ubuntu@staging.sock", "user": "ubuntu", "host": "staging.example.com"
                }
              },
              "capabilities": {"exec": true, "file_read": true, "file_write": true, "port_forward": false},
              "safeguards": {
                "guard_disabled": false, "allow_overwrite": false, "allow_delete": false, "patterns": []
              }
            }
            """
        for (text, count) in [(single, "1 host\n"), (several, "2 hosts\n")] {
            let result = try Self.check(text)
            #expect(result.succeeded && result.outputText.hasSuffix("usable, \(count)"), "\(result.outputText)")
            let warnings = result.outputText.split(separator: "\n").filter { $0.hasPrefix("warning: ") }
            #expect(
                warnings.allSatisfy {
                    $0.contains("everybody can make files in /tmp") || $0.contains("the name of an example")
                },
                "\(warnings)")
            #expect(!warnings.isEmpty && result.stderr.isEmpty)
            #expect(result.outputText.contains("note: local_roots is not set"), "\(result.outputText)")
        }
        let forms = [try Remote.shared().singleHostConfig(), try Remote.shared().config()]
        for form in forms {
            let daemon = try RunningDaemon(config: form)
            defer { daemon.stop() }
            #expect(try daemon.connect().callTool("ssh_exec", ["command": "echo hi"])["stdout"] == "hi\n")
        }
    }

    @Test("check tells of a file that others can write, and of an audit log that a start would refuse")
    func files() throws {
        let open = try Self.check("{}", mode: 0o666)
        #expect(open.status == .exited(2) && open.outputText.contains("chmod go-w"))
        let text = #"{"ssh_socket": "/s", "ssh_user": "u", "ssh_host": "h", "audit_log": "/dev/null"}"#
        let audit = try Self.check(text)
        #expect(audit.status == .exited(2) && audit.outputText.contains("error: audit_log: "), "\(audit.outputText)")
        let both = try Self.check(text.replacing("}", with: #", "transport": "ssh", "ssh_path": "/nonexistent/ssh"}"#))
        #expect(both.outputText.contains("error: ssh_path: ") && both.outputText.contains("error: audit_log: "))
    }

    @Test("a tool that one host has switched off is listed, refuses there and works elsewhere; a host cannot switch on")
    func narrowing() throws {
        let remote = try Remote.shared()
        let place = try Place()
        try place.write("f", "x")
        let narrow: JSON = ["exec": false, "file_read": false, "file_write": false, "port_forward": false]
        let hosts: JSON = ["narrow": remote.hostEntry.merging(["capabilities": narrow])]
        let path = JSON.string(place.file("f"))
        let calls: [(tool: String, arguments: JSON, key: String)] = [
            ("ssh_exec", ["command": "true"], "exec"), ("ssh_read_file", ["path": path], "file_read"),
            ("ssh_list_dir", ["path": .string(place.directory.path)], "file_read"),
            ("ssh_write_file", ["path": path, "content": "y"], "file_write"),
        ]
        let safeguards: JSON = ["safeguards": ["allow_overwrite": true]]
        try withDaemon(safeguards.merging(["hosts": hosts])) { _, client in
            let listed = try client.request("tools/list")["result"]?["tools"]?.array ?? []
            let names = Set(listed.compactMap { $0["name"]?.string })
            for (tool, arguments, key) in calls {
                #expect(names.contains(tool))
                #expect(try client.callTool(tool, arguments).isError == false)
                let refused = try client.callTool(tool, arguments.merging(["host": "narrow"]))
                #expect(refused.isError && refused.text.contains("hosts.narrow.capabilities.\(key)"), "\(refused)")
            }
        }
        let wide: JSON = ["box": ["capabilities": ["exec": true]]]
        try withDaemon(["capabilities": ["exec": false], "hosts": wide]) { _, client in
            let listed = try client.request("tools/list")["result"]?["tools"]?.array ?? []
            #expect(!listed.contains { $0["name"] == "ssh_exec" })
        }
    }

    @Test("check and a start refuse a socket's path at which something else lies")
    func noSocket() throws {
        let directory = try TemporaryDirectory()
        for (path, kind) in [(try directory.write("key", "secret"), "file"), (directory.path, "directory")] {
            let text = #"{"ssh_socket": "\#(path)", "ssh_user": "u", "ssh_host": "h"}"#
            let found = try Self.check(text)
            #expect(found.status == .exited(2), "\(kind)")
            #expect(found.outputText.contains("\(path) exists and is not a socket"), "\(found.outputText)")
            let (_, log) = try runDaemonExpectingFailure(config: text)
            #expect(log.contains("exists and is not a socket"), "\(log)")
        }
    }

    @Test(
        "check and a start refuse mcp_socket as a host's socket, by whatever path, served or not",
        arguments: [true, false])
    func ownSocket(isServed: Bool) throws {
        let directory = try TemporaryDirectory(readableByAll: true)
        let real = directory.file("real")
        try FileManager.default.createDirectory(atPath: real, withIntermediateDirectories: false)
        try #require(chmod(real, 0o700) == 0)
        let own = "\(real)/m.sock"
        let links = [("dir", real), ("link", own), ("chain", directory.file("link")), ("relative", "real/m.sock")]
        for (name, target) in links { try #require(symlink(target, directory.file(name)) == 0) }
        defer { for (name, _) in links { unlink(directory.file(name)) } }
        var paths = [own, "\(real)//m.sock", "\(real)/../real/./m.sock", directory.file("dir") + "/m.sock"]
        paths += ["link", "chain", "relative"].map(directory.file)
        func config(_ socket: String, _ mcp: String) -> JSON {
            ["mcp_socket": .string(mcp), "ssh_socket": .string(socket), "ssh_user": "u", "ssh_host": "h"]
        }
        let daemon = isServed ? try RunningDaemon(config: config("/nonexistent/s", own)) : nil
        defer { daemon?.stop() }
        if isServed {
            try #require(Glibc.link(own, "\(real)/hard") == 0)
            paths.append("\(real)/hard")
        }
        defer { unlink("\(real)/hard") }
        for path in paths {
            for (socket, mcp) in [(path, own), (own, path)] {
                let found = try Self.check(String(decoding: try config(socket, mcp).encoded(), as: UTF8.self))
                #expect(
                    found.status == .exited(2) && found.outputText.contains("is mcp_socket"),
                    "\(path): \(found.outputText)")
            }
        }
        let (_, log) = try runDaemonExpectingFailure(
            config: String(decoding: try config(directory.file("link"), own).encoded(), as: UTF8.self))
        #expect(log.contains("is mcp_socket"), "\(log)")
        let other = try Self.check(String(decoding: try config("\(real)/other", own).encoded(), as: UTF8.self))
        #expect(other.status == .exited(0), "\(other.outputText)")
    }

    @Test("a start says what is open to transfers, and names local_roots")
    func openFiles() throws {
        let remote = try Remote.shared()
        let daemon = try remote.startDaemon(["local_roots": .null])
        defer { daemon.stop() }
        let record = try daemon.waitForLog("local files")
        #expect(record["open"]?.string?.hasPrefix("local_roots is not set") == true)
        let narrow = try remote.startDaemon(["local_roots": ["/tmp/transfers"]])
        defer { narrow.stop() }
        #expect(try narrow.waitForLog("local files")["open"]?.string?.contains("in /tmp/transfers") == true)
    }
}
