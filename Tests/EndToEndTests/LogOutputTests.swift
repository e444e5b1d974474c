import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// The daemon's log as a person, the journal of systemd and a program get it.
@Suite struct LogOutputTests {
    /// A daemon whose standard error is this.
    private final class Started {
        let directory: TemporaryDirectory
        let process: ChildProcess
        var socket: String { directory.file("mcp.sock") }

        init(
            stderr: Int32, _ arguments: [String] = [], environment: [String: String] = [:], overrides: JSON = [:]
        ) throws {
            directory = try TemporaryDirectory()
            let mine: JSON = ["mcp_socket": .string(directory.file("mcp.sock"))]
            let config = try directory.write("config.json", Remote.shared().config(mine).merging(overrides).encoded())
            process = try ChildProcess(
                BuiltBinaries.folder() + "/\(BuiltBinaries.daemonName)", ["--config", config] + arguments,
                environment: ChildProcess.plainEnvironment.merging(
                    ["HOME": directory.path, "XDG_RUNTIME_DIR": directory.path]
                ) { $1 }.merging(environment) { $1 }, stderr: .fd(stderr))
        }

        deinit { process.stop() }

        func waitForListening() throws {
            try waitUntil("it to listen") {
                if let status = process.status { throw HarnessError("it ended: \(status)") }
                // The socket is there before it listens. The kernel lists it with the flag __SO_ACCEPTCON then, proc_net(5).
                let sockets = try String(contentsOfFile: "/proc/net/unix", encoding: .utf8)
                return sockets.split(separator: "\n").contains {
                    $0.hasSuffix(" \(socket)") && $0.contains(" 00010000 ")
                }
            }
        }

        func end() throws {
            process.signal(SIGTERM)
            #expect(try process.waitForExit() == .exited(0))
        }
    }

    @Test(
        "a terminal gets readable lines, with colors unless they are not wanted, and the start tells what is served",
        arguments: [(["TERM": "xterm"], true), (["TERM": "xterm", "NO_COLOR": "1"], false), (["TERM": "dumb"], false)])
    func terminal(environment: [String: String], hasColor: Bool) throws {
        let terminal = try Terminal()
        let remote = try Remote.shared()
        let odd = "b\u{202E}x"
        let started = try Started(
            stderr: terminal.end, environment: environment,
            overrides: [
                "hosts": ["box": remote.hostEntry, odd: ["socket": "/nonexistent/s", "user": "u", "host": "h"]]
            ])
        try started.waitForListening()
        let client = try MCPClient(socket: started.socket)
        try client.initialize()
        #expect(try client.callTool("ssh_exec", ["command": "printf '\\033[2J'; echo on"])["exit_code"] == 0)
        client.closeAbruptly()
        try started.end()
        let text = terminal.text()
        let lines = text.split(separator: "\r\n")
        #expect(text.contains("\u{1B}[") == hasColor, "\(text.debugDescription)")
        let plain = ["0", "2", "33", "1;31"].reduce(text) { $0.replacing("\u{1B}[\($1)m", with: "") }
        #expect(!plain.contains("\u{1B}") && !plain.contains("\u{202E}"))
        let listening = plain.split(separator: "\r\n").first { $0.contains(" INFO  listening  ") } ?? ""
        #expect(
            listening.contains("config=\(started.directory.file("config.json")) ")
                && listening.contains(#"hosts=[box, "b\u202ex"]"#)
                && listening.contains("capabilities=[exec, file_read, file_write, port_forward]")
                && listening.contains("version=") && listening.contains("kernel=")
                && listening.contains("landlock_abi="),
            "\(plain)")
        #expect(
            plain.split(separator: "\r\n").contains { $0.contains(" INFO  call  ") && $0.contains("what.command=") })
        #expect(lines.count > 4 && !plain.contains("{\"time\""))
    }

    @Test("systemd's journal gets the JSON behind its priority")
    func journal() throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
        let reader = FileHandle(fileDescriptor: ends[0], closeOnDealloc: true)
        var status = stat()
        try #require(fstat(ends[1], &status) == 0)
        let started = try Started(
            stderr: ends[1], environment: ["JOURNAL_STREAM": "\(status.st_dev):\(status.st_ino)", "TERM": "xterm"],
            overrides: ["local_roots": .null])
        close(ends[1])
        try started.waitForListening()
        try started.end()
        let lines = String(decoding: try reader.readToEnd() ?? Data(), as: UTF8.self).split(separator: "\n")
        #expect(lines.count >= 3)
        for line in lines {
            let record = try JSON(parsing: Data(line.dropFirst(3).utf8))
            let priority = ["INFO": "<6>", "WARN": "<4>", "ERROR": "<3>"][record["level"]?.string ?? ""]
            #expect(line.prefix(3) == priority ?? "", "\(line)")
        }
        #expect(lines.contains { $0.hasPrefix("<6>") && $0.contains(#""msg":"listening""#) })
        #expect(lines.contains { $0.hasPrefix("<4>") && $0.contains(#""msg":"local files""#) })
    }

    @Test("--log-level leaves out what is less severe; another word is refused with those that there are")
    func level() throws {
        let wide: JSON = ["sandbox": ["require_landlock": false], "audit_log": .null]
        func log(_ level: String) throws -> String {
            let directory = try TemporaryDirectory()
            let file = open(try directory.write("log", ""), O_RDWR | O_APPEND | O_CLOEXEC)
            defer { close(file) }
            let started = try Started(stderr: file, ["--log-level", level], overrides: wide)
            try started.waitForListening()
            try started.end()
            return try String(contentsOfFile: directory.file("log"), encoding: .utf8)
        }
        let info = try log("info")
        #expect(info.contains(#""msg":"listening""#) && info.contains("require_landlock is false"))
        #expect(!info.contains("calls are written down nowhere"))
        let warning = try log("WARNING")
        #expect(!warning.contains(#""level":"INFO""#) && warning.contains("require_landlock is false"), "\(warning)")
        #expect(warning.contains("calls are written down nowhere"))
        #expect(try log("error") == "")
        let wrong = try runDaemonCommand(["--log-level", "debug"])
        #expect(wrong.status == .exited(64) && wrong.errorText.contains("warning"), "\(wrong.errorText)")
    }

    @Test("a terminal that nobody reads holds up nothing, and what was lost is counted later")
    func stuckTerminal() throws {
        let terminal = try Terminal()
        let started = try Started(stderr: terminal.end, environment: ["TERM": "dumb"])
        try started.waitForListening()
        let client = try MCPClient(socket: started.socket)
        try client.initialize()
        // Each call makes lines of some hundred bytes; a terminal has room for a few thousand.
        let long = String(repeating: "x", count: 3000)
        for number in 0..<20 {
            let result = try client.callTool("ssh_exec", ["command": .string("echo \(number) # \(long)")])
            #expect(result["stdout"] == .string("\(number)\n"))
        }
        #expect(!terminal.text().contains("log lines lost"))
        #expect(try client.callTool("ssh_exec", ["command": "echo read"])["stdout"] == "read\n")
        client.closeAbruptly()
        try waitUntil("the count of lost lines: \(terminal.text())") {
            terminal.text().contains("log lines lost  count=")
        }
        try started.end()
    }
}
