import FoundationEssentials
import IPC
import Testing

@testable import Supervisor

@Suite("Open calls")
struct OpenCallsTests {
    private static let client = AuditClient(connection: 3, pid: 100, uid: 1000, executable: "/usr/bin/socat")
    private static let listing = AuditCall(
        tool: "ssh_exec", host: "box",
        fields: [
            .init(.env, "B"), .init(.command, "ls"), .init(.cwd, "/"), .init(.env, "A"), .init(.remotePort, "443"),
        ])

    private func outcome(_ rule: String = "", _ ending: AuditOutcome.Ending = .ok, code: Int32? = nil) -> AuditOutcome {
        AuditOutcome(rule: rule, ending: ending, exitCode: code, bytesIn: 1, bytesOut: 2)
    }

    @Test func `a call's records say who, what and how, in an order that stays`() {
        var calls = OpenCalls(client: Self.client)
        let who = #""client_pid":100,"client_uid":1000,"client_executable":"/usr/bin/socat","#
        let what =
            #""tool":"ssh_exec","host":"box","what":{"command":"ls","cwd":"/","env":["B","A"],"remote_port":443}"#
        #expect(calls.begin(7, Self.listing, now: 1000) == #""connection":3,"begun":1,"# + who + what)
        #expect(
            calls.end(7, outcome(code: -1), now: 1034)?.members
                == #""event":"call","connection":3,"call":1,\#(who)\#(what),"verdict":"allowed","#
                + #""outcome":"ok","exit_code":-1,"bytes_in":1,"bytes_out":2,"duration_ms":34"#)
    }

    @Test(arguments: [
        (AuditOutcome.Ending.ok, "ok"), (.error, "error"), (.timeout, "timeout"), (.cancelled, "cancelled"),
    ])
    func `every ending has its word`(ending: AuditOutcome.Ending, word: String) {
        var calls = OpenCalls(client: Self.client)
        _ = calls.begin(1, Self.listing, now: 0)
        #expect(
            calls.end(1, outcome("", ending), now: 0)?.members.contains(#""outcome":"\#(word)","bytes_in""#) == true)
    }

    @Test func `a refusal names its rule`() {
        var calls = OpenCalls(client: Self.client)
        _ = calls.begin(1, Self.listing, now: 0)
        let end = calls.end(1, outcome("base_dir", .error), now: 0)
        #expect(end?.members.contains(#","verdict":"refused","rule":"base_dir","outcome":"refused","#) == true)
    }

    @Test func `what was called is told as it was at the beginning, and each call ends once`() {
        var calls = OpenCalls(client: Self.client)
        _ = calls.begin(1, Self.listing, now: 0)
        #expect(calls.begin(1, AuditCall(tool: "x", host: "", fields: []), now: 0) == nil, "its number is taken")
        #expect(calls.end(2, outcome(), now: 0) == nil)
        #expect(calls.end(1, outcome(), now: 0)?.members.contains(#""command":"ls""#) == true)
        #expect(calls.end(1, outcome(), now: 0) == nil)
    }

    @Test func `records count from 1 on without a gap, in the order in which the calls end`() {
        var calls = OpenCalls(client: Self.client)
        for key in [40, 7, 1000] as [UInt32] { _ = calls.begin(key, Self.listing, now: 0) }
        let records = [7, 1000, 40].map { calls.end($0, outcome(), now: 1) }
        for (index, record) in records.enumerated() {
            #expect(record?.members.hasPrefix(#""event":"call","connection":3,"call":\#(index + 1),"#) == true)
        }
        #expect(records.map { $0?.order } == [2, 3, 1], "the daemon's log tells which beginning it was")
        #expect(calls.begin(7, Self.listing, now: 2)?.hasPrefix(#""connection":3,"begun":4,"#) == true)
        #expect(calls.end(7, outcome(), now: 3)?.members.contains(#","call":4,"#) == true)
    }

    @Test func `a worker that ends leaves a record for every call that was open`() {
        var calls = OpenCalls(client: Self.client)
        for number in 1...3 { _ = calls.begin(UInt32(number), Self.listing, now: 0) }
        _ = calls.end(2, outcome(), now: 1)
        calls.abandon("it was \"killed\"")
        let left = [calls.nextLeft(now: 50), calls.nextLeft(now: 50)].compactMap(\.self)
        #expect(left.map(\.order) == [1, 3])
        #expect(left[0].members.contains(#""call":2,"#) && left[1].members.contains(#""call":3,"#))
        for record in left {
            #expect(record.members.hasSuffix(#","outcome":"unknown","reason":"it was \"killed\"","duration_ms":50"#))
            #expect(!record.members.contains("verdict"))
        }
        #expect(calls.nextLeft(now: 60) == nil)
    }

    @Test func `a worker may not have calls without end`() {
        var calls = OpenCalls(client: Self.client)
        for number in 0..<1024 { #expect(calls.begin(UInt32(number), Self.listing, now: 0) != nil) }
        #expect(calls.begin(5000, Self.listing, now: 0) == nil)
        _ = calls.end(1, outcome(), now: 0)
        #expect(calls.begin(5000, Self.listing, now: 0) != nil)
    }

    @Test(arguments: ["x", "\u{1}", "\"", "漢", "\u{202E}", "\u{E0041}", "\u{9B}"])
    func `whatever a worker fills a call with, its record fits a line and is JSON`(filling: String) throws {
        let long = String(repeating: filling, count: 10_000)
        let fields = AuditKey.allCases.flatMap { key in
            (0..<(key == .env ? 31 : 1)).map { _ in AuditCall.Field(key, long) }
        }
        var calls = OpenCalls(client: Self.client)
        let begun = calls.begin(1, AuditCall(tool: long, host: long, fields: fields), now: 0)
        let ended = calls.end(1, outcome(long), now: 0)
        let (begin, end) = (try #require(begun), try #require(ended?.members))
        for members in [begin, end] {
            let line = AuditChain.line(after: AuditChain.beginning, #""time":"\#(Log.timestamp())",\#(members)"#)
            #expect(line.count <= AuditChain.maximumLine)
            #expect(AuditChain.isObject(line) && AuditChain.previous(of: line[...]) == AuditChain.beginning)
            #expect(line.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
            #expect(members.contains("[cut, "))
        }
    }

    @Test func `what could deceive a reader on a terminal is escaped, and comes back`() throws {
        let text = "a\"\\\n\t\r\u{0}\u{1B}[2J\u{7F}\u{85}\u{9B}\u{200B}\u{202E}\u{2028}\u{FEFF}\u{E0041}é漢🧑‍🧒"
        let quoted = Log.quoted(text)
        #expect(try JSONDecoder().decode(String.self, from: Data(quoted.utf8)) == text)
        #expect(
            quoted.hasPrefix(
                #""a\"\\\n\t\u000d\u0000\u001b[2J\u007f\u0085\u009b\u200b\u202e\u2028\ufeff\udb40\udc41é漢"#))
    }
}
