import Glibc
import IPC
import JSON
import MCP
import Synchronization
import TestSupport
import Testing

@testable import Tools

/// A supervisor that writes down what it is asked, and answers from a script.
private final class ScriptedBroker: LocalFileBroker, ForwardBroker {
    private let state: Mutex<(asked: [ToSupervisor.Forwards], answers: [ToWorker.Forwards])>

    init(_ answers: [ToWorker.Forwards]) { state = Mutex(([], answers)) }

    var asked: [ToSupervisor.Forwards] { state.withLock(\.asked) }

    func ask(_ word: ToSupervisor.Forwards) async throws(IPCError) -> ToWorker.Forwards {
        state.withLock { state in
            state.asked.append(word)
            return state.answers.isEmpty ? .refused(.noPort) : state.answers.removeFirst()
        }
    }

    func ask(_ request: ToSupervisor.Files) async -> LocalAnswer { .refused("no local files here", rule: "") }
    func abandon(handle: UInt32) {}
}

/// No test here starts ssh: `sshPath` names nothing.
@Suite("Port forward tools")
struct ForwardToolTests {
    private func call(
        _ tool: String, _ arguments: JSONObject, allowlist: [String]? = nil, broker: ScriptedBroker = ScriptedBroker([])
    ) async -> ToolResult? {
        var on = PolicySnapshot.Capabilities()
        on.portForward = true
        var hosts = [
            PolicySnapshot.Host(name: "box", socket: "/run/box", user: "u", host: "h", capabilities: on),
            PolicySnapshot.Host(name: "closed", socket: "/run/closed", user: "u", host: "h"),
        ]
        hosts[0].forwardAllowlist = allowlist
        let policy = PolicySnapshot(hosts: hosts, defaultHost: "box", sshPath: "/nonexistent/ssh")
        return await Toolbox(
            policy: policy, broker: broker, audit: RecordingTrail(), gate: LivingMasters(policy: policy)
        ).call(
            tool, arguments: arguments, progress: .none)
    }

    private func failure(_ result: ToolResult?) -> String? {
        if case .failure(let sentence)? = result { sentence } else { nil }
    }

    private static let good: JSONObject = ["remote_host": "db", "remote_port": 5432]

    private static let mistakes: [(JSONObject, String)] = [
        ([:], "\"remote_host\""), (["remote_host": "db"], "\"remote_port\" is missing"),
        (["remote_host": 5, "remote_port": 1], "\"remote_host\""),
        (["remote_host": "db", "remote_port": 0], "from 1 to 65535, not 0"),
        (["remote_host": "db", "remote_port": 65536], "from 1 to 65535, not 65536"),
        (["remote_host": "db", "remote_port": -1], "from 1 to 65535"),
        (["remote_host": "db", "remote_port": "80"], "\"remote_port\""),
        (
            ["remote_host": "db", "remote_port": 80, "local_port": 0],
            "\"local_port\" must be a whole number from 1 to 65535"
        ),
        (["remote_host": "db", "remote_port": 80, "local_port": 65536], "\"local_port\""),
        (["remote_host": "", "remote_port": 80], "\"remote_host\""),
        (["remote_host": "-oProxyCommand=id", "remote_port": 80], "must be a host name or an address"),
        (["remote_host": "a b", "remote_port": 80], "must be a host name or an address"),
        (["remote_host": "db:80", "remote_port": 80], "must be a host name or an address"),
        (["remote_host": "db", "remote_port": 80, "host": "nowhere"], "There is no host \"nowhere\""),
        (["remote_host": "db", "remote_port": 80, "bind": "0.0.0.0"], "bind"),
        (["remote_host": "db", "remote_port": 80, "host": "closed"], "port_forward"),
        (["remote_host": "169.254.169.254", "remote_port": 80], "metadata"),
        (["remote_port": 80], "\"remote_host\" is missing"), (["remote_host": "db"], "\"remote_port\" is missing"),
        ([:], "\"remote_socket\" may name a Unix socket"),
        (["remote_socket": "/s", "remote_host": "db", "remote_port": 80], "in place of"),
        (["remote_socket": "/s", "remote_port": 80], "in place of"),
        (["remote_socket": "/s", "remote_host": ""], "in place of"),
        (["remote_socket": "s"], "absolute path"), (["remote_socket": ""], "absolute path"),
        (["remote_socket": "/a:b"], "absolute path"), (["remote_socket": "/s"], "forward_allowlist, which is not set"),
    ]

    @Test(arguments: mistakes.indices)
    func `a bad call says how to mend it, and nobody is asked`(index: Int) async {
        let broker = ScriptedBroker([])
        let said = failure(await call("ssh_forward_port", Self.mistakes[index].0, broker: broker))
        #expect(said?.contains(Self.mistakes[index].1) == true, "\(said ?? "it was not refused")")
        #expect(broker.asked == [])
    }

    @Test func `a host's list is judged before anybody is asked`() async {
        let broker = ScriptedBroker([])
        let said = failure(await call("ssh_forward_port", Self.good, allowlist: ["db:1"], broker: broker))
        #expect(said?.contains("hosts.box.forward_allowlist does not cover db port 5432") == true)
        #expect(broker.asked == [])
    }

    @Test func `a Unix socket that the list names is asked for`() async {
        let broker = ScriptedBroker([.refused(.noPort)])
        let said = failure(
            await call(
                "ssh_forward_port", ["remote_socket": "/run/db.sock"], allowlist: ["unix:/run/db.sock"], broker: broker)
        )
        #expect(said == "No local port is free; nothing was forwarded.")
        #expect(broker.asked == [.request(host: "box", target: .unix(path: "/run/db.sock"), localPort: 0)])
    }

    @Test func `the supervisor's refusal is the answer`() async {
        let broker = ScriptedBroker([.refused(.tooMany)])
        let said = failure(await call("ssh_forward_port", Self.good, broker: broker))
        #expect(said == "There are 64 forwards already, which is the most. Cancel one with ssh_cancel_forward.")
        #expect(broker.asked == [.request(host: "box", target: .tcp(host: "db", port: 5432), localPort: 0)])
    }

    @Test func `a refusal names what it is about, and what to do`() {
        let route = ForwardRoute(
            master: Master(socket: "/run/a b", user: "u", address: "h"), localPort: 20_000,
            target: .tcp(host: "db", port: 5432))
        let sentences: [(ForwardRefusal, String)] = [
            (.notAllowed(host: "other"), "hosts.other.capabilities.port_forward is off"),
            (.portOfForward(localPort: 20_000, forward: 1), "local_port 20000 belongs to forward 1. Cancel that one"),
            (.portTaken(localPort: 22), "local_port 22 is taken by another program. Leave local_port out"),
            (
                .notWritten(path: "/run/s", errno: UInt32(ENOSPC)),
                "could not be written down: /run/s: No space left on device."
            ),
            (.notWrittenAmongOthers(directory: "/tmp/d"), "/tmp/d belongs to another user, or others can write to it."),
            (.notListening(host: "box", localPort: 7), "listen on 127.0.0.1:7, and does not"),
            (.notOpened(host: "box", localPort: 80, wasNamed: true), "127.0.0.1:80: the port is taken"),
            (.notOpened(host: "box", localPort: 80, wasNamed: true), "Leave local_port out"),
            (.notOpened(host: "box", localPort: 80, wasNamed: false), "Try again"),
            (.masterSilent(host: "box"), "did not answer in time"),
            (.noSuchForward(forward: 0, localPort: 9, host: ""), "There is no forward with local_port 9. "),
            (.noSuchForward(forward: 3, localPort: 0, host: "a"), "There is no forward with forward_id 3 on \"a\". "),
            (.stillOpen(forward: 1, .closed, route: route), "the ControlMaster says that it closed it, and something"),
            (.stillOpen(forward: 1, .refused, route: route), "the ControlMaster says that it has no such forward. "),
            (.stillOpen(forward: 1, .unknown, route: route), "the ControlMaster does not answer. "),
            (
                .stillOpen(forward: 1, .closed, route: route),
                "ssh -O cancel -S '/run/a b' -L 127.0.0.1:20000:db:5432 u@h"
            ),
        ]
        for (refusal, part) in sentences { #expect(refusal.sentence.contains(part)) }
    }

    @Test func `a master that has heard nothing is told as every tool tells it, with what was done`() async {
        let broker = ScriptedBroker([.refused(.masterDown(host: "box", .hung))])
        let said = failure(await call("ssh_forward_port", Self.good, broker: broker))
        #expect(said?.contains("is not up (no answer within 2 s). No forward was opened.") == true, "\(said ?? "-")")
        #expect(broker.asked.count == 1)
    }

    @Test func `a cancel names one forward, by number or by port`() async {
        for arguments in [[:], ["forward_id": 1, "local_port": 2], ["forward_id": .null], ["host": "box"]]
            as [JSONObject]
        {
            let said = failure(await call("ssh_cancel_forward", arguments))
            #expect(said?.contains("by \"forward_id\" or by \"local_port\"") == true, "\(said ?? "-")")
        }
        for arguments in [["forward_id": 0], ["local_port": 0], ["local_port": 65_536]] as [JSONObject] {
            let said = failure(await call("ssh_cancel_forward", arguments))
            #expect(said?.contains("must be a whole number") == true, "\(said ?? "-")")
        }
    }

    @Test func `a list shows what the supervisor has seen, for all hosts or for one`() async throws {
        func entry(_ id: UInt32, _ host: String, _ trouble: ForwardTrouble? = nil) -> ForwardEntry {
            ForwardEntry(
                forward: id, host: host, localPort: 20_000, target: .tcp(host: "db", port: 1), since: 0,
                trouble: trouble)
        }
        let all = [entry(1, "box"), entry(2, "gone", .notCancelled)]
        for (arguments, count) in [([:], 2), (["host": "box"], 1)] as [(JSONObject, Int)] {
            let result = await call("ssh_list_forwards", arguments, broker: ScriptedBroker([.list(all)]))
            guard case .success(let shown)? = result else {
                Issue.record("failed")
                return
            }
            let forwards = shown["forwards"]?.elements ?? []
            #expect(forwards.count == count)
            // There is no gate that could ask whether the host answers, so nothing is called running.
            for forward in forwards {
                #expect(forward["status"] == (forward["host"] == "box" ? "unknown" : "dead"))
                #expect(forward["since"] == "1970-01-01T00:00:00Z")
            }
            let reason = forwards.last?["reason"].string ?? ""
            #expect(
                reason.hasPrefix(
                    count == 2 ? "it could not be closed; ssh_cancel_forward" : "its ControlMaster could not be asked"))
        }
    }
}
