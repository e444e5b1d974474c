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
                == #""event":"call","connection":3,"call":1,"begun":1,"word_of":"worker",\#(who)\#(what),"verdict":"allowed","#
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

    @Test func `a call that had no place is a record of the client alone, in the numbers of the others`() {
        var calls = OpenCalls(client: Self.client)
        _ = calls.begin(1, Self.listing, now: 0)
        let record = calls.refusedForPlace()
        #expect(
            record.members
                == #""event":"call","connection":3,"call":1,"begun":2,"word_of":"supervisor","client_pid":100,"client_uid":1000,"#
                + #""client_executable":"/usr/bin/socat","verdict":"refused","rule":"place","outcome":"refused""#)
        #expect(record.order == 2)
        #expect(calls.end(1, outcome(), now: 0)?.members.contains(#""call":2,"#) == true)
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

    private func report(_ call: UInt32, _ subject: GateReport.Subject) -> GateReport {
        GateReport(host: "box", call: call, subject)
    }

    @Test func `what a gate let through or refused has a line, with the call that it was for`() {
        var calls = OpenCalls(client: Self.client)
        _ = calls.begin(40, Self.listing, now: 0)
        _ = calls.begin(7, Self.listing, now: 0)
        let command = GateReport(
            GateCommand(
                host: "box", command: "id", directory: "/srv", environment: ["B": "secret", "A": "secret"], seconds: 1,
                nonce: "abcd1234", call: 7))
        let head = #""event":"gate","connection":3,"begun":2,"word_of":"gate","host":"box","what":"#
        #expect(
            calls.told(command, refusedBy: nil)
                == head + #"{"session":"command","command":"id","cwd":"/srv","env":["A","B"]},"verdict":"allowed""#)
        #expect(
            calls.told(command, refusedBy: .execAllowlist).hasSuffix(
                #""verdict":"refused","rule":"exec_allowlist""#))
        #expect(
            calls.told(report(7, .files(writes: true)), refusedBy: nil)
                == head + #"{"session":"files","writing":true},"verdict":"allowed""#)
        let forward = GateReport.Subject.forward([.init(.remoteHost, "db"), .init(.remotePort, "5432")])
        #expect(
            calls.told(report(7, forward), refusedBy: .forwardAllowlist)
                == head
                + #"{"forward":"open","remote_host":"db","remote_port":5432},"verdict":"refused","rule":"forward_allowlist""#
        )
        // An errand is for no call.
        #expect(
            calls.told(report(7, .errand(.stop)), refusedBy: nil).contains(#""what":{"session":"stop"}"#))
    }

    @Test func `what came of an order about a forward has a line, as its gate saw it`() {
        let calls = OpenCalls(client: Self.client)
        let route = ForwardRoute(
            master: Master(socket: "/s", user: "u", address: "h"), localPort: 20_000,
            target: .tcp(host: "db", port: 5432)
        )
        let what = #""local_port":20000,"remote_host":"db","remote_port":5432},"#
        let cases: [(ForwardOrder, ForwardOutcome, String)] = [
            (
                .open(host: "box", route), .opened(masterPID: 7),
                #"open",\#(what)"verdict":"allowed","outcome":"opened""#
            ),
            (.close(route), .closed, #"close",\#(what)"verdict":"allowed","outcome":"closed""#),
            (.open(host: "box", route), .unknown, #"open",\#(what)"verdict":"allowed","outcome":"unknown""#),
            (
                .open(host: "box", route), .notAllowed(.forwardAllowlist),
                #"open",\#(what)"verdict":"refused","rule":"forward_allowlist""#
            ),
        ]
        for (order, outcome, end) in cases {
            #expect(
                calls.told(outcome, of: order, for: 4, host: "box")
                    == #""event":"gate","connection":3,"begun":4,"word_of":"gate","host":"box","what":{"forward":""#
                    + end)
        }
        #expect(!calls.told(.closed, of: .close(route), for: nil, host: "box").contains("begun"))
    }

    @Test func `nothing opens for a call that has not begun or has ended, but a line of the gate's own after one`() {
        var calls = OpenCalls(client: Self.client)
        let subjects: [GateReport.Subject] = [.command([]), .files(writes: false), .forward([])]
        func admitted(_ call: UInt32) -> [Bool] { subjects.map { calls.admits(report(call, $0)) } }
        #expect(admitted(1) == [false, false, false] && !calls.admits(report(1, .errand(.question))))
        _ = calls.begin(1, Self.listing, now: 0)
        #expect(admitted(1) == [true, true, true] && admitted(2) == [false, false, false])
        #expect(calls.order(of: 1) == 1 && calls.order(of: 2) == nil)
        _ = calls.end(1, outcome(), now: 1)
        #expect(admitted(1) == [false, false, false] && calls.order(of: 1) == nil)
        #expect(calls.admits(report(0, .errand(.stop))))
        _ = calls.begin(2, Self.listing, now: 0)
        calls.abandon("it crashed")
        #expect(admitted(2) == [false, false, false])
    }

    @Test(arguments: ["x", "\u{1}", "漢", "\u{202E}"])
    func `whatever a gate is asked for, its line fits and is JSON`(filling: String) {
        let long = String(repeating: filling, count: 10_000)
        let names = (0..<100).map { "V\($0)" + String(repeating: "x", count: 200) }
        let calls = OpenCalls(client: Self.client)
        let fields = [AuditCall.Field(.command, long), .init(.cwd, long)] + AuditCall.Field.variables(names)
        let members = calls.told(
            GateReport(host: String(repeating: "h", count: 100), call: 1, .command(fields)), refusedBy: .execAllowlist)
        let line = AuditChain.line(after: AuditChain.beginning, #""time":"\#(Log.timestamp())",\#(members)"#)
        #expect(line.count <= AuditChain.maximumLine && AuditChain.isObject(line))
        #expect(members.contains("[cut, "))
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
        let quoted = LogText.quoted(text)
        #expect(try JSONDecoder().decode(String.self, from: Data(quoted.utf8)) == text)
        #expect(
            quoted.hasPrefix(
                #""a\"\\\n\t\u000d\u0000\u001b[2J\u007f\u0085\u009b\u200b\u202e\u2028\ufeff\udb40\udc41é漢"#))
    }
}
