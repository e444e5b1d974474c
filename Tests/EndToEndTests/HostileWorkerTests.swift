import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// What a worker that was taken over can do to the supervisor, and to those whom it does not serve. The workers here are
/// `Tests/FakeWorker`; the supervisor is the real one.
@Suite(.serialized) struct HostileWorkerTests {
    /// How long others may have to wait.
    private static let bound = Duration.milliseconds(200)

    /// A client that is served by the next worker.
    private static func beServed(by daemon: RunningDaemon) throws -> MCPClient {
        let client = try daemon.connect(initialize: false)
        let ready = daemon.logCount(of: "\"worker ready\"")
        _ = try client.begin("ping")
        try waitUntil("a worker") { daemon.logCount(of: "\"worker ready\"") > ready }
        return client
    }

    /// How long it takes until another client's call is refused.
    private static func refusal(by daemon: RunningDaemon) throws -> Duration {
        try fastest(within: Self.bound) {
            let other = try daemon.connect()
            let answer = try other.callTool("ssh_exec", ["command": "true"])
            #expect(answer.isError && answer.text.contains("has the place"), "\(answer)")
            other.closeAbruptly()
        }
    }

    /// How long it takes until a signal is acted on.
    private static func reload(of daemon: RunningDaemon) throws -> Duration {
        try fastest(within: Self.bound) {
            let before = daemon.logCount(of: "\"config reloaded\"")
            daemon.signal(SIGHUP)
            try waitUntil("the reload") { daemon.logCount(of: "\"config reloaded\"") > before }
        }
    }

    /// How long it takes until TERM is acted on; and the daemon ends in time.
    private static func stop(_ daemon: RunningDaemon) throws -> Duration {
        daemon.signal(SIGTERM)
        let noticed = try ContinuousClock().measure {
            try waitUntil("the order to stop") { daemon.logCount(of: "\"stopping\"") > 0 }
        }
        #expect(try daemon.waitForExit(timeout: .seconds(12)) == .exited(0))
        #expect(daemon.logCount(of: "\"stopping without workers") == 0, "each worker was ended in its time")
        return noticed
    }

    @Test(
        "while a worker floods the supervisor, other clients and signals are seen to within 200 ms",
        arguments: ["listForwards", "pairForwards", "openCalls", "recordCalls", "chatter", "mute"])
    func flood(conduct: String) throws {
        let listeners = ManyListeners(3000)
        let trail = try AuditTrail()
        var shortest = Duration.seconds(3600)
        // TERM ends a daemon, so that another try needs another one.
        for _ in 0..<3 where shortest > Self.bound {
            let workers = try FakeWorkers([conduct])
            let daemon = try Remote.shared().startDaemon(
                trail.config.merging(["client_wait_seconds": 0]), workers.options)
            defer { daemon.stop() }
            let client = try Self.beServed(by: daemon)
            defer { client.closeAbruptly() }
            let (refused, reloaded) = (try Self.refusal(by: daemon), try Self.reload(of: daemon))
            #expect(refused < Self.bound)
            #expect(reloaded < Self.bound)
            shortest = min(shortest, try Self.stop(daemon))
        }
        #expect(shortest < Self.bound)
        withExtendedLifetime(listeners) {}
    }

    @Test("a worker that ends with a thousand open calls holds up nobody, and each has its record")
    func endWithOpenCalls() throws {
        let trail = try AuditTrail()
        let workers = try FakeWorkers(["openCallsAndEnd"])
        let daemon = try Remote.shared().startDaemon(trail.config, workers.options)
        defer { daemon.stop() }
        let client = try daemon.connect(initialize: false)
        _ = try client.begin("ping")
        _ = try client.waitForEOF()
        let reloaded = try Self.reload(of: daemon)
        #expect(reloaded < Self.bound)
        // As many as it could begin before it had used up its allowance.
        try waitUntil("its end") { daemon.logCount(of: "\"worker ended\"") > 0 }
        let next = try daemon.connect()
        #expect(try next.callTool("ssh_exec", ["command": "echo next"])["stdout"] == "next\n")
        try waitUntil("the next client's record") { try trail.calls().last?["what"]?["command"] == "echo next" }
        let calls = try trail.calls()
        let lost = calls.filter { $0["outcome"] == "unknown" }
        #expect(lost.count > 100)
        #expect(lost.compactMap { $0["call"]?.int } == Array(1...lost.count))
        #expect(calls.last?["call"] == 1, "the numbers are those of a connection")
        #expect(try trail.verify().succeeded)
    }

    @Test("a channel that lives on in another process, which goes on writing, ends with its worker")
    func haunted() throws {
        let workers = try FakeWorkers(["haunt"])
        let daemon = try Remote.shared().startDaemon([:], workers.options)
        defer { daemon.stop() }
        let client = try daemon.connect(initialize: false)
        _ = try client.begin("ping")
        let ended = try daemon.waitForLog("worker ended")
        #expect(ended["how"] == "clean exit", "what the other process writes is not heard")
        _ = try client.waitForEOF()
        let reloaded = try Self.reload(of: daemon)
        #expect(reloaded < Self.bound)
        let next = try daemon.connect()
        #expect(try next.callTool("ssh_exec", ["command": "echo next"])["stdout"] == "next\n")
        next.closeAbruptly()
        let stopped = try Self.stop(daemon)
        #expect(stopped < .seconds(1), "\(stopped)")
    }

    @Test("a client that hung up frees its place, whatever its worker says, and that worker ends in its time")
    func mute() throws {
        let workers = try FakeWorkers(["mute"])
        let daemon = try Remote.shared().startDaemon([:], workers.options)
        defer { daemon.stop() }
        let client = try Self.beServed(by: daemon)
        let worker = try daemon.waitForWorker()
        client.closeAbruptly()
        let next = try daemon.connect()
        #expect(try next.callTool("ssh_exec", ["command": "echo next"])["stdout"] == "next\n")
        #expect(worker.isAlive)
        let killed = try daemon.waitForLog("worker ended", timeout: .seconds(40)) {
            $0["worker_pid"] == .int(Int(worker.pid))
        }
        #expect(killed["how"] == "killed: it did not stop its remote commands in time")
    }

    @Test("a connection that never sends a byte is in nobody's way, and is served when it speaks")
    func silent() throws {
        let daemon = try Remote.shared().startDaemon(["client_wait_seconds": 20])
        defer { daemon.stop() }
        let silent = try daemon.connect(initialize: false)
        try waitUntil("the silent one") { daemon.logCount(of: "\"client connected\"") == 1 }
        var clients: [MCPClient] = []
        let served = try fastest(within: Self.bound) {
            for client in clients { client.closeAbruptly() }
            clients = [try daemon.connect()]
        }
        #expect(served < Self.bound)
        try silent.initialize()
        let late = try silent.beginTool("ssh_exec", ["command": "echo late"])
        #expect(try clients[0].callTool("ssh_exec", ["command": "echo first"])["stdout"] == "first\n")
        #expect(!late.isAnswered)
        clients[0].closeAbruptly()
        #expect(try late.waitForTool()["stdout"] == "late\n")
    }

    @Test(
        "all that a worker makes the supervisor log comes out of one allowance", arguments: ["recordCalls", "chatter"])
    func logged(conduct: String) throws {
        let workers = try FakeWorkers([conduct])
        let daemon = try Remote.shared().startDaemon([:], workers.options)
        defer { daemon.stop() }
        let client = try Self.beServed(by: daemon)
        let began = ContinuousClock.now
        try waitUntil("a full log") { daemon.logSize > 250 << 10 }
        // The worker goes on; a second is what is measured.
        try waitUntil("a second") { ContinuousClock.now - began > .seconds(1) }
        client.closeAbruptly()
        let seconds = Int((ContinuousClock.now - began) / .seconds(1)) + 1
        #expect(daemon.logSize < (256 + 16 * seconds + 64) << 10, "\(daemon.logSize) in \(seconds) s")
        daemon.signal(SIGTERM)
        _ = try daemon.waitForExit()
        let lost = daemon.logRecords().filter { $0["msg"] == "log lines lost: this worker says too much" }
        #expect(lost.compactMap { $0["count"]?.int }.reduce(0, +) > 0)
    }

    @Test(
        "a worker that cannot start: its client is told, and the log says what to do",
        arguments: [
            ("noLibrary", "a shared library of the worker program is missing", "ldd "),
            ("notConfined", "the worker could not confine itself", "--selftest-escape"),
        ])
    func cannotStart(conduct: String, what: String, mend: String) throws {
        let workers = try FakeWorkers([conduct])
        let daemon = try Remote.shared().startDaemon([:], workers.options)
        defer { daemon.stop() }
        let client = try daemon.connect(initialize: false)
        let message = try #require(try client.request("initialize")["error"]?["message"]?.string)
        #expect(message.contains(what) && message.contains("Nothing was run."), "\(message)")
        _ = try client.waitForEOF()
        let told = try daemon.waitForLog("a worker could not start")
        #expect(told["why"] == .string(what) && told["mend"]?.string?.contains(mend) == true, "\(told)")
        let next = try daemon.connect()
        #expect(try next.callTool("ssh_exec", ["command": "echo next"])["stdout"] == "next\n")
    }

    @Test("an ssh that has gone: the client is told which, and the log says what to do")
    func noSSH() throws {
        let place = try TemporaryDirectory(readableByAll: true)
        let ssh = try place.copyProgram(findProgram("ssh"), as: "ssh")
        let daemon = try Remote.shared().startDaemon(["transport": "ssh", "ssh_path": .string(ssh)])
        defer { daemon.stop() }
        unlink(ssh)
        let client = try daemon.connect(initialize: false)
        let message = try #require(try client.request("initialize")["error"]?["message"]?.string)
        #expect(message.contains("ssh_path: \(ssh) cannot be executed: No such file or directory"), "\(message)")
        let told = try daemon.waitForLog("a worker could not start")
        #expect(told["mend"]?.string?.contains("set ssh_path in the config") == true, "\(told)")
    }

    @Test("an ssh whose library is missing is not a dead session")
    func noLibraryOfSSH() throws {
        guard
            let compiler = ["/usr/bin/cc", "/usr/bin/gcc"].first(where: { (path: String) in access(path, X_OK) == 0 })
        else { return }
        let place = try TemporaryDirectory(readableByAll: true)
        try place.write("one.c", "int one(void) { return 1; }\n")
        try place.write("ssh.c", "int one(void); int main(void) { return one(); }\n")
        let library = place.file("libone.so")
        try runSuccessfully(compiler, ["-shared", "-fPIC", "-o", library, place.file("one.c")])
        try runSuccessfully(compiler, ["-o", place.file("ssh"), place.file("ssh.c"), library])
        unlink(library)
        try withDaemon(["transport": "ssh", "ssh_path": .string(place.file("ssh"))]) { _, client in
            let result = try client.callTool("ssh_exec", ["command": "true"])
            #expect(result.isError && result.text.contains("ssh cannot run here"), "\(result)")
            #expect(result.text.contains("ended with status 127"), "\(result)")
            let read = try client.callTool("ssh_read_file", ["path": "/etc/hostname"])
            #expect(read.isError && read.text.contains("ssh cannot run here"), "\(read)")
            // The gate has asked the session itself.
            let status = try client.callTool("ssh_connection_status")
            #expect(status["hosts"]?.array?.first?["connected"] == true, "\(status)")
        }
    }

    @Test("a worker program that has gone: the log says which, and what to do")
    func noProgram() throws {
        let workers = try FakeWorkers([])
        let daemon = try Remote.shared().startDaemon([:], workers.options)
        defer { daemon.stop() }
        unlink(workers.workerProgram)
        let client = try daemon.connect(initialize: false)
        _ = try client.begin("ping")
        _ = try client.waitForEOF()
        let told = try daemon.waitForLog("client disconnected")["reason"]?.string ?? ""
        #expect(told.contains(workers.workerProgram) && told.contains("No such file or directory"), "\(told)")
        #expect(told.contains("install claude-ssh-daemon again"), "\(told)")
    }
}
