import CLinux
import Foundation
import Glibc
import IPC
import TestSupport
import Testing

/// A hostile worker asks its gate, and the supervisor, for what needs a call, a right or an assignment that it does not have.
///
/// Shown elsewhere: a call that was left out or has ended, for command, files, forward and errand, and another command than the one
/// that was written down (`GateAuditTests`); more access than the policy gives (`HijackedFilesTests`); what an `ssh` can ask where
/// the transport is `ssh` (`SSHTransportTests`).
@Suite struct WorkerGateAttackTests {
    private static let files = FileAccess(writes: true, base: nil)

    /// A nonce that the gate takes, see `Puppet.marked`.
    private static let own = Nonce.make(marked: Puppet.unmarked)
    private var own: String { Self.own }

    /// Everything that can be asked of a gate.
    private static func requests(_ call: UInt32) throws -> [(name: String, request: GateRequest)] {
        let command = Puppet.command("true", call: call)
        guard let (judge, exec) = command.requests else { throw HarnessError("a long command") }
        return [
            ("whether the master lives", .alive(host: "box")), ("the same of no host", .alive(host: "nobody")),
            ("files", .sftp(host: "box", files, call: call)),
            ("files of no host", .sftp(host: "nobody", files, call: call)),
            ("files over a shell", .shell(host: "box", .requests, call: call)),
            (
                "content over a shell",
                .shell(host: "box", .content(nonce: Nonce.make(), path: Array("/tmp/x".utf8), offset: 0), call: call)
            ),
            ("judge a command", judge), ("run a command", exec),
            ("judge a forward", .judgeForward(host: "box", target: .tcp(host: "127.0.0.1", port: 9), call: call)),
            (
                "stop a command of another gate",
                .errand(host: "box", .stop([ObserverID(processID: 99, nonce: Nonce.make())]))
            ),
            ("stop nothing", .errand(host: "box", .stop([]))),
            ("sweep lines of another gate", .errand(host: "box", .sweep(nonces: [Nonce.make()]))),
            ("probe the host", .errand(host: "box", .probe(nonce: own))),
            ("try its shell", .errand(host: "box", .trial(nonce: own))),
            ("question the host", .errand(host: "box", .question)),
            ("judge a forward to a Unix socket", .judgeForward(host: "box", target: .unix(path: "/s"), call: call)),
            ("ask who is there", .errand(host: "box", .identity(nonce: own))),
            ("ask who is there, with the nonce of another gate", .errand(host: "box", .identity(nonce: Nonce.make()))),
        ]
    }

    private static func ask(_ puppet: Puppet, _ call: UInt32) throws -> [String] {
        try requests(call).map { _, request in
            request.descriptorCount == 3 ? try puppet.tryOpen(request) : try puppet.ask(request)
        }
    }

    @Test("each request to the gate, in each state of the conversation and of the call that it is for")
    func states() throws {
        let stage = try AttackStage(["hosts": ["box": ["file_transport": .null]]])
        defer { stage.stop() }
        let table = AttackTable(
            "A worker asks its gate: before a call, in one, when it has ended, when all is off, when its client has gone"
        )
        let expected: [String] = [
            "alive, alive, alive, alive, alive",
            "down: noHost, down: noHost, down: noHost, down: noHost, down: noHost",
            "refused: call, opened, refused: call, refused: fileAccess, opened",
            "not opened: down(IPC.MasterDown.noHost), not opened: down(IPC.MasterDown.noHost), not opened: down(IPC.MasterDown.noHost), not opened: down(IPC.MasterDown.noHost), not opened: down(IPC.MasterDown.noHost)",
            "refused: call, opened, refused: call, refused: fileAccess, opened",
            "refused: call, opened, refused: call, refused: fileAccess, opened",
            "alive, alive, alive, refused: capability, alive",
            "refused: call, opened, refused: call, refused: capability, opened",
            "allowed, allowed, allowed, refused: capability, allowed",
            "refused: errand, refused: errand, refused: errand, refused: errand, refused: errand",
            "refused: errand, refused: errand, refused: errand, refused: errand, refused: errand",
            "refused: errand, refused: errand, refused: errand, refused: errand, refused: errand",
            "refused: call, opened, opened, refused: errand, opened",
            "refused: call, opened, opened, refused: errand, opened",
            "refused: call, opened, opened, opened, opened",
            "refused: forward_allowlist, refused: forward_allowlist, refused: forward_allowlist, refused: capability, refused: forward_allowlist",
            "refused: call, opened, opened, refused: errand, opened",
            "refused: errand, refused: errand, refused: errand, refused: errand, refused: errand",
        ]
        var columns: [[String]] = []
        let seen = try stage.hijack { puppet in
            columns.append(try Self.ask(puppet, 1))
            try puppet.begin()
            columns.append(try Self.ask(puppet, 1))
            try puppet.end()
            columns.append(try Self.ask(puppet, 1))
            try puppet.begin(2)
            try stage.reload([
                "capabilities": ["exec": false, "file_read": false, "file_write": false, "port_forward": false]
            ])
            columns.append(try Self.ask(puppet, 2))
            try stage.reload([:])
            return try stage.verdict(puppet)
        }
        let gone = try stage.puppet()
        try gone.takePlace()
        try gone.begin()
        gone.client.closeAbruptly()
        let next = try stage.daemon.connect()
        #expect(try next.callTool("ssh_exec", ["command": "echo on"])["stdout"] == "on\n")
        columns.append(try Self.ask(gone, 1))
        gone.leave()
        next.closeAbruptly()
        for (index, (name, _)) in try Self.requests(1).enumerated() {
            table.row(name, expected[index]) { columns.map { $0[index] }.joined(separator: ", ") }
        }
        table.row("that worker", "lives") { seen }
        table.row("afterwards: sessions on the host", "none") { stage.sessionsLeft() + stage.aftermath() }
        table.finish()
    }

    @Test("sessions, calls, forwards and processes that are not the worker's")
    func others() throws {
        let stage = try AttackStage(["hosts": ["box": ["forward_allowlist": ["127.0.0.1:9", "unix:/run/listed.sock"]]]])
        defer { stage.stop() }
        let table = AttackTable("A worker reaches for what is not its own")
        let outside = "ended: it sent its gate words of no command"
        let request = GateRequest.sftp(host: "box", Self.files, call: Puppet.call)

        table.row("a session with the number of one that it has", "ended: it gave a session the number of another one")
        {
            try stage.hijack { puppet in
                try puppet.begin()
                let first = try puppet.open(request, 8)
                guard first.answer == "opened" else { return first.answer }
                let (theirs, _, _, _) = try puppet.pipes()
                try puppet.gate?.say(request, 8, theirs)
                for descriptor in theirs { close(descriptor) }
                return try stage.verdict(puppet)
            }
        }
        table.row("closes sessions that it never had", "lives") {
            try stage.hijack { puppet in
                for id in 0..<500 as Range<UInt32> { try puppet.gate?.say(GateRequest.close, id) }
                return try stage.verdict(puppet)
            }
        }
        table.row(
            "a ticket, where the transport is not ssh",
            "ended: it asked its gate for a session by another transport than the config's"
        ) {
            try stage.hijack { puppet in
                try puppet.begin()
                try puppet.gate?.say(GateRequest.ticket(TicketRequest(request)), 5)
                return try stage.verdict(puppet)
            }
        }
        table.row("words, and then another request", outside) {
            try stage.hijack { puppet in
                try puppet.gate?.say(GateRequest.words("/\u{0}"), 5)
                return try stage.verdict(puppet)
            }
        }
        table.row("more words than a command can have", outside) {
            try stage.hijack { puppet in
                let part = String(repeating: "x", count: Frame.maximumText)
                for _ in 0..<5 { try puppet.gate?.say(GateRequest.words(part), 5) }
                return try stage.verdict(puppet)
            }
        }
        let bad: [(String, GateRequest)] = [
            ("a command without an end", .exec(host: "box", seconds: 1, nonce: own, words: "\u{0}id", call: 1)),
            (
                "a command without a directory",
                .exec(host: "box", seconds: 1, nonce: own, words: "id\u{0}", call: 1)
            ),
            (
                "a nonce with a quote",
                .exec(host: "box", seconds: 1, nonce: "abcd'; id; '", words: "\u{0}id\u{0}", call: 1)
            ),
            (
                "a nonce without the mark of the gate",
                .exec(host: "box", seconds: 1, nonce: Nonce.make(), words: "\u{0}id\u{0}", call: 1)
            ),
            ("a nonce of no bytes", .exec(host: "box", seconds: 1, nonce: "", words: "\u{0}id\u{0}", call: 1)),
            ("no time at all", .exec(host: "box", seconds: 0, nonce: own, words: "\u{0}id\u{0}", call: 1)),
            (
                "longer than a day",
                .exec(host: "box", seconds: 86_401, nonce: own, words: "\u{0}id\u{0}", call: 1)
            ),
            (
                "a variable without a name",
                .exec(host: "box", seconds: 1, nonce: own, words: "\u{0}true\u{0}=x\u{0}", call: 1)
            ),
            (
                "a variable that is a command",
                .exec(host: "box", seconds: 1, nonce: own, words: "\u{0}true\u{0}a;id=x\u{0}", call: 1)
            ),
            (
                "a variable with a newline",
                .exec(host: "box", seconds: 1, nonce: own, words: "\u{0}true\u{0}a\nid\n=x\u{0}", call: 1)
            ),
            (
                "a variable twice",
                .exec(host: "box", seconds: 1, nonce: own, words: "\u{0}true\u{0}A=x\u{0}A=y\u{0}", call: 1)
            ),
        ]
        for (name, request) in bad {
            table.row(name, outside) {
                try stage.hijack { puppet in
                    try puppet.begin()
                    let (theirs, _, _, _) = try puppet.pipes()
                    try puppet.gate?.say(puppet.marked(request), 5, theirs)
                    for descriptor in theirs { close(descriptor) }
                    return try stage.verdict(puppet)
                }
            }
        }
        table.row("a call that has the number of one that is open", "ended: it spoke of a call out of turn") {
            try stage.hijack { puppet in
                try puppet.begin()
                let again = AuditCall(tool: "ssh_exec", host: "box", fields: [])
                try puppet.supervisor.say(ToSupervisor.audit(.begin(again)), Puppet.call)
                return try stage.verdict(puppet)
            }
        }
        table.row("a call that reads a file, for a command", "ran: x; the log says: echo x") {
            try stage.hijack { puppet in
                try puppet.begin(tool: "ssh_read_file")
                let ran = try puppet.run(Puppet.command("echo x"))
                let line = try stage.trail.records().last { $0["event"] == "gate" }
                let said = ran.contains("x") ? "ran: x" : ran
                return "\(said); the log says: \(line?["what"]?["command"]?.string ?? "nothing")"
            }
        }
        table.row("stops a process of the host that no command of its gate began", "refused: errand; it lives") {
            let victim = try ChildProcess("/bin/sleep", ["600"])
            defer { victim.stop() }
            return try stage.hijack { puppet in
                try puppet.begin()
                let nonces = [Nonce.make(), "aaaaaaaa", "00000000", own]
                let answers = try nonces.map { nonce in
                    try puppet.tryOpen(
                        .errand(host: "box", .stop([ObserverID(processID: UInt32(victim.pid), nonce: nonce)])))
                }
                return Set(answers).sorted().joined(separator: ", ")
                    + (victim.status == nil ? "; it lives" : "; it is dead")
            }
        }
        table.row("the same with the nonce of a command of its own", "it lives") {
            let victim = try ChildProcess("/bin/sleep", ["600"])
            defer { victim.stop() }
            return try stage.hijack { puppet in
                try puppet.begin()
                let command = Puppet.command("true")
                _ = try puppet.run(command)
                let session = try puppet.open(
                    .errand(host: "box", .stop([ObserverID(processID: UInt32(victim.pid), nonce: command.nonce)])))
                guard session.answer == "opened" else { return session.answer }
                puppet.drop(session.input)
                _ = try Puppet.readAll(session.output)
                return victim.status == nil ? "it lives" : "it is dead"
            }
        }
        table.row("129 sessions", "128 opened, then: not opened: down(IPC.MasterDown.unavailable(errno: 24))") {
            try stage.hijack { puppet in
                try puppet.begin()
                var opened = 0
                while opened < 200 {
                    let session = try puppet.open(request)
                    guard session.answer == "opened" else { return "\(opened) opened, then: \(session.answer)" }
                    opened += 1
                }
                return "\(opened) opened"
            }
        }
        table.row("a host's files by a name with another case", "not opened: down(IPC.MasterDown.noHost)") {
            try stage.hijack { puppet in
                try puppet.begin()
                return try puppet.tryOpen(.sftp(host: "BOX", Self.files, call: 1))
            }
        }
        Self.forwards(stage, table)
        table.row("afterwards: sessions on the host", "none") { stage.sessionsLeft() }
        table.finish()
    }

    /// Forwards that nobody assigned, or of somebody else.
    private static func forwards(_ stage: AttackStage, _ table: AttackTable) {
        func ask(_ puppet: Puppet, _ message: ToSupervisor.Forwards) throws -> String {
            let id = puppet.newRequest()
            try puppet.supervisor.say(ToSupervisor.forwards(message), id)
            return try puppet.supervisor.hear(ToWorker.self) { word, answered, _ in
                guard answered == id, case .forwards(let word) = word else { return nil }
                switch word {
                case .running: return "running"
                case .closed: return "closed"
                case .list(let entries): return "\(entries.count)"
                case .refused(let why):
                    return "refused: \(why)".replacing("IPC.", with: "").prefix { $0 != "(" }.description
                }
            } ?? "the supervisor has gone"
        }
        func request(_ target: String, _ port: UInt16, host: String = "box", local: UInt16 = 0, call: UInt32 = 1)
            -> ToSupervisor.Forwards
        { .request(host: host, target: .tcp(host: target, port: port), localPort: local, call: call) }
        let port = UInt16((try? freePort()) ?? 0)
        func socket(_ path: String) -> ToSupervisor.Forwards {
            .request(host: "box", target: .unix(path: path), localPort: 0, call: 1)
        }
        let refused: [(String, ToSupervisor.Forwards, String)] = [
            ("one to a Unix socket that the policy does not list", socket("/run/docker.sock"), "refused: notAllowed"),
            ("one to the parent of a listed one", socket("/run"), "refused: notAllowed"),
            ("one to another spelling of a listed one", socket("/run//listed.sock"), "refused: notAllowed"),
            ("one to a path that is none", socket("run/listed.sock"), "refused: noTarget"),
            ("one with an end that C reads", socket("/run/listed.sock\0x"), "refused: noTarget"),
            ("one with a second route in its path", socket("/run/listed.sock:1:h:2"), "refused: noTarget"),
            ("a forward that the policy does not list", request("127.0.0.1", 22), "refused: notAllowed"),
            ("one to a metadata service", request("169.254.169.254", 80), "refused: notAllowed"),
            ("one to another name of the same", request("localhost", 9), "refused: notAllowed"),
            ("one to a Unix socket", request("/tmp/agent.sock", 9), "refused: noTarget"),
            (
                "one to a Unix socket, spelt as a port that ssh knows", request("/tmp/agent.sock", 65_534),
                "refused: noTarget"
            ),
            ("one with an option of ssh in its target", request("-oProxyCommand=id", 9), "refused: noTarget"),
            ("one with a second route in its target", request("127.0.0.1:9 -R 1:h:2", 9), "refused: noTarget"),
            ("one to port 0", request("127.0.0.1", 0), "refused: noTarget"),
            ("one through a host that there is not", request("127.0.0.1", 9, host: "nobody"), "refused: notAllowed"),
            ("one for a call that has not begun", request("127.0.0.1", 9, call: 2), "refused: noCall"),
            (
                "the end of a forward that there is not", .cancel(forward: 4711, localPort: 0, host: ""),
                "refused: noSuchForward"
            ),
            (
                "the end of one by a port of somebody else", .cancel(forward: 0, localPort: 22, host: ""),
                "refused: noSuchForward"
            ),
        ]
        for (name, message, expected) in refused {
            table.row(name, "\(expected); nothing listens") {
                try stage.hijack { puppet in
                    try puppet.begin()
                    let answer = try ask(puppet, message)
                    return "\(answer); " + (try ask(puppet, .list) == "0" ? "nothing listens" : "a forward is there")
                }
            }
        }
        table.row(
            "the end of an allowed one by the number of another host", "running, refused: noSuchForward, closed"
        ) {
            try stage.hijack { puppet in
                try puppet.begin()
                let made = try ask(puppet, request("127.0.0.1", 9, local: port))
                let wrong = try ask(puppet, .cancel(forward: 0, localPort: port, host: "nobody"))
                return "\(made), \(wrong), \(try ask(puppet, .cancel(forward: 0, localPort: port, host: "box")))"
            }
        }
    }

    // MARK: Floods, silence and early ends

    @Test("floods of the gate, a worker that takes no answers, and ends in the middle hold up nobody")
    func floods() throws {
        let stage = try AttackStage()
        defer { stage.stop() }
        let table = AttackTable("A worker floods its gate, is silent, or ends early")
        /// As many as are taken in a second, without a look at the answers.
        func flood(_ puppet: Puppet, _ packets: [GateRequest]) throws {
            let encoded = try packets.map { try $0.encoded(requestID: 9) }
            let end = ContinuousClock.now + .seconds(1)
            while ContinuousClock.now < end {
                for packet in encoded where puppet.gate?.send(packet, flags: Int32(MSG_DONTWAIT)) == EAGAIN {
                    usleep(1000)
                }
            }
        }
        guard let command = Puppet.command("rm -r /tmp/csd-x").requests else { return }
        let kinds: [(String, [GateRequest])] = [
            ("questions whether the master lives", [.alive(host: "box")]),
            ("commands to judge that are refused", [command.judge]),
            ("forwards to judge", [.judgeForward(host: "box", target: .tcp(host: "169.254.169.254", port: 80))]),
            (
                "words and their command",
                [.words("/"), .judge(host: "box", seconds: 1, nonce: own, words: "\u{0}id\u{0}")]
            ),
            ("closes", [.close]),
        ]
        for (name, packets) in kinds {
            table.row("\(name), without end and unread, for a second", "held back; the log is bounded") {
                let before = stage.daemon.logSize
                let seen = try stage.hijack { puppet in
                    try puppet.begin()
                    try flood(puppet, packets)
                    return "held back"
                }
                let grown = stage.daemon.logSize - before
                return seen + (grown < 512 << 10 ? "; the log is bounded" : "; \(grown) bytes of log")
            }
        }
        table.row("600 local files at once", "not ended; each is answered") {
            try stage.hijack { puppet in
                for id in 1...600 as ClosedRange<UInt32> {
                    try puppet.supervisor.say(ToSupervisor.files(.open(path: "/tmp/csd-no-such-file")), id)
                }
                var answered = Set<UInt32>()
                _ = try puppet.supervisor.hear(ToWorker.self) { message, id, _ in
                    switch message {
                    case .files(.answered), .files(.failed): answered.insert(id)
                    case .files, .life, .audit, .forwards: break
                    }
                    return answered.count == 600 ? true : nil
                }
                return answered.count == 600 ? "not ended; each is answered" : "\(answered.count) answered"
            }
        }
        table.row("gets the place and says nothing at all", "the client goes, and the next one is served") {
            try stage.hijack { _ in "the client goes, and the next one is served" }
        }
        table.row("ends before it is ready", "the next one is served") {
            let puppet = try stage.puppet()
            puppet.leave()
            // The client is told why, by another worker.
            try puppet.client.waitForEOF(timeout: .seconds(60))
            return try stage.hijack { _ in "the next one is served" }
        }
        table.finish()
    }
}
