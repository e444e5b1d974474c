import IPC
import JSON
import MCP
import Synchronization
import TestSupport
import Testing

@testable import Tools

/// A supervisor that writes down what it is asked, and answers from a script.
private final class ScriptedBroker: LocalFileBroker, ForwardBroker {
    private let state: Mutex<(asked: [ToSupervisor], answers: [ToWorker])>

    init(_ answers: [ToWorker]) { state = Mutex(([], answers)) }

    var asked: [ToSupervisor] { state.withLock(\.asked) }

    func ask(forward request: ToSupervisor) async -> ToWorker {
        state.withLock { state in
            state.asked.append(request)
            return state.answers.isEmpty ? .forwardRefused(reason: "no more answers") : state.answers.removeFirst()
        }
    }

    func ask(_ request: ToSupervisor) async -> LocalAnswer { .refused("no local files here", rule: "") }
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
        return await Toolbox(policy: policy, broker: broker, audit: RecordingTrail()).call(
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

    @Test func `the supervisor's refusal is the answer`() async {
        let broker = ScriptedBroker([.forwardRefused(reason: "There are 64 forwards already.")])
        let said = failure(await call("ssh_forward_port", Self.good, broker: broker))
        #expect(said == "There are 64 forwards already.")
        #expect(broker.asked == [.requestForward(host: "box", remoteHost: "db", remotePort: 5432, localPort: 0)])
    }

    @Test func `an ssh that cannot run is told as that, and the supervisor hears that there is no forward`() async {
        let broker = ScriptedBroker([.forwardAssigned(forward: 3, localPort: 20_000)])
        let said = failure(await call("ssh_forward_port", Self.good, broker: broker))
        #expect(said?.contains("/nonexistent/ssh") == true, "\(said ?? "-")")
        #expect(broker.asked.last == .forwardFailed(forward: 3, .masterDead))
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
        func entry(_ id: UInt32, _ host: String, _ reason: String) -> ForwardEntry {
            ForwardEntry(
                forward: id, host: host, localPort: 20_000, remoteHost: "db", remotePort: 1, since: 0, reason: reason)
        }
        let all = [entry(1, "box", ""), entry(2, "gone", "it could not be closed")]
        for (arguments, count) in [([:], 2), (["host": "box"], 1)] as [(JSONObject, Int)] {
            let result = await call("ssh_list_forwards", arguments, broker: ScriptedBroker([.forwards(all)]))
            guard case .success(let shown)? = result else {
                Issue.record("failed")
                return
            }
            let forwards = shown["forwards"]?.elements ?? []
            #expect(forwards.count == count)
            // No ssh says that the master answers, so nothing is called running.
            for forward in forwards {
                #expect(forward["status"] == "dead")
                #expect(forward["since"] == "1970-01-01T00:00:00Z")
            }
            #expect(
                forwards.last?["reason"]
                    == (count == 2 ? "it could not be closed" : "its ControlMaster does not answer"))
        }
    }
}
