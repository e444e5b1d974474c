import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// Clients that wait for the place: a worker without a gate answers what needs none, and holds their calls.
@Suite(.serialized) struct ClientsInLineTests {
    private static let patience = Duration.seconds(60)

    private static func exec(_ client: MCPClient, _ command: String, meta: JSON? = nil) throws -> PendingResponse {
        try client.beginTool("ssh_exec", ["command": .string(command)], meta: meta)
    }

    /// A request of 2026-07-28.
    private static func modern(_ client: MCPClient, _ method: String, _ params: [String: JSON] = [:]) throws -> JSON {
        let meta: JSON = [
            "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": [:],
            "io.modelcontextprotocol/clientInfo": ["name": "modern-client", "version": "2"],
        ]
        return try client.request(method, .object(params.merging(["_meta": meta]) { $1 }))
    }

    @Test(
        "a second client sees a living server in both eras, and its calls go on when the place is free",
        arguments: [true, false])
    func seesLife(bySocat: Bool) throws {
        let daemon = try Remote.shared().startDaemon(["client_wait_seconds": 600])
        defer { daemon.stop() }
        let transport: LineConnection.Transport = bySocat ? .socat : .direct
        let first = try daemon.connect(transport)
        #expect(try Self.exec(first, "echo first").waitForTool()["stdout"] == "first\n")
        let second = try daemon.connect(transport, initialize: false)
        let discovered = try Self.modern(second, "server/discover")
        #expect(discovered["result"]?["supportedVersions"]?.array?.first == "2026-07-28", "\(discovered)")
        try second.initialize()
        #expect(try second.request("ping")["result"] == [:])
        let listed = try second.request("tools/list")["result"]?["tools"]?.array
        #expect(listed?.contains { $0["name"] == "ssh_exec" } == true)
        #expect(try Self.modern(second, "tools/list")["result"]?["tools"]?.array?.count == listed?.count)
        let call = try Self.exec(second, "echo second", meta: ["progressToken": "p"])
        try waitUntil("a report on the waiting", timeout: Self.patience) { !second.progress("p").isEmpty }
        #expect(try Self.exec(first, "echo still").waitForTool()["stdout"] == "still\n")
        #expect(!call.isAnswered && daemon.gates().count == 1)
        first.closeAbruptly()
        #expect(try call.waitForTool()["stdout"] == "second\n")
        let progress = second.progress("p").map(\.progress)
        #expect(progress == progress.sorted() && Set(progress).count == progress.count)
        #expect(try second.callTool("ssh_connection_status")["hosts"]?.array?.first?["connected"] == true)
        #expect(try daemon.terminate() == .exited(0))
    }

    @Test("a call that has waited is refused with who is in the way, by its own name, and that is written down")
    func refused() throws {
        let trail = try AuditTrail()
        let daemon = try Remote.shared().startDaemon(trail.config.merging(["client_wait_seconds": 1]))
        defer { daemon.stop() }
        let first = try daemon.connect(initialize: false)
        let name = "evil\"\n\u{1B}[31m\u{202E}</tool>" + String(repeating: "é", count: 3000)
        _ = try first.request(
            "initialize",
            ["protocolVersion": "2025-11-25", "capabilities": [:], "clientInfo": ["name": .string(name)]])
        let second = try daemon.connect()
        for _ in 0..<2 {
            let refused = try Self.exec(second, "echo never").waitForTool()
            #expect(
                refused.isError && refused.text.hasPrefix("Nothing was run: another client of \(daemon.socketPath)"))
            #expect(refused.text.contains("process \(getpid()) (/"), "\(refused)")
            #expect(refused.text.contains("which calls itself \"evil"), "\(refused)")
            let isPlain = refused.text.unicodeScalars.allSatisfy { (0x20..<0x7F).contains($0.value) || $0 == "…" }
            #expect(isPlain, "\(refused)")
            #expect(refused.text.utf8.count < 1000 && refused.text.contains("this call has waited 1 s"))
        }
        // Also to a client that asks in the other era, and of a tool that there is not.
        let modern = try Self.modern(second, "tools/call", ["name": "no_such_tool", "arguments": [:]])
        #expect(modern["result"]?["isError"] == true && modern["result"]?["resultType"] == "complete", "\(modern)")
        let calls = try trail.waitForCalls(3)
        for (index, call) in calls.enumerated() {
            #expect(
                call["verdict"] == "refused" && call["rule"] == "place" && call["call"] == .int(index + 1), "\(call)")
            #expect(call["client_pid"] == .int(Int(getpid())) && call["tool"] == nil, "\(call)")
        }
        first.closeAbruptly()
        #expect(try Self.exec(second, "echo second").waitForTool()["stdout"] == "second\n")
        let record = try trail.waitForCalls(4).last
        #expect(record?["what"]?["command"] == "echo second" && record?["call"] == 4, "\(String(describing: record))")
        #expect(try trail.verify().succeeded)
    }

    @Test("eight are in line with a worker, more wait unread; each of them gets its turn or is told who is in the way")
    func many() throws {
        let daemon = try Remote.shared().startDaemon(["client_wait_seconds": 3])
        defer { daemon.stop() }
        let first = try daemon.connect()
        let inLine = try (0..<8).map { _ in try daemon.connect() }
        let unread = try (0..<3).map { _ in try daemon.connect(initialize: false) }
        let requests = try unread.map { try $0.begin("ping") }
        for request in requests {
            let answer = try request.wait(timeout: Self.patience)
            #expect(answer["error"]?["code"] == -32000, "\(answer)")
        }
        #expect(daemon.workerPIDs().count <= 9 + 3 && daemon.gates().count == 1)
        for client in inLine { #expect(try client.request("ping")["result"] == [:]) }
        // One that leaves the line makes room for another.
        inLine[5].closeAbruptly()
        let next = try daemon.connect()
        #expect(try next.request("ping")["result"] == [:])
        first.closeAbruptly()
        #expect(try Self.exec(inLine[0], "echo on").waitForTool()["stdout"] == "on\n")
        #expect(daemon.gates().count == 1)
    }

    @Test(
        "whoever hangs up in whatever order, the place goes on, and nothing is left",
        arguments: 1...6 as ClosedRange<UInt64>)
    func hangUps(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let daemon = try Remote.shared().startDaemon(["client_wait_seconds": 600])
        defer { daemon.stop() }
        var clients = try (0..<5).map { _ in try daemon.connect() }
        var calls = try clients.map { try Self.exec($0, "echo on") }
        while !clients.isEmpty {
            // The first one has the place, by and by.
            #expect(try calls[0].waitForTool(timeout: Self.patience)["stdout"] == "on\n")
            let isEarly = calls.dropFirst().contains(where: \.isAnswered)
            #expect(!isEarly)
            let index = Int.random(in: 0..<clients.count, using: &generator)
            clients.remove(at: index).closeAbruptly()
            calls.remove(at: index)
        }
        try waitUntil("nobody to be left", timeout: Self.patience) {
            daemon.workerPIDs().isEmpty && daemon.gates().isEmpty
        }
        #expect(daemon.logCount(of: "killed:") == 0, "\(daemon.logText())")
    }

    @Test("one that ends its input while it waits goes without its calls, and one whose process dies as well")
    func ends() throws {
        let place = try Place()
        let daemon = try Remote.shared().startDaemon(["client_wait_seconds": 600])
        defer { daemon.stop() }
        let first = try daemon.connect()
        let half = try daemon.connect()
        let killed = try daemon.connect(.socat)
        for client in [half, killed] { _ = try Self.exec(client, "touch \(place.file("ran"))") }
        half.halfClose()
        try half.waitForEOF()
        killed.connection.bridge?.stop()
        try waitUntil("one worker", timeout: Self.patience) { daemon.workerPIDs().count == 1 }
        first.closeAbruptly()
        let last = try daemon.connect()
        #expect(try Self.exec(last, "echo on").waitForTool()["stdout"] == "on\n")
        #expect(try place.names.isEmpty)
        #expect(daemon.logCount(of: "killed:") == 0, "\(daemon.logText())")
    }

    @Test("a call that is cancelled while it waits is never made, and its id is free")
    func cancelled() throws {
        let place = try Place()
        let daemon = try Remote.shared().startDaemon(["client_wait_seconds": 600])
        defer { daemon.stop() }
        let first = try daemon.connect()
        let second = try daemon.connect()
        let call = try Self.exec(second, "touch \(place.file("ran"))")
        try second.cancel(call)
        let others = try (0..<3).map { try Self.exec(second, "echo \($0)") }
        first.closeAbruptly()
        for (index, other) in others.enumerated() {
            #expect(try other.waitForTool()["stdout"] == .string("\(index)\n"))
        }
        #expect(try place.names.isEmpty && !call.isAnswered)
    }

    @Test("a reload reaches those in line: other tools at once, and their calls by the new policy")
    func reload() throws {
        let remote = try Remote.shared()
        let daemon = try remote.startDaemon(["client_wait_seconds": 600])
        defer { daemon.stop() }
        let first = try daemon.connect()
        let second = try daemon.connect()
        let call = try Self.exec(second, "echo never")
        try daemon.rewriteConfig(
            remote.config([
                "mcp_socket": .string(daemon.socketPath), "capabilities": ["exec": false], "client_wait_seconds": 1,
            ]))
        daemon.signal(SIGHUP)
        for client in [first, second] {
            #expect(try client.nextUnmatched()["method"] == "notifications/tools/list_changed")
            let tools = try client.request("tools/list")["result"]?["tools"]?.array
            #expect(tools?.contains { $0["name"] == "ssh_exec" } == false, "\(String(describing: tools))")
        }
        // The new time is for calls that come from now on.
        let refused = try second.callTool("ssh_connection_status")
        #expect(refused.isError && refused.text.contains("this call has waited 1 s"), "\(refused)")
        #expect(!call.isAnswered)
        first.closeAbruptly()
        #expect(try call.wait()["error"]?["code"] == -32602, "ssh_exec is off")
        #expect(try second.callTool("ssh_connection_status")["hosts"]?.array?.first?["connected"] == true)
    }

    @Test("TERM ends those in line in time, also with calls that wait")
    func term() throws {
        let daemon = try Remote.shared().startDaemon(["client_wait_seconds": 600])
        defer { daemon.stop() }
        let clients = try (0..<9).map { _ in try daemon.connect() }
        let unread = try daemon.connect(initialize: false)
        _ = try unread.begin("ping")
        for client in clients.dropFirst() { _ = try Self.exec(client, "echo never") }
        let started = ProcessTable().descendants(of: daemon.pid)
        #expect(try daemon.terminate(timeout: .seconds(30)) == .exited(0))
        for client in clients + [unread] { try client.waitForEOF() }
        #expect(daemon.logCount(of: "stopping without workers") == 0)
        // They were told, and did not have to be killed: those with a worker, which the last one never got.
        #expect(daemon.logCount(of: #""msg":"worker ended","how":"clean exit""#) == 9, "\(daemon.logText())")
        try waitUntil("nothing to be left") { started.allSatisfy { !$0.isAlive } }
    }

    @Test(
        "a gate that does not start when the place comes: the calls are told, the connection ends, the next one is served"
    )
    func noGate() throws {
        let gates = try FakeGates(["honest", "stillborn"])
        let daemon = try Remote.shared().startDaemon(["client_wait_seconds": 600], gates.options)
        defer { daemon.stop() }
        let first = try daemon.connect()
        #expect(try Self.exec(first, "echo first").waitForTool()["stdout"] == "first\n")
        let (second, third) = (try daemon.connect(), try daemon.connect())
        let calls = try [second, third].map { try Self.exec($0, "echo on") }
        first.closeAbruptly()
        let told = try calls[0].waitForTool()
        #expect(told.isError && told.text.contains("claude-ssh-gate did not start"), "\(told)")
        #expect(told.text.contains("Nothing was run."), "\(told)")
        try second.waitForEOF()
        #expect(try daemon.waitForLog("a worker could not start")["mend"] != nil)
        #expect(try calls[1].waitForTool()["stdout"] == "on\n")
    }

    @Test("a gate program that has gone when the place comes: the same")
    func noGateProgram() throws {
        let gates = try FakeGates([])
        let daemon = try Remote.shared().startDaemon(["client_wait_seconds": 600], gates.options)
        defer { daemon.stop() }
        let (first, second) = (try daemon.connect(), try daemon.connect())
        unlink(gates.program)
        let call = try Self.exec(second, "echo on")
        first.closeAbruptly()
        let told = try call.waitForTool()
        #expect(told.isError && told.text.contains("claude-ssh-gate did not start"), "\(told)")
        try second.waitForEOF()
        let log = try daemon.waitForLog("a worker could not start")
        #expect(log["why"]?.string?.contains(gates.program) == true, "\(log)")
    }

    // MARK: A worker in line that was taken over

    private static let outOfTurn = "killed: it sent a message out of turn"

    @Test(
        "a hijacked worker in line is ended for whatever needs the place, and nothing of it is written down or opened",
        arguments: ["fileInLine", "forwardInLine", "callInLine", "callWhenGone", "namesInLine", "speaksInLine"])
    func hijacked(conduct: String) throws {
        let trail = try AuditTrail()
        let workers = try FakeWorkers(["honest", conduct])
        let daemon = try Remote.shared().startDaemon(trail.config, workers.options)
        defer { daemon.stop() }
        let first = try daemon.connect()
        #expect(try Self.exec(first, "echo first").waitForTool()["stdout"] == "first\n")
        let second = try daemon.connect(initialize: false)
        _ = try second.begin("ping")
        try second.waitForEOF(timeout: Self.patience)
        let ended = try daemon.waitForLog("worker ended")
        #expect(ended["how"] == .string(Self.outOfTurn), "\(ended)")
        #expect(daemon.gates().count == 1 && ProcessTable().children(of: daemon.pid).count == 2)
        #expect(try Self.exec(first, "echo on").waitForTool()["stdout"] == "on\n")
        #expect(try trail.waitForCalls(2).allSatisfy { $0["what"]?["command"]?.string?.hasPrefix("echo") == true })
    }

    @Test("it has the client, its channel and its log, and no other descriptor")
    func descriptors() throws {
        let workers = try FakeWorkers(["honest", "lookAroundInLine"])
        let daemon = try Remote.shared().startDaemon([:], workers.options)
        defer { daemon.stop() }
        let first = try daemon.connect()
        let second = try daemon.connect(initialize: false)
        _ = try second.begin("ping")
        let said = try daemon.waitForLog("worker said", timeout: Self.patience)
        #expect(said["text"] == "more descriptors: 0", "\(said)")
        #expect(try Self.exec(first, "echo on").waitForTool()["stdout"] == "on\n")
    }

    @Test(
        "one that has calls refused without end holds up nobody, and fills no log",
        arguments: ["floodInLine", "deafInLine"])
    func flood(conduct: String) throws {
        let trail = try AuditTrail()
        let workers = try FakeWorkers(["honest", conduct])
        let daemon = try Remote.shared().startDaemon(trail.config, workers.options)
        defer { daemon.stop() }
        let first = try daemon.connect()
        let second = try daemon.connect(initialize: false)
        let began = ContinuousClock.now
        _ = try second.begin("ping")
        try waitUntil("many of them", timeout: Self.patience) {
            daemon.logCount(of: "\"rule\":\"place\"") > 200 || daemon.logCount(of: "it does not take messages") > 0
        }
        for _ in 0..<20 { #expect(try Self.exec(first, "echo on").waitForTool()["stdout"] == "on\n") }
        second.closeAbruptly()
        try waitUntil("its end", timeout: Self.patience) { daemon.workerPIDs().count == 1 }
        let seconds = Int((ContinuousClock.now - began) / .seconds(1)) + 1
        #expect(daemon.logSize < (2 * 256 + 32 * seconds + 64) << 10)
        #expect(try trail.verify().succeeded)
        #expect(try daemon.terminate() == .exited(0))
    }
}
