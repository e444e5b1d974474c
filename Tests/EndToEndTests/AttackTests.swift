import AttackProbe
import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// The hijacked worker: what a hostile program tries that has got into the place of the worker, or of its `ssh`, under the real daemon
/// and beside the real gate. `Tests/Attack/Probe` has the attempts. Each test prints a table of them, as what was tried, what is
/// expected and what was seen.
@Suite struct AttackTests {
    private static let ssh: JSON = ["transport": "ssh"]

    @Test("under the worker's confinement: nothing but what it was given")
    func worker() throws {
        let scene = try Scene()
        let workers = try FakeWorkers(["attack"])
        let daemon = try Remote.shared().startDaemon([:], workers.options)
        defer { daemon.stop() }
        let client = attack_connect(daemon.socketPath)
        try #require(client >= 0)
        defer { close(client) }
        // The gate starts when the client has the place, and the worker tells nobody of it.
        try Self.send("\n", to: client)
        let gate = try waitFor("the gate") { daemon.gates().first }
        try Self.send(scene.facts(of: daemon, gate: gate.pid) + "end\n", to: client)
        let report = workers.directory.file("report")
        let table = try ProbeTable(reading: report) { "\(daemon.logText())" }
        table.check("the worker, which executes nothing", atLeast: 200)
        scene.check()
        #expect(daemon.status == nil && daemon.gates().map(\.pid) == [gate.pid])
    }

    @Test("in the place of ssh: what it connects leads to the gate, and nothing else is reached")
    func inPlaceOfSSH() throws {
        let scene = try Scene()
        let place = try Place()
        let daemon = try Self.startDaemon(["table"])
        defer { daemon.stop() }
        let client = try daemon.connect()
        let gate = try waitFor("the gate") { daemon.gates().first }
        // The host says the facts, and keeps the report.
        let report = place.file("report")
        let facts = try scene.facts(of: daemon, gate: gate.pid) + "end"
        let call = try client.beginTool(
            "ssh_exec", ["command": .string("echo '\(facts)'; cat >\(report)"), "timeout_seconds": 60])
        let table = try ProbeTable(reading: report) { "\(daemon.logText())" }
        table.check("in the place of ssh, with \"transport\": \"ssh\"", atLeast: 180)
        scene.check()
        let result = try call.waitForTool(timeout: .seconds(60))
        #expect(result["exit_code"] == 0, "\(result)")
        #expect(daemon.status == nil && daemon.gates().map(\.pid) == [gate.pid])
    }

    @Test("in the place of ssh: what no session needs ends the worker, by the gate's word")
    func atTheGate() throws {
        let names = (0..<attack_gate_count()).map { "m\($0)" }
        let daemon = try Self.startDaemon(names)
        defer { daemon.stop() }
        var table = ProbeTable()
        for number in 0..<attack_gate_count() {
            let expected = "killed: \(String(cString: attack_gate_reason(number)))"
            let before = daemon.logCount(of: Self.workerEnded)
            let client = try daemon.connect()
            defer { client.closeAbruptly() }
            // It lasts longer than what is tried while its session is open.
            let call = try client.beginTool("ssh_exec", ["command": "sleep 5", "host": .string("m\(number)")])
            try waitUntil("\(expected), in\n\(daemon.logText())", timeout: .seconds(60)) {
                daemon.logCount(of: Self.workerEnded) > before || call.isAnswered
            }
            let hasEnded = daemon.logCount(of: Self.workerEnded) > before
            let seen = try hasEnded ? Self.lastEnd(of: daemon) : "an answer: \(call.waitForTool())"
            table.add(String(cString: attack_gate_name(number)), expected, seen)
            // Its own end is no word about the next one.
            client.closeAbruptly()
            try waitUntil("the end of the worker") { daemon.logCount(of: Self.workerEnded) > before }
        }
        table.check("in the place of ssh, to the gate as its ControlMaster", atLeast: 80)
    }

    @Test("a ticket of another connection ends the worker, and one whose request is over opens nothing")
    func tickets() throws {
        var table = ProbeTable()
        let remote = try Remote.shared()
        let daemon = try Self.startDaemon(["silent", "late"])
        defer { daemon.stop() }

        let late = try daemon.connect()
        let worker = try daemon.waitForWorker()
        func name() -> String? {
            ProcessTable().processes(inGroup: worker.pid).map(\.comm).first { $0.hasPrefix("late: ") }
        }
        let call = try late.beginTool("ssh_exec", ["command": "true", "host": "late"])
        _ = try waitFor("who has the ticket") { name() == "late: waits" ? true : nil }
        try late.cancel(call)
        let word = try waitFor("what came of it") { name().flatMap { $0 == "late: waits" ? nil : $0 } }
        table.add("a ticket whose request is over", "late: refused", word)
        // An honest ssh can be late, too.
        #expect(daemon.workerPIDs() == [worker.pid])

        _ = try late.beginTool("ssh_exec", ["command": "true", "host": "silent"])
        let ticket = try waitFor("the ticket") {
            ProcessTable().children(of: worker.pid).first {
                $0.arguments.dropLast().last?.hasSuffix("@silent") == true
            }?
            .arguments.last
        }
        let start = daemon.logRecords().count
        late.closeAbruptly()
        try daemon.waitForLog("worker ended", from: start)
        try daemon.rewriteConfig(
            remote.config(try Self.config(["x\(ticket)"])).merging(["mcp_socket": .string(daemon.socketPath)]))
        daemon.signal(SIGHUP)
        try daemon.waitForLog("config reloaded", from: start)
        let other = try daemon.connect()
        defer { other.closeAbruptly() }
        let again = daemon.logRecords().count
        _ = try other.beginTool("ssh_exec", ["command": "true", "host": "x\(ticket)"])
        let ended = try daemon.waitForLog("worker ended", from: again)
        table.add(
            "a ticket of another connection",
            "killed: its ssh showed a ticket that was not given for this, or was used before",
            ended["how"]?.string ?? "\(ended)")
        table.check("tickets of others", atLeast: 2)
    }

    @Test("what is no pipe is given to no host, whichever stream it is for")
    func descriptors() throws {
        let kinds = (0..<attack_kind_count())
        let workers = try FakeWorkers(kinds.map { "give \($0) \($0 % 3)" })
        let daemon = try Remote.shared().startDaemon(["transport": "mux"], workers.options)
        defer { daemon.stop() }
        var table = ProbeTable()
        for kind in kinds {
            let start = daemon.logRecords().count
            let client = try daemon.connect(initialize: false)
            defer { client.closeAbruptly() }
            _ = try client.begin("ping")
            let ended = try daemon.waitForLog("worker ended", from: start)
            table.add(
                "a session's \(["input", "output", "error"][kind % 3]) is \(String(cString: attack_kind_name(kind)))",
                "killed: it gave a session a descriptor that is no pipe", ended["how"]?.string ?? "\(ended)")
        }
        table.check("the worker, to its gate", atLeast: 19)
    }

    // MARK: The place

    private static let workerEnded = #""msg":"worker ended""#

    /// How the last worker ended. The log is long: it is read once.
    private static func lastEnd(of daemon: RunningDaemon) -> String {
        daemon.logRecords().last { $0["msg"] == "worker ended" }?["how"]?.string ?? "no word"
    }

    /// A daemon that executes the probe in the place of `ssh`, for hosts of these names and addresses.
    private static func startDaemon(_ addresses: [String]) throws -> RunningDaemon {
        try Remote.shared().startDaemon(config(addresses))
    }

    private static func config(_ addresses: [String]) throws -> JSON {
        let remote = try Remote.shared()
        let hosts = addresses.map { ($0, remote.hostEntry.merging(["host": .string($0)])) }
        return ssh.merging([
            "ssh_path": .string(try probe.get().file("attack")), "default_host": .string(addresses[0]),
            "hosts": .object(["box": .null].merging(hosts) { $1 }),
        ])
    }

    private static let probe = Result {
        let place = try TemporaryDirectory(readableByAll: true)
        try place.copyProgram("\(BuiltBinaries.folder())/FakeSSH", as: "attack")
        return place
    }

    private static func send(_ text: String, to descriptor: Int32) throws {
        let bytes = Array(text.utf8)
        try #require(write(descriptor, bytes, bytes.count) == bytes.count)
    }
}

/// What stands around a worker that must not be reached: who listens, and what can be read.
private final class Scene {
    private let directory: TemporaryDirectory
    private let listeners: [(name: String, descriptor: Int32)]
    private let port: UInt16
    private let other: ChildProcess

    init() throws {
        let directory = try TemporaryDirectory()
        try directory.write("key", "a private key")
        try directory.write("file", "content", mode: 0o666)
        try #require(symlink("key", directory.file("link")) == 0)
        var port: UInt16 = 0
        let (stream, packets) = (Int32(SOCK_STREAM.rawValue), Int32(SOCK_SEQPACKET.rawValue))
        var listeners = ["agent", "bus", "container", "tmux"].map { ($0, attack_listener(stream, directory.file($0))) }
        listeners.append(("seqpacket", attack_listener(packets, directory.file("seqpacket"))))
        listeners.append(("datagram", attack_listener(Int32(SOCK_DGRAM.rawValue), directory.file("datagram"))))
        listeners.append(("abstract", attack_listener(stream, "@\(directory.path)")))
        listeners.append(("TCP", attack_tcp_listener(&port)))
        let failed = listeners.filter { $0.1 < 0 }
        try #require(failed.isEmpty, "\(failed)")
        self.directory = directory
        self.listeners = listeners
        self.port = port
        other = try ChildProcess(findProgram("sleep"), ["3600"])
    }

    deinit {
        for listener in listeners { close(listener.descriptor) }
        other.stop()
    }

    /// What `attack_run` takes.
    func facts(of daemon: RunningDaemon, gate: pid_t) throws -> String {
        let master = try Remote.shared().master.socketPath
        return """

            dir \(directory.path)
            abstract \(directory.path)
            mcp \(daemon.socketPath)
            master \(master)
            config \(daemon.configFile)
            port \(port)
            supervisor \(daemon.pid)
            gate \(gate)
            other \(other.pid)
            landlock \(csd_landlock_abi())

            """
    }

    /// Nobody was reached, and nothing was changed.
    func check() {
        for (name, descriptor) in listeners { #expect(attack_was_reached(descriptor) == 0, "\(name) was reached") }
        #expect(other.status == nil)
        #expect((try? String(contentsOfFile: directory.file("file"), encoding: .utf8)) == "content")
        #expect(access(directory.file("new"), F_OK) != 0)
        var status = stat()
        #expect(stat(directory.file("file"), &status) == 0 && status.st_mode & 0o7777 == 0o666)
    }
}

/// Attempts, and what came of them.
private struct ProbeTable {
    private struct Row {
        let attempt, expected, seen, verdict: String
    }

    private var rows: [Row] = []

    init() {}

    /// Waits for a report of `attack_run`.
    init(reading report: String, log: () -> String) throws {
        let text = try waitFor("a whole report; there is\n\(report) in\n\(log())", timeout: .seconds(120)) {
            let text = try? String(contentsOfFile: report, encoding: .utf8)
            return text?.hasSuffix("\nend\n") == true ? text : nil
        }
        for line in text.split(separator: "\n").dropLast() {
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            try #require(fields.count == 4, "\(line)")
            rows.append(Row(attempt: fields[0], expected: fields[1], seen: fields[2], verdict: fields[3]))
        }
    }

    mutating func add(_ attempt: String, _ expected: String, _ seen: String) {
        let verdict = seen == expected ? "held" : "broken"
        rows.append(Row(attempt: attempt, expected: expected, seen: seen, verdict: verdict))
    }

    /// Prints the table. Each row must have been seen as it is expected, and so many of them at least must have been tried.
    func check(_ title: String, atLeast count: Int) {
        let widths = (rows.map(\.attempt.count).max() ?? 0, rows.map(\.expected.count).max() ?? 0)
        let lines = rows.map { row in
            let attempt = row.attempt.padding(toLength: widths.0, withPad: " ", startingAt: 0)
            let expected = row.expected.padding(toLength: widths.1, withPad: " ", startingAt: 0)
            return "\(attempt) · \(expected) · \(row.seen)\(row.verdict == "held" ? "" : "   <- \(row.verdict)")"
        }
        print("Attempts, \(title):\n\(lines.joined(separator: "\n"))")
        for row in rows where row.verdict == "broken" {
            Issue.record("\(title): \(row.attempt): expected “\(row.expected)”, seen “\(row.seen)”")
        }
        let tried = rows.count { $0.verdict != "not run" }
        #expect(tried >= count, "only \(tried) of \(rows.count) could be tried")
    }
}
