import IPC
import JSON
import MCP
import TestSupport
import Testing

@testable import Tools

extension Toolbox {
    fileprivate func call(_ name: String, arguments: JSONObject) async -> ToolResult? {
        await call(name, arguments: arguments, progress: .none)
    }
}

/// What the policy lets through gets as far as the gate, and there is none here.
@Suite("Toolbox")
struct ToolboxTests {
    private func host(
        _ name: String, exec: Bool = true, allowlist: [String]? = nil, baseDir: String? = nil
    ) -> PolicySnapshot.Host {
        var capabilities = PolicySnapshot.Capabilities()
        capabilities.exec = exec
        return PolicySnapshot.Host(
            name: name, socket: "/run/\(name).sock", user: "u", host: "h", baseDir: baseDir, execAllowlist: allowlist,
            capabilities: capabilities)
    }

    private func policy(_ hosts: [PolicySnapshot.Host]) -> PolicySnapshot {
        PolicySnapshot(hosts: hosts, defaultHost: hosts.first?.name ?? "", sshPath: "/nonexistent/ssh")
    }

    private func failure(_ policy: PolicySnapshot, _ arguments: JSONObject, tool: String = "ssh_exec") async -> String?
    {
        guard
            case .failure(let sentence) = await Toolbox(
                policy: policy, broker: NoLocalFiles(), audit: RecordingTrail(), gate: LivingMasters(policy: policy)
            )
            .call(
                tool, arguments: arguments)
        else {
            return nil
        }
        return sentence
    }

    @Test func `a capability that is on nowhere leaves its tool unlisted and unknown`() async {
        let off = Toolbox(
            policy: policy([host("a", exec: false), host("b", exec: false)]), broker: NoLocalFiles(),
            audit: RecordingTrail(), gate: LivingMasters())
        #expect(off.tools.map(\.name) == ["ssh_connection_status"])
        #expect(await off.call("ssh_exec", arguments: ["command": "true"]) == nil)
        #expect(await off.call("nonsense", arguments: [:]) == nil)
        let on = Toolbox(
            policy: policy([host("a", exec: false), host("b")]), broker: NoLocalFiles(), audit: RecordingTrail(),
            gate: LivingMasters())
        #expect(on.tools.map(\.name) == ["ssh_connection_status", "ssh_exec"])
    }

    @Test func `a new policy is in force for the next call`() async {
        let toolbox = Toolbox(
            policy: policy([host("a")]), broker: NoLocalFiles(), audit: RecordingTrail(), gate: LivingMasters())
        #expect(toolbox.update(policy([host("a", exec: false)])))
        #expect(toolbox.tools.map(\.name) == ["ssh_connection_status"])
        #expect(await toolbox.call("ssh_exec", arguments: ["command": "true"]) == nil)
        #expect(toolbox.update(policy([host("z")])))
        #expect(toolbox.instructions.contains("z (default)"))
        #expect(toolbox.tools.count == 2)
    }

    @Test func `an update tells whether clients see a change`() {
        var many = (0..<30).map { host("h\($0 + 10)") }
        let toolbox = Toolbox(
            policy: policy(many), broker: NoLocalFiles(), audit: RecordingTrail(), gate: LivingMasters())
        #expect(!toolbox.update(policy(many)))
        var quiet = policy(many)
        quiet.limits.sessionsPerHost = 3
        #expect(!toolbox.update(quiet), "nothing that is described")
        quiet.limits.maxTimeoutSeconds = 5
        #expect(toolbox.update(quiet), "a description")
        many.append(host("h99"))
        #expect(toolbox.update(policy(many)), "a host, although the instructions name the first 20 only")
        many[29].execAllowlist = ["git "]
        #expect(toolbox.update(policy(many)))
        many[0].baseDir = "/srv"
        #expect(toolbox.update(policy(many)))
        #expect(!toolbox.update(policy(many)))
    }

    @Test func `a host may be without a capability that others have`() async {
        let policy = policy([host("a", exec: false), host("b")])
        #expect(
            await failure(policy, ["command": "true"])
                == #"hosts.a.capabilities.exec is false: this tool is switched off on "a". Use another host, or ask the "#
                + "user to set hosts.a.capabilities.exec to true.")
        // The other host gets as far as the gate, which is not there.
        #expect(await failure(policy, ["command": "true", "host": "b"])?.contains("claude-ssh-gate") == true)
    }

    @Test func `an unknown host is told, with those that there are`() async {
        let sentence = await failure(policy([host("b"), host("a")]), ["command": "true", "host": "c"])
        #expect(
            sentence == #"There is no host "c". The configured hosts are: "a", "b". Name one of them, or ask the "#
                + #"user to add this one under "hosts" in the config."#)
        let many = await failure(policy((0..<30).map { host("h\($0)") }), ["command": "true", "host": "c"])
        #expect(many?.contains(#""h26", and 10 more."#) == true, "\(many ?? "")")
        #expect(
            await failure(policy([host("a")]), ["command": "true", "host": ""])?.contains("There is no host \"\"")
                == true)
    }

    @Test func `mistakes of ssh_exec name the argument`() async {
        let policy = policy([host("a")])
        let cases: [(JSONObject, String)] = [
            ([:], "command"), (["command": 5], "command"), (["command": ""], "command"),
            (["command": "x", "cwd": 5], "cwd"),
            (["command": "x", "env": []], "env"), (["command": "x", "env": ["a b": "c"]], "env"),
            (["command": "x", "stdin": [:]], "stdin"),
            (["command": "x", "timeout_seconds": 0], "timeout_seconds"),
            (["command": "x", "timeout_seconds": 601], "timeout_seconds"),
            (["command": "x", "timeout_seconds": "5"], "timeout_seconds"), (["command": "x", "host": 5], "host"),
            (["command": "a\0b"], "command"), (["command": "x", "cmd": "y"], "cmd"), (["Command": "x"], "Command"),
        ]
        for (arguments, name) in cases {
            let sentence = await failure(policy, arguments)
            #expect(sentence?.contains("argument \"\(name)\"") == true, "\(sentence ?? "no failure")")
        }
        #expect(
            await failure(policy, ["host": "a"], tool: "ssh_connection_status")?.contains("argument \"host\"") == true)
    }

    @Test func `arguments are judged before the host, the host before the policy`() async {
        let strict = policy([host("a", exec: false, allowlist: [], baseDir: "/srv")])
        #expect(
            Toolbox(policy: strict, broker: NoLocalFiles(), audit: RecordingTrail(), gate: LivingMasters()).tools.count
                == 1)
        let mixed = policy([
            host("a", exec: false, allowlist: []), host("b", allowlist: ["git "], baseDir: "/srv"), host("c"),
        ])
        #expect(await failure(mixed, ["command": 1, "host": "none"])?.contains("argument \"command\"") == true)
        #expect(await failure(mixed, ["command": "rm x", "host": "none"])?.contains("There is no host") == true)
        #expect(await failure(mixed, ["command": "rm x", "host": "a"])?.contains("capabilities.exec") == true)
        #expect(await failure(mixed, ["command": "rm x", "host": "b"])?.contains("exec_allowlist") == true)
        #expect(await failure(mixed, ["command": "rm x", "host": "c"])?.contains("safeguards.allow_delete") == true)
        #expect(await failure(mixed, ["command": "git status", "host": "b"])?.contains("base_dir") == true)
        #expect(
            await failure(mixed, ["command": "git status", "host": "b", "cwd": "/srv/../etc"])?.contains("base_dir")
                == true)
        #expect(
            await failure(mixed, ["command": "git status", "host": "b", "cwd": "/srv/x"])?.contains("claude-ssh-gate")
                == true)
    }

    @Test func `allow_delete lets a deleting command through`() async {
        var allowed = policy([host("a")])
        allowed.allowDelete = true
        #expect(await failure(allowed, ["command": "rm x"])?.contains("claude-ssh-gate") == true)
    }

    @Test func `the longest timeout is the config's, in the schema and in the judgement`() async {
        var short = policy([host("a")])
        short.limits.maxTimeoutSeconds = 10
        let schema = Toolbox(policy: short, broker: NoLocalFiles(), audit: RecordingTrail(), gate: LivingMasters())
            .tools[1].inputSchema[
                "properties"]?.object?[
                "timeout_seconds"]
        #expect(schema?.object?["maximum"] == 10)
        #expect(schema?.object?["description"] == "Default 10")
        #expect(
            await failure(short, ["command": "x", "timeout_seconds": 11])?.contains("from 1 to 10, not 11") == true)
    }

    @Test(arguments: [1, 20, 21, 5000])
    func `tools/list stays under 9 KB, however many hosts there are`(count: Int) {
        var hosts = (0..<count).map { host("host-\($0)-\(String(repeating: "x", count: 80))") }
        for index in hosts.indices {
            hosts[index].capabilities.fileRead = true
            hosts[index].capabilities.fileWrite = true
            hosts[index].capabilities.portForward = true
        }
        let writer = RecordingWriter()
        let server = Server(
            name: "n", version: "v",
            tools: Toolbox(
                policy: policy(hosts), broker: NoLocalFiles(), audit: RecordingTrail(), gate: LivingMasters()),
            writer: writer)
        server.receive(
            Array(#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#.utf8))
        server.receive(Array(#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#.utf8))
        let lines = writer.bytes
        #expect(lines.count == 2)
        #expect(lines[1].count < 9 * 1024, "\(lines[1].count)")
        #expect(lines[0].count < 9 * 1024, "and so do the instructions")
    }

    @Test func `every tool's schema names its arguments and forbids others, and its hints are honest`() {
        for tool in Toolbox(
            policy: policy([host("a")]), broker: NoLocalFiles(), audit: RecordingTrail(), gate: LivingMasters()
        ).tools {
            #expect(tool.inputSchema["type"] == "object" && tool.outputSchema["type"] == "object")
            #expect(tool.inputSchema["additionalProperties"] == false)
            let isStatus = tool.name == "ssh_connection_status"
            #expect(tool.annotations["readOnlyHint"] == .bool(isStatus))
            #expect(tool.annotations["destructiveHint"] == .bool(!isStatus))
            #expect(tool.description.count < 600)
        }
    }

    @Test func `the instructions tell hosts, default, confinement and what is off`() {
        let text = Toolbox(
            policy: policy([
                host("a"), host("b", allowlist: []), host("c", allowlist: ["git ", "make "], baseDir: "/srv/app"),
            ]), broker: NoLocalFiles(), audit: RecordingTrail(), gate: LivingMasters()
        ).instructions
        #expect(text.contains("Hosts: a (default), b, c."))
        #expect(text.contains("No commands may run on b."))
        #expect(text.contains(#"On c only commands that begin with "git ", "make " may run."#))
        #expect(text.contains("c is confined to /srv/app."))
        #expect(!text.contains("Running commands is switched off"))
        #expect(text.contains("Reading files is switched off. Writing and transferring files is switched off."))
        #expect(text.contains("Commands that delete are refused."))
        var mixed = policy([host("a", exec: false), host("b")])
        mixed.hosts[1].capabilities.fileRead = true
        mixed.allowDelete = true
        let others = Toolbox(policy: mixed, broker: NoLocalFiles(), audit: RecordingTrail(), gate: LivingMasters())
            .instructions
        #expect(others.contains("Running commands is switched off on a. Reading files is switched off on a."))
        #expect(!others.contains("delete"))
        #expect(
            Toolbox(
                policy: policy([host("a", exec: false)]), broker: NoLocalFiles(), audit: RecordingTrail(),
                gate: LivingMasters()
            )
            .instructions.contains(
                "Running commands is switched off.")
        )
        let many = Toolbox(
            policy: policy((0..<25).map { host("h\($0 + 10)") }), broker: NoLocalFiles(), audit: RecordingTrail(),
            gate: LivingMasters()
        ).instructions
        #expect(many.contains("h29, and 5 more."))
        #expect(!many.contains("h30"))
    }
}
