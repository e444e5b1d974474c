import CLinux
import Glibc
import TestSupport
import Testing

@testable import Supervisor

@Suite("What a line of the log looks like")
struct LogFormatTests {
    /// Text as hostile as a host can send it: a second line with a priority of its own, a sequence that clears the screen, another
    /// direction, what is not seen, and the end of a JSON string.
    private static let hostile =
        "a\n<0>{\"level\":\"ERROR\"}\r\u{1B}[2J\u{9B}2J\u{202E}b\u{2066}\u{200B}\u{FE0F}\u{E0041}\u{3164}\u{2028}c\", \"x\":\"\u{7F} d=e"

    private static let formats: [LogFormat] = [
        .json, .journal, .terminal(hasColor: false), .terminal(hasColor: true),
    ]

    private static func line(_ format: LogFormat, _ fields: [(key: String, value: LogValue)]) -> String {
        LogStyle(format: format).line(.warning, "worker said", fields)
    }

    /// Without what the line paints itself.
    private static func unpainted(_ line: String) -> String {
        ["0", "2", "33", "1;31"].reduce(line) { $0.replacing("\u{1B}[\($1)m", with: "") }
    }

    @Test(arguments: formats)
    func `hostile text stays within its value, and nothing of it reaches a terminal`(format: LogFormat) {
        let members = "\"connection\":1,\"what\":{\"command\":\(LogText.quoted(Self.hostile))}"
        for line in [
            Self.line(format, [("text", .text(Self.hostile))]),
            Self.line(format, [("hosts", .list(["a", Self.hostile]))]),
            Self.line(format, [(Self.hostile, .number(1))]),
            LogStyle(format: format).line(.info, "call", members: members),
        ] {
            #expect(line.hasSuffix("\n"))
            let seen = Self.unpainted(line).dropLast()
            #expect(seen.unicodeScalars.allSatisfy { (0x20...0x7E).contains($0.value) }, "\(line.debugDescription)")
            #expect(line.contains("\\u001b[2J") && line.contains("\\u009b2J") && line.contains("\\u202e"), "\(line)")
            #expect(line.contains("\\n<0>"), "\(line)")
        }
    }

    @Test func `the journal gets a priority in front of the same JSON`() {
        for (level, priority) in [(LogLevel.info, 6), (.warning, 4), (.error, 3)] {
            let line = LogStyle(format: .journal).line(level, "stopped", [("socket", "/s")])
            #expect(line.hasPrefix("<\(priority)>{\"time\":\""))
            #expect(line.hasSuffix("\"level\":\"\(level.rawValue)\",\"msg\":\"stopped\",\"socket\":\"/s\"}\n"))
        }
        let json = LogStyle(format: .json).line(.info, "stopped", [("socket", "/s"), ("hosts", .list(["a", "b"]))])
        #expect(
            json.hasPrefix("{\"time\":\"")
                && json.hasSuffix("\"msg\":\"stopped\",\"socket\":\"/s\",\"hosts\":[\"a\",\"b\"]}\n"))
    }

    @Test func `a terminal gets time, level, words and fields`() throws {
        let style = LogStyle(format: .terminal(hasColor: false))
        let line = style.line(
            .error, "cannot start", [("path", "/etc/x"), ("error", "it is so"), ("none", ""), ("n", 7)])
        let fixed = try Regex(
            #"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ERROR cannot start  path=/etc/x error="it is so" none="" n=7\n"#)
        #expect(try fixed.wholeMatch(in: line) != nil, "\(line)")
        let call = style.line(
            .info, "call",
            members: #""connection":4,"what":{"command":"git log","env":["A","B C"]},"ok":true,"x":null,"s":"a,b""#)
        #expect(
            call.hasSuffix(
                #"INFO  call  connection=4 what.command="git log" what.env=[A, "B C"] ok=true x=null s="a,b""# + "\n"),
            "\(call)")
        #expect(style.line(.info, "reaped", []).hasSuffix(" INFO  reaped\n"))
        let painted = LogStyle(format: .terminal(hasColor: true)).line(.error, "cannot start", [("path", "/etc/x")])
        #expect(painted.contains("\u{1B}[1;31mERROR\u{1B}[0m cannot start  \u{1B}[2mpath=\u{1B}[0m/etc/x\n"))
    }

    @Test func `a level leaves out what is less severe`() {
        let levels = LogLevel.allCases
        for (index, wanted) in levels.enumerated() {
            let style = LogStyle(format: .json, level: wanted)
            #expect(levels.filter(style.shows) == Array(levels[index...]))
            #expect(LogLevel(name: wanted.name) == wanted && LogLevel(name: wanted.name.uppercased()) == wanted)
        }
        #expect(LogLevel(name: "debug") == nil && LogLevel(name: "") == nil)
    }

    @Test func `the format is that of what standard error is`() throws {
        let directory = try TemporaryDirectory()
        let file = open(try directory.write("log", ""), O_RDWR | O_CLOEXEC)
        defer { close(file) }
        var status = stat()
        #expect(fstat(file, &status) == 0)
        let stream = "\(status.st_dev):\(status.st_ino)"
        #expect(LogFormat.fitting(file, environment: [:]) == .json)
        #expect(LogFormat.fitting(file, environment: ["JOURNAL_STREAM": stream]) == .journal)
        // What a service of systemd has started, and what writes elsewhere.
        for other in [
            "\(status.st_dev):\(status.st_ino + 1)", "1:\(status.st_ino)", "", ":", "\(stream):", "x:y",
            "\(status.st_dev)",
        ] {
            #expect(LogFormat.fitting(file, environment: ["JOURNAL_STREAM": other]) == .json, "\(other)")
        }
        let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        defer { close(terminal) }
        try #require(isatty(terminal) == 1)
        for (environment, hasColor) in [
            (["TERM": "xterm"], true), (["TERM": "xterm", "NO_COLOR": ""], true),
            (["TERM": "xterm", "NO_COLOR": "1"], false),
            (["TERM": "dumb"], false), (["TERM": ""], false), ([:], false),
            (["TERM": "xterm", "JOURNAL_STREAM": stream], true),
        ] {
            #expect(
                LogFormat.fitting(terminal, environment: environment) == .terminal(hasColor: hasColor), "\(environment)"
            )
        }
    }

    @Test func `a log without the calls, which nothing else has, is warned of`() throws {
        let none = try config(single(#""client_wait_seconds": 1"#))
        let some = try config(single(#""audit_log": "/var/log/a""#))
        #expect(Startup.callsProblem(none, LogStyle(level: .warning))?.contains("audit_log is not set") == true)
        #expect(Startup.callsProblem(none, LogStyle()) == nil)
        #expect(Startup.callsProblem(some, LogStyle(level: .error)) == nil)
    }

    @Test func `a start tells config, hosts, what they may do, and the versions`() throws {
        func facts(_ json: String) throws -> String {
            LogStyle().line(.info, "listening", try config(json).facts(at: "/c.json") + Startup.versions)
        }
        let all = #""capabilities": {"exec": true, "file_read": true}"#
        let two = try facts(multi(#""capabilities": {"exec": false}"#, top: all))
        #expect(
            two.contains(
                #""config":"/c.json","hosts":["a","b"],"capabilities":["exec","file_read"],"narrower":["a: file_read"]"#
            ))
        #expect(two.contains(#""version":""#) && two.contains(#""kernel":""#) && two.contains(#""landlock_abi":"#))
        #expect(try facts(single(all)).contains(#""hosts":["default"],"capabilities":["exec","file_read"],"version""#))
        let host = #""socket": "/s", "user": "u", "host": "h""#
        let many = (0..<300).map { "\"h\($0)\": {\(host)}" }.joined(separator: ",")
        let line = try facts(#"{"mcp_socket": "/m", "default_host": "h1", "hosts": {\#(many)}}"#)
        #expect(line.contains(#""and 280 more"],"capabilities":[]"#) && line.utf8.count < 1000, "\(line)")
    }
}
