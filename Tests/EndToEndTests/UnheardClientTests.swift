import CLinux
import Foundation
import Glibc
import Testing

/// Connections that hold nothing: who has sent no whole request is in nobody's way, and has its turn when it has.
@Suite(.serialized) struct UnheardClientTests {
    private static let bound = Duration.milliseconds(200)

    /// What such a connection sends, and what is missing of a request then.
    struct Conduct: Sendable, CustomTestStringConvertible {
        let name: String
        let sends: String
        let rest: String
        var testDescription: String { name }
    }

    private static let ping = #"{"jsonrpc":"2.0","id":7,"method":"ping"}"# + "\n"
    private static let notification = #"{"jsonrpc":"2.0","method":"notifications/initialized"}"# + "\n"

    static let conducts = [
        Conduct(name: "silent", sends: "", rest: ping),
        Conduct(name: "one byte", sends: "{", rest: String(ping.dropFirst())),
        Conduct(name: "half a line", sends: String(ping.dropLast(10)), rest: String(ping.suffix(10))),
        Conduct(name: "a line without its end", sends: String(ping.dropLast()), rest: "\n"),
        Conduct(name: "blank lines", sends: "\n\r\n  \n\n", rest: ping),
        Conduct(name: "a garbage line", sends: "GET / HTTP/1.1\r\n", rest: ping),
        Conduct(name: "half of a call", sends: "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"a\n", rest: ping),
        Conduct(name: "a notification", sends: notification, rest: ping),
        Conduct(name: "an answer", sends: #"{"jsonrpc":"2.0","id":7,"result":{}}"# + "\n", rest: ping),
        Conduct(name: "no object", sends: "[1,2]\n\"text\"\n", rest: ping),
        Conduct(
            name: "more than a socket holds",
            sends: #"{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":""#
                + String(repeating: "x", count: 600_000), rest: "\"}}\n"),
    ]

    /// A client of which nothing whole was heard: its worker, where it has one, has read all that it sent.
    private static func connect(_ conduct: Conduct, to daemon: RunningDaemon) throws -> MCPClient {
        let connected = daemon.logCount(of: "\"client connected\"")
        let ready = daemon.logCount(of: "\"worker ready\"")
        let client = try daemon.connect(initialize: false)
        try client.send(raw: conduct.sends)
        try waitUntil("its connection") { daemon.logCount(of: "\"client connected\"") > connected }
        if !conduct.sends.isEmpty { try waitUntil("its worker") { daemon.logCount(of: "\"worker ready\"") > ready } }
        return client
    }

    private static func answer(to id: JSON, of client: MCPClient) throws -> JSON {
        while true {
            let line = try client.nextUnmatched()
            if line["id"] == id { return line }
        }
    }

    @Test("who has sent no whole request gives way at once to who has, and is served in its turn", arguments: conducts)
    func givesWay(conduct: Conduct) throws {
        let daemon = try Remote.shared().startDaemon(["client_wait_seconds": 20])
        defer { daemon.stop() }
        let unheard = try Self.connect(conduct, to: daemon)
        var clients: [MCPClient] = []
        let served = try fastest(within: Self.bound) {
            for client in clients { client.closeAbruptly() }
            clients = [try daemon.connect()]
        }
        #expect(served < Self.bound, "\(served)")
        #expect(try clients[0].callTool("ssh_exec", ["command": "echo first"])["stdout"] == "first\n")
        // It is in line now, and answered as anybody is.
        try unheard.send(raw: conduct.rest)
        #expect(try Self.answer(to: 7, of: unheard)["result"] == [:])
        #expect(try clients[0].callTool("ssh_exec", ["command": "echo still"])["stdout"] == "still\n")
        try unheard.initialize()
        let call = try unheard.beginTool("ssh_exec", ["command": "echo late"])
        clients[0].closeAbruptly()
        #expect(try call.waitForTool()["stdout"] == "late\n")
        let daemonStopped = try daemon.terminate()
        #expect(daemonStopped == .exited(0))
    }

    @Test("many of them at once hold up nobody, and none of them is lost")
    func many() throws {
        let daemon = try Remote.shared().startDaemon(["client_wait_seconds": 20])
        defer { daemon.stop() }
        let unheard = try Self.conducts.map { try Self.connect($0, to: daemon) }
        var clients: [MCPClient] = []
        let served = try fastest(within: Self.bound) {
            for client in clients { client.closeAbruptly() }
            clients = [try daemon.connect()]
        }
        #expect(served < Self.bound, "\(served)")
        clients[0].closeAbruptly()
        for (client, conduct) in zip(unheard, Self.conducts) {
            try client.send(raw: conduct.rest)
            #expect(try Self.answer(to: 7, of: client)["result"] == [:], "\(conduct.name)")
            client.closeAbruptly()
        }
    }

    @Test("the call of one that speaks late waits as long as others' do, and is told who is in the way")
    func refused() throws {
        let daemon = try Remote.shared().startDaemon(["client_wait_seconds": 1])
        defer { daemon.stop() }
        let late = try Self.connect(Self.conducts[2], to: daemon)
        let served = try daemon.connect()
        try late.send(raw: Self.conducts[2].rest)
        #expect(try Self.answer(to: 7, of: late)["result"] == [:])
        try late.initialize()
        let call = try late.callTool("ssh_exec", ["command": "true"])
        #expect(call.isError && call.text.contains("process \(getpid())"), "\(call)")
        #expect(try served.callTool("ssh_exec", ["command": "echo on"])["stdout"] == "on\n")
    }

    @Test("those who are refused and send no request keep nobody else from being told")
    func refusedUnheard() throws {
        let daemon = try Remote.shared().startDaemon(["client_wait_seconds": 1])
        defer { daemon.stop() }
        let served = try daemon.connect()
        let inLine = try (0..<8).map { _ in try daemon.connect() }
        let halves = try (0..<6).map { _ in try daemon.connect(initialize: false) }
        for half in halves { try half.send(raw: "{") }
        try waitUntil("four to be told off") { daemon.logCount(of: "\"worker ready\"") >= 13 }
        let other = try daemon.connect(initialize: false)
        let answer = try other.begin("ping").wait()
        #expect(answer["error"]?["code"] == -32000)
        #expect(try served.callTool("ssh_exec", ["command": "echo on"])["stdout"] == "on\n")
        #expect(try inLine.map { try $0.request("ping")["result"] }.allSatisfy { $0 == [:] })
    }

    @Test("one that hangs up before it is served leaves nothing, and a stop ends those that are there")
    func ends() throws {
        let daemon = try Remote.shared().startDaemon([:])
        defer { daemon.stop() }
        let gone = try Self.connect(Self.conducts[1], to: daemon)
        gone.closeAbruptly()
        try waitUntil("no worker") { daemon.workerPIDs().isEmpty }
        let half = try Self.connect(Self.conducts[2], to: daemon)
        let served = try daemon.connect()
        try half.send(raw: Self.conducts[2].rest)
        #expect(try daemon.terminate() == .exited(0))
        _ = try half.waitForEOF()
        _ = try served.waitForEOF()
    }

    @Test("a line beyond the limit is answered under its id, wherever that stands")
    func tooLong() throws {
        let daemon = try Remote.shared().startDaemon(["limits": ["max_request_bytes": 4096]])
        defer { daemon.stop() }
        let filling = String(repeating: "x", count: 300_000)
        for line in [
            #"{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":"\#(filling)","id":8}}"#,
            #"{"jsonrpc":"2.0","method":"ping","params":{"a":"\#(filling)","id":8},"id":7}"#,
        ] {
            let client = try daemon.connect(initialize: false)
            try client.send(raw: line + "\n")
            #expect(try Self.answer(to: 7, of: client)["error"]?["code"] == -32600)
            _ = try client.waitForEOF()
        }
        // One without an end is told so all the same.
        let client = try daemon.connect(initialize: false)
        try client.send(raw: #"{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":""# + filling)
        #expect(try Self.answer(to: 7, of: client)["error"]?["code"] == -32600)
    }
}
