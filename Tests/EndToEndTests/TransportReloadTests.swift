import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// A reload that changes `transport`: whoever is connected keeps the one that their worker was started with.
@Suite struct TransportReloadTests {
    private static let changes = [("mux", "ssh"), ("ssh", "mux")]

    private static func reload(_ daemon: RunningDaemon, _ transport: String) throws {
        let start = daemon.logRecords().count
        try daemon.rewriteConfig(
            Remote.shared().config(BothTransports.config(transport, ["client_wait_seconds": 600])))
        daemon.signal(SIGHUP)
        try daemon.waitForLog("config reloaded", from: start)
    }

    /// Runs a command, and tells by which transport: whether the worker executes `ssh` for it.
    private static func transport(_ daemon: RunningDaemon, _ client: MCPClient, _ worker: pid_t) throws -> String {
        let place = try Place()
        let begun = place.file("begun")
        let call = try client.beginTool("ssh_exec", ["command": .string("touch \(begun); exec sleep 600")])
        try waitUntil("the command running") { access(begun, F_OK) == 0 || call.isAnswered }
        let found = ProcessTable().children(of: worker).contains { $0.comm == "ssh" } ? "ssh" : "mux"
        try client.cancel(call)
        return found
    }

    @Test("while a client works: what runs goes on, and what comes is by its worker's transport", arguments: changes)
    func working(before: String, after: String) throws {
        let daemon = try Remote.shared().startDaemon(BothTransports.config(before))
        defer { daemon.stop() }
        let place = try Place()
        let file = try place.write("f", "content")
        let client = try daemon.connect()
        let worker = try daemon.waitForWorker()
        let call = try client.beginTool(
            "ssh_exec",
            [
                "command": .string(
                    "touch \(place.file("begun")); while ! test -e \(place.file("go")); do sleep 0.1; done; echo went on"
                ),
                "timeout_seconds": 300,
            ])
        try waitUntil("the command running") { access(place.file("begun"), F_OK) == 0 || call.isAnswered }
        #expect(try client.callTool("ssh_read_file", ["path": .string(file)])["content"] == "content")
        try Self.reload(daemon, after)
        #expect(try Self.transport(daemon, client, worker.pid) == before)
        #expect(try client.callTool("ssh_read_file", ["path": .string(file)])["content"] == "content")
        #expect(!call.isAnswered)
        try place.write("go", "")
        let result = try call.waitForTool()
        #expect(result["stdout"] == "went on\n" && result["exit_code"] == 0, "\(result)")
        #expect(worker.isAlive && daemon.gates().count == 1)
        client.closeAbruptly()
        try waitUntil("its end") { daemon.workerPIDs().isEmpty }
        let next = try daemon.connect()
        #expect(try Self.transport(daemon, next, daemon.waitForWorker().pid) == after)
    }

    @Test(
        "while a client waits in line: it gets the place with a gate that fits its worker, and its calls go on",
        arguments: changes)
    func waiting(before: String, after: String) throws {
        let daemon = try Remote.shared().startDaemon(BothTransports.config(before, ["client_wait_seconds": 600]))
        defer { daemon.stop() }
        let first = try daemon.connect()
        #expect(try first.callTool("ssh_exec", ["command": "echo first"])["stdout"] == "first\n")
        let working = try daemon.waitForWorker().pid
        let second = try daemon.connect()
        let call = try second.beginTool("ssh_exec", ["command": "echo second"])
        let waiting = try waitFor("its worker") { daemon.workerPIDs().first { $0 != working } }
        #expect(try second.request("ping")["result"] == [:])
        try Self.reload(daemon, after)
        first.closeAbruptly()
        let result = try call.waitForTool()
        #expect(result["stdout"] == "second\n", "\(result)")
        #expect(try Self.transport(daemon, second, waiting) == before)
        let read = try second.callTool("ssh_read_file", ["path": "/etc/hostname"])
        #expect(!read.isError, "\(read)")
        #expect(daemon.logCount(of: "killed:") == 0, "\(daemon.logText())")
        second.closeAbruptly()
        try waitUntil("its end") { daemon.workerPIDs().isEmpty }
        let third = try daemon.connect()
        #expect(try Self.transport(daemon, third, daemon.waitForWorker().pid) == after)
    }
}
