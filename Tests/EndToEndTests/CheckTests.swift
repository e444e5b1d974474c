import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// `check`: what would keep a start, a first call or a restriction from what its owner thinks is told with the key and with what to
/// do, in a bounded time, and nothing is changed by it.
@Suite struct CheckTests {
    /// A directory with a config, and what `check` says of it.
    private final class Stage {
        let directory = Result { try TemporaryDirectory(readableByAll: true) }
        var path: String { (try? directory.get().path) ?? "" }
        var config: String { "\(path)/config.json" }
        var mine: JSON

        /// Right as it is: its ControlMaster is up.
        init(_ overrides: JSON = [:]) throws {
            let place = try directory.get()
            mine = try Remote.shared().config([
                "mcp_socket": .string(place.file("m.sock")), "local_roots": [.string(place.path)],
            ]).merging(overrides)
        }

        func check(_ overrides: JSON = [:], program: String? = nil) throws -> (
            result: CommandResult, lines: [String]
        ) {
            try directory.get().write("config.json", mine.merging(overrides).encoded())
            let result = try run(
                program ?? BuiltBinaries.folder() + "/\(BuiltBinaries.daemonName)", ["check", "--config", config],
                environment: ChildProcess.plainEnvironment.merging(["XDG_RUNTIME_DIR": path, "HOME": path]) { $1 },
                timeout: .seconds(120))
            return (result, result.outputText.split(separator: "\n").map(String.init))
        }

        /// Expects one line that begins with `start` and has all words, and this exit status; returns what stands behind "run: ".
        @discardableResult
        func expect(
            _ start: String, _ words: String..., isUsable: Bool, _ overrides: JSON = [:], program: String? = nil,
            sourceLocation: Testing.SourceLocation = #_sourceLocation
        ) throws -> String {
            let (result, lines) = try check(overrides, program: program)
            let found = lines.filter { line in line.hasPrefix(start) && words.allSatisfy(line.contains) }
            #expect(found.count == 1, "\(start) \(words): \(result.outputText)", sourceLocation: sourceLocation)
            #expect(result.status == .exited(isUsable ? 0 : 2), "\(result.outputText)", sourceLocation: sourceLocation)
            #expect(
                lines.last?.hasPrefix("\(config): \(isUsable ? "usable, " : "not usable, ")") == true,
                "\(result.outputText)",
                sourceLocation: sourceLocation)
            return found.first?.components(separatedBy: "run: ").dropFirst().last ?? ""
        }
    }

    /// What a person types that follows the line.
    private static func paste(_ command: String) throws {
        try #require(!command.isEmpty)
        try runSuccessfully("/bin/sh", ["-c", command])
    }

    @Test("what is right has no line but the last, which names the config, and nothing is made or changed")
    func right() throws {
        let stage = try Stage()
        let notes = ["note: local_roots: "]
        let (result, lines) = try stage.check()
        #expect(result.status == .exited(0) && lines.last == "\(stage.config): usable, 1 host", "\(result.outputText)")
        #expect(
            lines.dropLast().allSatisfy { line in notes.contains { line.hasPrefix($0) } || line.contains("/tmp") },
            "\(result.outputText)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: stage.path) == ["config.json"])
        #expect(try Remote.shared().master.isAlive())
        // With the config in front, or by a relative path.
        let daemon = "\(try BuiltBinaries.folder())/\(BuiltBinaries.daemonName)"
        let other = try run(daemon, ["--config", stage.config, "check"])
        #expect(other.outputText.hasSuffix("\(stage.config): usable, 1 host\n"), "\(other.outputText)")
        let relative = try run("/bin/sh", ["-c", "cd \(stage.path) && \(daemon) check --config config.json"])
        #expect(relative.outputText.hasSuffix("\(stage.config): usable, 1 host\n"), "\(relative.outputText)")
        #expect(try runDaemonCommand(["check", "--nothing"]).status == .exited(64))
    }

    @Test("a config that cannot be read is named")
    func noConfig() throws {
        let stage = try Stage()
        let none = try runDaemonCommand(["check", "--config", "\(stage.path)/none.json"])
        #expect(none.status == .exited(2))
        #expect(
            none.outputText.hasPrefix("error: \(stage.path)/none.json: cannot be opened: No such file"),
            "\(none.outputText)")
        #expect(none.outputText.hasSuffix("\(stage.path)/none.json: not usable, 1 error\n"), "\(none.outputText)")
        let directory = try stage.directory.get()
        let broken = try directory.write("broken.json", "{\n \"a\": }")
        let told = try runDaemonCommand(["check", "--config", broken])
        #expect(told.outputText.hasPrefix("error: \(broken): not valid JSON: line 2, column "), "\(told.outputText)")
        let odd = try directory.write("odd.json", "{\"\\u001b[2J\\nerror: \\u202e\": 1}")
        let escaped = try runDaemonCommand(["check", "--config", odd])
        #expect(escaped.outputText.contains(#"\u001b[2J\nerror: \u202e"#), "\(escaped.outputText)")
        #expect(escaped.outputText.unicodeScalars.allSatisfy { $0 == "\n" || (0x20...0x7E).contains($0.value) })
    }

    @Test("what is in the way of the MCP socket is told with the command that mends it")
    func mcpSocket() throws {
        let stage = try Stage()
        let directory = stage.path + "/a/b'c"
        let socket: JSON = ["mcp_socket": .string(directory + "/m.sock")]
        let make = try stage.expect(
            "error: mcp_socket: its directory, \(directory), does not exist; ", isUsable: false, socket)
        #expect(make.hasPrefix("install -d -m 700 "))
        let (status, log) = try runDaemonExpectingFailure(config: stage.mine.merging(socket))
        #expect(status == .exited(1) && log.contains("install -d -m 700 ") && log.contains(#""path":""#), "\(log)")
        try Self.paste(make)
        var found = stat()
        #expect(stat(directory, &found) == 0 && found.st_mode & 0o777 == 0o700)
        #expect(try stage.check(socket).result.succeeded)

        for (kind, make) in [
            ("a file", "echo x > '\(stage.path)/m.sock'"), ("a directory", "mkdir '\(stage.path)/m.sock'"),
            ("a link", "ln -s nowhere '\(stage.path)/m.sock'"), ("no lock", "mkdir '\(stage.path)/m.sock.lock'"),
        ] {
            try Self.paste(make)
            let line = try stage.check().lines.first { $0.hasPrefix("error: mcp_socket: ") } ?? ""
            #expect(line.contains("of this user; choose another mcp_socket, or move it away: mv "), "\(kind): \(line)")
            let move = line.components(separatedBy: "away: ").last ?? ""
            try Self.paste(move)
            #expect(try stage.check().result.succeeded, "\(kind)")
            try Self.paste("rm -rf '\(stage.path)/m.sock.old' '\(stage.path)/m.sock.lock.old'")
        }
        #expect(chmod(directory, 0o777) == 0)
        try Self.paste(try stage.expect("error: mcp_socket: its directory, ", "is not sticky", isUsable: false, socket))
        #expect(chmod(directory, 0o1777) == 0)
        try stage.expect("warning: mcp_socket: everybody can make files in ", isUsable: true, socket)
        if !isRoot {
            #expect(chmod(directory, 0o500) == 0)
            try Self.paste(
                try stage.expect("error: mcp_socket: its directory, ", "takes no file", isUsable: false, socket))
            #expect(try stage.check(socket).result.succeeded)
        }
        chmod(directory, 0o700)
    }

    @Test("another program at the MCP socket is an error, a daemon that serves there is a note and is not disturbed")
    func served() throws {
        let stage = try Stage()
        let listener = try StrangeListener("\(stage.path)/m.sock", .closesAtOnce)
        try stage.expect(
            "error: mcp_socket: another program listens on \(stage.path)/m.sock", "fuser -v ", isUsable: false)
        listener.stop()
        #expect(try stage.check().result.succeeded)
        unlink("\(stage.path)/m.sock")

        let log = JSON.string("\(stage.path)/audit.log")
        let daemon = try RunningDaemon(config: stage.mine.merging(["audit_log": log]))
        defer { daemon.stop() }
        let lines = daemon.logRecords().count
        let reload = try stage.expect(
            "note: mcp_socket: claude-ssh-daemon (process \(daemon.pid)) serves ", isUsable: true, ["audit_log": log])
        #expect(daemon.logRecords().count == lines, "nobody connected")
        try Self.paste(reload)
        try daemon.waitForLog("config reloaded")
        // Another one has that audit log.
        let other: JSON = ["audit_log": log, "mcp_socket": .string("\(stage.path)/n.sock")]
        try stage.expect(
            "error: audit_log: another claude-ssh-daemon (process \(daemon.pid)) writes to", isUsable: false, other)
    }

    @Test("an audit log that could not be opened is told")
    func auditLog() throws {
        let stage = try Stage()
        let log = stage.path + "/log/audit.log"
        let audited: JSON = ["audit_log": .string(log)]
        try Self.paste(
            try stage.expect("error: audit_log: the directory of \(log), ", "does not exist", isUsable: false, audited))
        #expect(try stage.check(audited).result.succeeded)
        #expect(access(log, F_OK) != 0)
        guard !isRoot else { return }
        #expect(chmod(stage.path + "/log", 0o500) == 0)
        try Self.paste(
            try stage.expect("error: audit_log: the directory of \(log), ", "takes no file", isUsable: false, audited))
        try Self.paste("echo '{}' > \(log); chmod 400 \(log)")
        let mend = try stage.expect("error: audit_log: \(log) cannot be ", isUsable: false, audited)
        try Self.paste(mend.components(separatedBy: ", or").first ?? "")
        #expect(try stage.check(audited).result.succeeded)
    }

    @Test("sockets of hosts that others can take, and directories for transfers that are missing, are warned of")
    func directories() throws {
        let stage = try Stage()
        let open = stage.path + "/open"
        try Self.paste("mkdir \(open)")
        let entry = try Remote.shared().hostEntry.merging(["socket": .string(open + "/s.sock")])
        let hosts: JSON = ["hosts": ["box": entry]]
        #expect(chmod(open, 0o777) == 0)
        try Self.paste(
            try stage.expect("warning: hosts.box.socket: others can write to \(open)", isUsable: true, hosts))
        #expect(try stage.check(hosts).lines.allSatisfy { !$0.hasPrefix("warning: hosts.box.socket") })
        #expect(chmod(open, 0o1777) == 0)
        try stage.expect(
            "warning: hosts.box.socket: everybody can make files in \(open)", "$XDG_RUNTIME_DIR", isUsable: true, hosts)
        let root = stage.path + "/work"
        let roots: JSON = ["local_roots": [.string(root)]]
        try Self.paste(try stage.expect("warning: local_roots[0]: \(root) does not exist", isUsable: true, roots))
        #expect(try stage.check(roots).lines.allSatisfy { !$0.hasPrefix("warning: local_roots") })
        let above = stage.path + "/above"
        try Self.paste("ln -s / \(above)")
        try stage.expect("error: local_roots[0]: restricts nothing", isUsable: false, ["local_roots": [.string(above)]])
        try stage.expect(
            "warning: hosts.box.host: \"server.example.com\" is the name", isUsable: true,
            ["hosts": ["box": ["host": "server.example.com"]]])
        try stage.expect(
            "warning: hosts.box.host: \"h:2222\" is no address", "\"port\": 2222", isUsable: true,
            ["hosts": ["box": ["host": "h:2222"]]])
        try stage.expect("warning: port: unknown key, ignored; it is hosts.NAME.port.", isUsable: true, ["port": 22])
    }

    @Test(
        "programs that are missing, cannot be executed or lack a library, and what ends early, are told with their path"
    )
    func programs() throws {
        let stage = try Stage()
        let place = try TemporaryDirectory(readableByAll: true)
        let folder = try BuiltBinaries.folder()
        let daemon = try place.copyProgram("\(folder)/\(BuiltBinaries.daemonName)", as: BuiltBinaries.daemonName)
        func put(_ name: String, _ script: String?) throws {
            unlink(place.file(name))
            if let script {
                try place.writeProgram(name, "#!/bin/sh\n\(script)\n")
            } else {
                try place.copyProgram("\(folder)/\(name)", as: name)
            }
        }
        let names = [BuiltBinaries.workerName, BuiltBinaries.gateName, BuiltBinaries.fileBrokerName]
        let (missing, lines) = try stage.check(program: daemon)
        #expect(missing.status == .exited(2))
        for name in names {
            #expect(
                lines.contains {
                    $0.contains("\(name) is missing") && $0.contains(place.file(name)) && $0.contains("install")
                }, "\(missing.outputText)")
        }
        for name in names { try put(name, nil) }
        #expect(try stage.check(program: daemon).result.succeeded)
        for name in names {
            let isNeeded = name != BuiltBinaries.fileBrokerName
            let weight = isNeeded ? "error" : "warning"
            if isNeeded {
                #expect(chmod(place.file(name), 0o644) == 0)
                try Self.paste(
                    try stage.expect("error: \(place.file(name)) cannot be executed", isUsable: false, program: daemon))
                #expect(try stage.check(program: daemon).result.succeeded)
            }
            try put(
                name, "echo '\(name): error while loading shared libraries: libre2.so.9: cannot open' >&2; exit 127")
            let ldd = try stage.expect(
                "\(weight): \(place.file(name)): ", "libre2.so.9", isUsable: !isNeeded, program: daemon)
            #expect(ldd == "ldd \(place.file(name))")
            try put(name, "echo no >&2; exit 3")
            try stage.expect(
                "\(weight): \(place.file(name)): ", "could not confine itself (no)", isUsable: !isNeeded,
                program: daemon)
            try put(name, "echo odd >&2; exit 9")
            try stage.expect(
                "\(weight): \(place.file(name)): ", "exit status 9 (odd)", isUsable: !isNeeded, program: daemon)
            try put(name, nil)
        }
    }

    @Test("ControlMasters that are down, hang or are none are told with what opens them anew, within seconds")
    func masters() throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            let stage = try Stage()
            let path = remote.master.socketPath
            let away = stage.path + "/none/s"
            let garbage = stage.path + "/garbage.sock"
            let listener = try StrangeListener(garbage, .garbage)
            defer { listener.stop() }
            func host(_ socket: String) -> JSON { remote.hostEntry.merging(["socket": .string(socket)]) }
            let hosts: JSON = ["hosts": ["box": host(path), "away": host(away), "odd": host(garbage)]]
            try #require(remote.master.pid != nil)
            _ = remote.master.pid.map { kill($0, SIGSTOP) }
            let start = ContinuousClock.now
            let lines = try stage.check(hosts).lines
            #expect(ContinuousClock.now - start < .seconds(30))
            _ = remote.master.pid.map { kill($0, SIGCONT) }
            func line(_ start: String, _ words: String...) {
                #expect(
                    lines.count { line in line.hasPrefix(start) && words.allSatisfy(line.contains) } == 1,
                    "\(start): \(lines)")
            }
            line(
                "warning: hosts.box.socket: what listens at \(path) does not answer",
                "fuser -k \(path); rm -f \(path); ssh -M -S \(path)")
            line(
                "note: hosts.away.socket: no ControlMaster is up at \(away); run: mkdir -p -m 700 ",
                " && ssh -M -S \(away) -fN ")
            line("warning: hosts.odd.socket: what listens at \(garbage) is no ControlMaster", "fuser -v \(garbage)")
            #expect(try remote.master.isAlive(), "it was only asked")
            #expect(try stage.check(hosts).lines.allSatisfy { !$0.contains("hosts.box.socket: what") })
            remote.master.stop()
            let down = try stage.check(hosts).lines.filter {
                $0.hasPrefix("note: hosts.box.socket: no ControlMaster is up")
            }
            #expect(down.count == 1 && down.first?.contains("ServerAliveInterval=15") == true)
            try Self.paste("rm -f \(path); echo x > \(path)")
            try stage.expect("error: hosts.box.socket: \(path) exists and is not a socket", isUsable: false, hosts)
        }
    }

    @Test("forty hosts are asked at once, and a socket of another user is not used")
    func many() throws {
        let stage = try Stage()
        let listener = try StrangeListener(stage.path + "/silent.sock", .saysNothing)
        defer { listener.stop() }
        let shared = try Remote.shared()
        var hosts: [String: JSON] = [:]
        for number in 0..<40 {
            let socket = number < 8 ? stage.path + "/silent.sock" : shared.master.socketPath
            hosts["h\(number)"] = shared.hostEntry.merging(["socket": .string(socket)])
        }
        let (result, lines) = try stage.check(["hosts": .object(hosts)])
        #expect(result.status == .exited(0), "\(result.outputText)")
        #expect(lines.count { $0.contains("silent.sock does not answer") } == 8, "\(result.outputText)")
        #expect(lines.last?.hasSuffix("usable, 41 hosts") == true)
        guard isRoot else { return }
        chown(stage.path + "/silent.sock", stranger, stranger)
        let other = try stage.check([
            "hosts": ["box": shared.hostEntry.merging(["socket": .string(stage.path + "/silent.sock")])]
        ]).lines
        #expect(other.contains { $0.hasPrefix("warning: hosts.box.socket: ") }, "\(other)")
    }

    @Test(
        "a file system that does not answer is told with where it is mounted, and all else is looked at",
        .enabled(if: HangingFileSystem.isAvailable, "a file system that hangs takes root and /dev/fuse"),
        arguments: ["local_roots", "mcp_socket", "config"])
    func hanging(key: String) throws {
        let stage = try Stage(["local_roots": ["/tmp"]])
        let files = try HangingFileSystem()
        defer { files.unmount() }
        var overrides: JSON = [:]
        switch key {
        case "local_roots": overrides = ["local_roots": [.string(files.path + "/w"), "/nonexistent/w"]]
        case "audit_log": overrides = ["audit_log": .string(files.path + "/log/a")]
        case "mcp_socket": overrides = ["mcp_socket": .string(files.path + "/d/m.sock")]
        case "hosts":
            overrides = try [
                "hosts": ["other": Remote.shared().hostEntry.merging(["socket": .string(files.path + "/d/s")])]
            ]
        default: break
        }
        if key == "config" {
            try files.put("config.json", String(decoding: stage.mine.encoded(), as: UTF8.self))
            files.hang()
            let start = ContinuousClock.now
            let result = try runDaemonCommand(["check", "--config", files.path + "/config.json"])
            #expect(result.status == .exited(2) && ContinuousClock.now - start < .seconds(30))
            #expect(
                result.outputText.contains("no answer in 10 s")
                    && result.outputText.contains("mounted at \(files.path):"), "\(result.outputText)")
            return
        }
        files.hang()
        let start = ContinuousClock.now
        let (result, lines) = try stage.check(overrides)
        #expect(ContinuousClock.now - start < .seconds(90))
        #expect(result.status == .exited(2))
        let told = lines.first { $0.contains("no answer in ") } ?? ""
        #expect(
            told.hasPrefix("error: ") && told.contains(key) && told.contains("umount -l \(files.path)"),
            "\(result.outputText)")
        if key == "local_roots" {
            #expect(
                lines.contains { $0.hasPrefix("warning: local_roots[1]: /nonexistent/w does not exist") },
                "\(result.outputText)")
        }
        // The steps behind it were done: one that a file system does not hold up has nothing to tell.
        #expect(
            lines.last == "\(stage.config): not usable, \(lines.count { $0.hasPrefix("error: ") }) error"
                + (lines.count { $0.hasPrefix("error: ") } == 1 ? "" : "s"))
    }
}
