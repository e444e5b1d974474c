import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// The audit log as a file: how it is opened, rotated, kept and checked.
@Suite struct AuditFileTests {
    private static func call(_ client: MCPClient, _ command: String) throws {
        let result = try client.callTool("ssh_exec", ["command": .string(command)])
        #expect(!result.isError, "\(result)")
    }

    @Test("the file is 0600, and written by appending alone")
    func mode() throws {
        let trail = try AuditTrail()
        let daemon = try Remote.shared().startDaemon(trail.config)
        defer { daemon.stop() }
        var status = stat()
        #expect(stat(trail.path, &status) == 0 && status.st_mode & 0o7777 == 0o600)
        let folder = "/proc/\(daemon.pid)/fd"
        let numbers = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")) == trail.path
        }
        #expect(numbers.count == 1)
        let info = try String(contentsOfFile: "/proc/\(daemon.pid)/fdinfo/\(numbers[0])", encoding: .utf8)
        let flags = info.split(separator: "\n").first { $0.hasPrefix("flags:") }.flatMap {
            Int32($0.dropFirst(6).trimmingCharacters(in: .whitespaces), radix: 8)
        }
        #expect(try #require(flags) & O_APPEND != 0)
    }

    @Test("what is no file of the user's alone ends the start, and says why")
    func refused() throws {
        let trail = try AuditTrail()
        let target = try trail.directory.write("target", "")
        symlink(target, trail.directory.file("link"))
        mkfifo(trail.directory.file("fifo"), 0o600)
        try trail.directory.write("open", "", mode: 0o666)
        var cases = [
            ("link", "symlink"), ("fifo", "regular file"), ("open", "open to others"),
            ("none/audit.log", "does not exist"),
        ]
        if geteuid() == 0 {
            let path = try trail.directory.write("foreign", "")
            chown(path, 65_534, 65_534)
            cases.append(("foreign", "belongs to uid 65534"))
        }
        let remote = try Remote.shared()
        for (name, word) in cases {
            let path = trail.directory.file(name)
            let runtime = try TemporaryDirectory()
            let config = remote.config([
                "audit_log": .string(path), "mcp_socket": .string(runtime.file("mcp.sock")),
            ])
            let (status, log) = try runDaemonExpectingFailure(config: config)
            #expect(status == .exited(1))
            #expect(log.contains("audit_log: ") && log.contains(word) && log.contains(path), "\(log)")
            #expect(access(runtime.file("mcp.sock"), F_OK) != 0, "no socket is left")
        }
        #expect(try Data(contentsOf: URL(filePath: target)).isEmpty)
    }

    @Test(
        "HUP after a rotation opens a new file, also under a config that has become wrong; the chain goes through all")
    func rotation() throws {
        let trail = try AuditTrail()
        let remote = try Remote.shared()
        let daemon = try remote.startDaemon(trail.config)
        defer { daemon.stop() }
        let client = try daemon.connect()
        try Self.call(client, "echo one")
        _ = try trail.waitForCalls(1)
        rename(trail.path, trail.directory.file("audit.log.2"))
        try Self.call(client, "echo two")
        try waitUntil("the old file goes on until HUP") { try trail.calls("audit.log.2").count == 2 }
        var start = daemon.logRecords().count
        daemon.signal(SIGHUP)
        try daemon.waitForLog("config reloaded", from: start)
        try Self.call(client, "echo three")
        #expect(try trail.waitForCalls(1).count == 1)
        var status = stat()
        #expect(stat(trail.path, &status) == 0 && status.st_mode & 0o7777 == 0o600)

        rename(trail.path, trail.directory.file("audit.log.1"))
        try daemon.rewriteConfig(["limits": ["sessions_per_host": 0]])
        start = daemon.logRecords().count
        daemon.signal(SIGHUP)
        try daemon.waitForLog("config not reloaded", from: start)
        try Self.call(client, "echo four")
        #expect(try trail.waitForCalls(1).last?["what"]?["command"] == "echo four")

        let files = ["audit.log.2", "audit.log.1", "audit.log"]
        #expect(try trail.verify(files).succeeded)
        #expect(try files.flatMap { try trail.calls($0) }.count == 4)
        let wrong = try trail.verify(["audit.log.1", "audit.log.2", "audit.log"])
        #expect(wrong.status == .exited(1), "another order is another chain")
        // copytruncate, the other way to rotate: no HUP.
        let bytes = try Data(contentsOf: URL(filePath: trail.path))
        try trail.directory.write("audit.log.0", bytes)
        truncate(trail.path, 0)
        try Self.call(client, "echo five")
        #expect(try trail.waitForCalls(1).count == 1)
        #expect(try trail.verify(files.dropLast() + ["audit.log.0", "audit.log"]).succeeded)
    }

    @Test("HUP turns the audit on and off, and a file that cannot be used leaves the old config in force")
    func reload() throws {
        let trail = try AuditTrail()
        let remote = try Remote.shared()
        let daemon = try remote.startDaemon()
        defer { daemon.stop() }
        let client = try daemon.connect()
        func reload(_ overrides: JSON, _ message: String) throws {
            let start = daemon.logRecords().count
            try daemon.rewriteConfig(remote.config(overrides))
            daemon.signal(SIGHUP)
            try daemon.waitForLog(message, from: start)
        }
        try Self.call(client, "echo before")
        // The record of a call comes after its answer: one that came after the reload would be in the file.
        try daemon.waitForLog("call") { $0["what"]?["command"] == "echo before" }
        try reload(trail.config, "config reloaded")
        try Self.call(client, "echo on")
        #expect(try trail.waitForCalls(1).last?["what"]?["command"] == "echo on")
        symlink("/dev/null", trail.directory.file("link"))
        try reload(["audit_log": .string(trail.directory.file("link"))], "config not reloaded")
        try Self.call(client, "echo still")
        #expect(try trail.waitForCalls(2).last?["what"]?["command"] == "echo still")
        try reload([:], "config reloaded")
        try Self.call(client, "echo off")
        try daemon.waitForLog("call") { $0["what"]?["command"] == "echo off" }
        #expect(try trail.calls().count == 2)
    }

    @Test(
        "a full disk holds up no call; what was lost is counted in the file once there is room, and the chain holds",
        .enabled(if: isRoot, "only root can mount a file system"))
    func fullDisk() throws {
        let trail = try AuditTrail()
        let small = trail.directory.file("small")
        mkdir(small, 0o700)
        try runSuccessfully(findProgram("mount"), ["-t", "tmpfs", "-o", "size=64k,mode=700", "none", small])
        defer { _ = try? run("/bin/umount", ["-l", small]) }
        try withDaemon(["audit_log": .string("\(small)/audit.log")]) { daemon, client in
            try Self.call(client, "echo before")
            try waitUntil("the first line") { try trail.calls("small/audit.log").count == 1 }
            try Data(count: 60 << 10).write(to: URL(filePath: "\(small)/filler"))
            // A page of the file still has room; lines of this size have none.
            let padding = String(repeating: "x", count: 3000)
            for number in 0..<5 { try Self.call(client, "echo \(number) # \(padding)") }
            let complaint = try daemon.waitForLog("audit log: a record could not be written; calls go on")
            #expect(complaint["error"] == "No space left on device")
            let calls = daemon.logRecords().filter { $0["msg"] == "call" }
            #expect(calls.count == 6, "the daemon's log has them all")
            let told = daemon.logRecords().filter { $0["msg"] == "call" || $0["msg"] == "gate" }
            #expect(told.count == 12, "and what its gate let through")
            let lost = told.filter { $0["hash"] == nil }.count
            #expect(lost > 0)
            unlink("\(small)/filler")
            try Self.call(client, "echo after")
            try waitUntil("a line after that") {
                try trail.calls("small/audit.log").last?["what"]?["command"] == "echo after"
            }
            let records = try trail.records("small/audit.log")
            let counts = records.compactMap { $0["event"] == "lost" ? $0["records"]?.int : nil }
            #expect(counts.reduce(0, +) == lost)
            #expect(records.count == 15 - lost + counts.count)
            #expect(try trail.verify(["small/audit.log"]).succeeded)
        }
    }

    @Test(
        "verify finds a line that was changed, removed, moved or added, and with a hash from the journal a missing end")
    func tampering() throws {
        let trail = try AuditTrail()
        var last = ""
        try withDaemon(trail.config) { daemon, client in
            for number in 0..<5 { try Self.call(client, "echo \(number)") }
            last = try daemon.waitForLog("call") { $0["what"]?["command"] == "echo 4" }["hash"]?.string ?? ""
        }
        let lines = try String(contentsOfFile: trail.path, encoding: .utf8).split(separator: "\n").map(String.init)
        #expect(lines.count == 11, "each call has a line, and what its gate let through")
        let intact = try trail.verify(last: last)
        #expect(intact.succeeded && intact.outputText.hasPrefix("11 lines, chain intact"), "\(intact.outputText)")
        func verdict(_ lines: [String], last: String? = nil) throws -> String {
            try trail.directory.write("copy", lines.map { $0 + "\n" }.joined())
            let result = try trail.verify(["copy"], last: last)
            #expect((result.status == .exited(1)) != result.outputText.contains("intact"))
            return result.outputText
        }
        var changed = lines
        changed[3] = changed[3].replacing("echo 1", with: "echo 9")
        #expect(try verdict(changed).contains("line 5: does not follow the line before it"))
        #expect(try verdict(lines.enumerated().filter { $0.offset != 3 }.map(\.element)).contains("line 4: "))
        var moved = lines
        moved.swapAt(2, 3)
        #expect(try verdict(moved).contains("line 3: "))
        #expect(try verdict(lines + [lines[10]]).contains("line 12: "))
        #expect(try verdict(Array(lines.dropLast())).contains("intact"), "no chain can tell what is missing at its end")
        #expect(try verdict(Array(lines.dropLast()), last: last).contains("missing at the end"))
    }

    @Test("the audit log is no local file for transfers, whatever local_roots says")
    func outOfReach() throws {
        let (trail, place) = (try AuditTrail(), try Place())
        try place.write("forged", "{}\n")
        let config: JSON = [
            "safeguards": ["allow_overwrite": true],
            "local_roots": [.string(trail.directory.path), .string(trail.path)],
        ]
        try withDaemon(config.merging(trail.config)) { _, client in
            for name in ["audit.log", "audit.log.1"] {
                let result = try client.callTool(
                    "ssh_download_file",
                    [
                        "local_path": .string(trail.directory.file(name)),
                        "remote_path": .string(place.file("forged")),
                    ])
                #expect(result.isError && result.text.contains("audit_log"), "\(result)")
            }
            #expect(try trail.waitForCalls(2).last?["rule"] == "local_roots")
            #expect(try trail.verify().succeeded)
        }
    }
}
