import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// The client and the daemon's handle against stand-ins for the daemon: socat with `cat` or `sed` behind it.
@Suite struct HarnessClientTests {
    /// Listens at `socket`; each connection is served by a shell command.
    private final class StandIn: Sendable {
        let directory: TemporaryDirectory
        let socket: String
        let process: ChildProcess

        init(_ command: String) throws {
            directory = try TemporaryDirectory()
            socket = directory.file("sock")
            let script = try directory.write("serve", command)
            let log = directory.file("log")
            process = try ChildProcess(
                findProgram("socat"),
                ["-d", "-d", "UNIX-LISTEN:\(socket),fork,backlog=64", "EXEC:/bin/sh \(script)"],
                stderr: .file(log))
            // The socket file is there a moment before anybody listens.
            try waitUntil("the stand-in listening") {
                (try? String(contentsOfFile: log, encoding: .utf8))?.contains("listening on") ?? false
            }
        }
    }

    /// Turns each request into its own response.
    private static let answering = #"sed -u 's|"method":"[^"]*"|"result":{"ok":true}|'"#

    @Test(arguments: [false, true])
    func requestsAreMatchedWithTheirResponses(viaSocat: Bool) throws {
        let standIn = try StandIn(HarnessClientTests.answering)
        let client = try MCPClient(socket: standIn.socket, viaSocat ? .socat : .direct, keeping: standIn)
        #expect(try client.initialize() == ["ok": true])
        // The stand-in answers the notification as well: that line belongs to no request.
        #expect(try client.nextUnmatched()["result"]?["ok"] == true)
        let pending = try (0..<100).map { try client.begin("n\($0)") }
        let named = try client.request("x", ["a": 1], id: "name")
        #expect(named == ["id": "name", "jsonrpc": "2.0", "params": ["a": 1], "result": ["ok": true]])
        for request in pending.reversed() { #expect(try request.wait()["id"] == request.id) }
        #expect(client.unmatchedCount == 0)
        client.halfClose()
        #expect(try client.waitForEOF().isEmpty)
        #expect(throws: HarnessError.self) { try client.request("late", timeout: .seconds(1)) }
    }

    @Test(arguments: [false, true])
    func lineOf32MiBComesBack(viaSocat: Bool) throws {
        let standIn = try StandIn("cat")
        let client = try MCPClient(socket: standIn.socket, viaSocat ? .socat : .direct, keeping: standIn)
        // Longer than all buffers on the way: reader and writer have to work at the same time.
        let line = Data(#"{"x":""#.utf8) + Data(repeating: UInt8(ascii: "a"), count: 32 << 20) + Data("\"}".utf8)
        try client.send(raw: line + [0x0a])
        #expect(try client.readLine() == line)
        try client.send(raw: "no json\n\n")
        #expect(try client.readLine() == Data("no json".utf8))
        #expect(throws: HarnessError.self) { try client.nextUnmatched() }
    }

    @Test func partOfALineAtTheEndIsKept() throws {
        let standIn = try StandIn("printf half")
        let client = try MCPClient(socket: standIn.socket, keeping: standIn)
        #expect(try client.waitForEOF() == Data("half".utf8))
        #expect(client.isAtEOF)
    }

    @Test(arguments: [false, true])
    func abruptEndReachesTheOtherSide(viaSocat: Bool) throws {
        let directory = try TemporaryDirectory()
        let done = directory.file("done")
        let standIn = try StandIn("head -n1; cat >/dev/null; touch \(done)")
        let client = try MCPClient(socket: standIn.socket, viaSocat ? .socat : .direct, keeping: standIn)
        try client.send(raw: "line\n")
        #expect(try client.readLine() == Data("line".utf8))
        try client.send(raw: "half a line")
        client.closeAbruptly()
        client.closeAbruptly()
        try waitUntil("end of file at the stand-in") { access(done, F_OK) == 0 }
        #expect(throws: HarnessError.self) { try client.send(raw: "x") }
    }

    @Test func pausedReaderMakesTheOtherSideWait() throws {
        let standIn = try StandIn("cat")
        let client = try MCPClient(socket: standIn.socket, keeping: standIn)
        client.pauseReading()
        let line = Data(repeating: UInt8(ascii: "a"), count: 16383) + [0x0a]
        var lines = Data()
        for _ in 0..<2048 { lines.append(line) }
        #expect(throws: HarnessError.self) {
            try client.send(raw: lines, timeout: .milliseconds(200))
        }
        client.resumeReading()
        try waitUntil("lines") { client.unmatchedCount > 20 }
    }

    @Test func daemonHandleReadsItsLogAndStopsIt() throws {
        let directory = try TemporaryDirectory()
        let script = """
            #!/bin/bash
            echo '{"time":"t","level":"INFO","msg":"listening","args":"'"$*"'","home":"'"$HOME"'"}' >&2
            echo 'not json' >&2
            trap 'echo "{\\"msg\\":\\"stopped\\"}" >&2; exit 3' TERM
            sleep 600 & wait
            """
        let binary = try directory.writeProgram("daemon", script)
        let daemon = try RunningDaemon(config: ["a": 1], RunningDaemon.Options(binary: binary))
        #expect(try daemon.waitForLog("listening")["args"] == "--config \(daemon.configFile)")
        let config = try JSON(parsing: Data(contentsOf: URL(filePath: daemon.configFile)))
        #expect(config == ["a": 1, "mcp_socket": .string(daemon.socketPath)])
        try waitUntil("its child") { !ProcessTable().descendants(of: daemon.pid).isEmpty }
        let child = try #require(ProcessTable().descendants(of: daemon.pid).first)
        #expect(daemon.workerPIDs().isEmpty)
        #expect(try daemon.terminate() == .exited(3))
        try daemon.waitForLog("stopped", from: 1)
        #expect(daemon.logRecords().contains(["unparsed": "not json"]))
        #expect(throws: HarnessError.self) { try daemon.waitForLog("never") }
        daemon.stop()
        #expect(access(daemon.configFile, F_OK) != 0)
        kill(child.pid, SIGKILL)
    }

    @Test func daemonThatRefusesIsReported() throws {
        let directory = try TemporaryDirectory()
        let binary = try directory.writeProgram("daemon", "#!/bin/sh\necho refused >&2; exit 2\n")
        let options = RunningDaemon.Options(binary: binary)
        #expect(throws: HarnessError.self) { try RunningDaemon(config: [:], options) }
        let (status, stderr) = try runDaemonExpectingFailure(config: "{", options)
        #expect(status == .exited(2) && stderr == "refused\n")
    }

    @Test(.enabled(if: Account.canCreate, "only root can make accounts"))
    func daemonRunsAsAnotherAccount() throws {
        let account = try Account.throwAway(purpose: "client")
        let directory = try TemporaryDirectory(readableByAll: true)
        let script =
            "#!/bin/sh\ntest -r \"$2\" && echo '{\"msg\":\"listening\",\"uid\":'$(id -u)'}' >&2\nexec sleep 600\n"
        let binary = try directory.writeProgram("daemon", script)
        let daemon = try RunningDaemon(config: [:], RunningDaemon.Options(account: account, binary: binary))
        #expect(try daemon.waitForLog("listening")["uid"] == .int(Int(account.uid)))
        daemon.signal(SIGTERM)
        #expect(try daemon.waitForExit() == .signaled(SIGTERM))
    }
}
