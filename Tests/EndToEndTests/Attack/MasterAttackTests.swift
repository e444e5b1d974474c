import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// What listens at a host's socket answers otherwise than a ControlMaster, at each point of a conversation and in each way. One daemon and
/// one gate speak to all of these at the same time: no call waits for another host, each has a clear answer in bounded time, and
/// nothing is kept.
///
/// Shown elsewhere: a listener of another user, one that takes no connection, one that is stopped (`GateTests`); a master that ends in
/// the middle of a command (`DeadMasterTests`); replies in every split and random bytes, without processes (`MasterConversationTests`,
/// `MuxRandomBytesTests`).
@Suite struct MasterAttackTests {
    private typealias Point = HostileMaster.Point
    private typealias Trick = HostileMaster.Trick

    /// The longest that a call may take: two seconds for the master, the time of the command, and what it takes to stop it.
    private static let bound = Duration.seconds(40)

    /// One call, and what came of it in few words.
    private struct Call {
        let pending: PendingResponse
        let start = ContinuousClock.now

        func seen() throws -> String {
            let result = try pending.waitForTool(timeout: MasterAttackTests.bound)
            let text = result.text
            if text.utf8.count > 8192 { return "\(text.utf8.count) BYTES" }
            if !result.isError {
                if let code = result["exit_code"]?.int { return "exit status \(code)" }
                return "works"
            }
            let known = [
                ("Nothing was", "nothing was done"), ("No forward was", "nothing was done"),
                ("opened no session; it said", "refused, nothing was run"),
                ("did not begin on", "did not begin in time"),
                ("does not answer, while its ControlMaster does", "did not begin in time"),
                ("ended before it told the start", "ended before it began"), ("is unknown", "unknown"),
                ("not known", "unknown"), ("did not answer in time", "no answer; it is closed again"),
                ("could not listen on", "refused"), ("was said to listen on", "nobody listens; it is closed again"),
            ]
            return known.first { text.contains($0.0) }?.1 ?? text
        }
    }

    @Test("whatever a ControlMaster answers, the call has a clear answer, the gate lives, and healthy hosts are served")
    func everything() throws {
        let place = try TemporaryDirectory(readableByAll: true)
        var masters: [(name: String, point: Point, trick: Trick, master: HostileMaster)] = []
        for point in Point.allCases {
            for trick in Trick.allCases where trick != .honest || point == .hello {
                let name = "h\(masters.count)"
                masters.append((name, point, trick, try HostileMaster(place.file("\(name).s"), point, trick)))
            }
        }
        defer { for entry in masters { entry.master.stop() } }
        let remote = try Remote.shared()
        var hosts: [String: JSON] = ["box": remote.hostEntry]
        // What these masters are asked to run, they run as who runs the tests.
        let user = try Account.current().name
        for entry in masters {
            hosts[entry.name] = [
                "socket": .string(entry.master.path), "user": .string(user), "host": "127.0.0.1",
            ]
        }
        let table = AttackTable(
            "A ControlMaster answers otherwise than it must: what a status, a command, a file and a forward say")
        try withDaemon(["hosts": .object(hosts), "transport": "mux"]) { daemon, client in
            _ = try client.callTool("ssh_exec", ["command": "true"])
            let gate = try #require(daemon.gates().first)
            let file = try place.write("f", "content", mode: 0o644)
            let status = try client.beginTool("ssh_connection_status")
            var calls: [(command: Call, file: Call, forward: Call)] = []
            for entry in masters {
                let host = JSON.string(entry.name)
                calls.append(
                    (
                        Call(
                            pending: try client.beginTool(
                                "ssh_exec", ["host": host, "command": "exit 3", "timeout_seconds": 3])),
                        Call(pending: try client.beginTool("ssh_read_file", ["host": host, "path": .string(file)])),
                        Call(
                            pending: try client.beginTool(
                                "ssh_forward_port", ["host": host, "remote_host": "127.0.0.1", "remote_port": 9]))
                    ))
                // A healthy host beside them.
                #expect(try client.callTool("ssh_exec", ["command": "echo on"])["stdout"] == "on\n")
            }
            let hosts = try status.waitForTool(timeout: Self.bound)["hosts"]?.array ?? []
            for (entry, call) in zip(masters, calls) {
                table.row("\(entry.point.rawValue): \(entry.trick.rawValue)", Self.expected(entry.point, entry.trick)) {
                    let connected = hosts.first { $0["name"] == .string(entry.name) }?["connected"]?.bool
                    let words = [
                        connected == true ? "lives" : "down", try call.command.seen(), try call.file.seen(),
                        try call.forward.seen(),
                    ]
                    return words.joined(separator: ", ")
                }
            }
            table.row("a healthy host", "works; the same gate") {
                let result = try client.callTool("ssh_exec", ["command": "echo on"])
                let isSame = daemon.gates() == [gate]
                return (result["stdout"] == "on\n" ? "works" : "\(result)")
                    + (isSame ? "; the same gate" : "; ANOTHER GATE")
            }
            client.closeAbruptly()
            table.row("connections that are kept when the client has gone", "none") {
                let isOver = comesToHold { masters.allSatisfy { $0.master.connections == 0 } }
                return isOver ? "none" : masters.filter { $0.master.connections > 0 }.map(\.name).joined(separator: " ")
            }
            table.row("the daemon", "serves the next client") {
                let next = try daemon.connect()
                return try next.callTool("ssh_exec", ["command": "echo on"])["stdout"] == "on\n"
                    ? "serves the next client" : "does not"
            }
        }
        table.finish()
    }

    /// What a master that answers everything as it must gives: nobody listens at the port that it says it has opened.
    private static let honest = ["lives", "exit status 3", "works", "nobody listens; it is closed again"]

    private static func expected(_ point: Point, _ trick: Trick) -> String {
        var words = honest
        guard !trick.isHarmless else { return words.joined(separator: ", ") }
        switch (point, trick) {
        case (.alive, .twice), (.alive, .early), (.alive, .flood): words[3] = "nothing was done"
        case (.hello, _), (.alive, _): words = ["down"] + Array(repeating: "nothing was done", count: 3)
        case (.session, .silence), (.session, .pause): words[1...2] = ["did not begin in time", "nothing was done"]
        case (.session, .refusal), (.session, .denied): words[1...2] = ["refused, nothing was run", "nothing was done"]
        case (.session, .twice), (.session, .early), (.session, .flood):
            words[1...2] = ["ended before it began", "nothing was done"]
        case (.session, _): words[1...2] = ["unknown", "nothing was done"]
        // How a command ended is told by what ran it as well.
        case (.exit, _): break
        case (.forward, .refusal), (.forward, .denied): words[3] = "refused"
        case (.forward, .twice), (.forward, .early), (.forward, .flood): break
        case (.forward, _): words[3] = "no answer; it is closed again"
        }
        return words.joined(separator: ", ")
    }
}
