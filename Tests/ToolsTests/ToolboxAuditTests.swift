import IPC
import JSON
import MCP
import Synchronization
import TestSupport
import Testing

@testable import Guard
@testable import Tools

/// Writes down what a toolbox says of its calls.
final class RecordingTrail: AuditBroker {
    struct Entry {
        let call: AuditCall
        var outcome: AuditOutcome?
    }

    private let entries = Mutex<[Entry]>([])
    /// Whether somebody takes the records.
    let isThere: Bool
    /// What happens before a record is taken.
    let meanwhile: @Sendable () -> Void

    init(isThere: Bool = true, meanwhile: @escaping @Sendable () -> Void = {}) {
        self.isThere = isThere
        self.meanwhile = meanwhile
    }

    var all: [Entry] { entries.withLock { $0 } }

    func begin(_ call: AuditCall) async -> UInt32? {
        guard isThere else { return nil }
        meanwhile()
        return entries.withLock {
            $0.append(Entry(call: call))
            return UInt32($0.count - 1)
        }
    }

    func end(_ number: UInt32, _ outcome: AuditOutcome) {
        entries.withLock { $0[Int(number)].outcome = outcome }
    }
}

/// A supervisor that refuses every local file by a rule.
private struct ClosedLocalFiles: LocalFileBroker, ForwardBroker {
    func ask(_ request: ToSupervisor.Files) async -> LocalAnswer { .refused("not in local_roots", rule: "local_roots") }
    func abandon(handle: UInt32) {}
}

/// No test here starts ssh: `sshPath` names nothing.
@Suite("Toolbox and audit")
struct ToolboxAuditTests {
    private func host(_ name: String, _ change: (inout PolicySnapshot.Host) -> Void = { _ in }) -> PolicySnapshot.Host {
        var host = PolicySnapshot.Host(name: name, socket: "/run/\(name).sock", user: "u", host: "h")
        host.capabilities.exec = true
        host.capabilities.fileRead = true
        host.capabilities.fileWrite = true
        host.capabilities.portForward = true
        change(&host)
        return host
    }

    private func policy(_ hosts: PolicySnapshot.Host...) -> PolicySnapshot {
        PolicySnapshot(hosts: hosts, defaultHost: hosts.first?.name ?? "", sshPath: "/nonexistent/ssh")
    }

    /// The one record of a call, and the call's result.
    private func record(
        _ policy: PolicySnapshot, _ tool: String, _ arguments: JSONObject
    ) async throws -> (entry: RecordingTrail.Entry, outcome: AuditOutcome, result: ToolResult?) {
        let trail = RecordingTrail()
        let toolbox = Toolbox(
            policy: policy, broker: ClosedLocalFiles(), audit: trail, gate: LivingMasters(policy: policy))
        let result = await toolbox.call(tool, arguments: arguments, progress: .none)
        #expect(trail.all.count == 1)
        let entry = try #require(trail.all.first)
        return (entry, try #require(entry.outcome), result)
    }

    private func sentence(_ result: ToolResult?) -> String {
        if case .failure(let sentence) = result { sentence } else { "" }
    }

    @Test func `a call is told with its tool, the host that it resolves to, and its arguments`() async throws {
        let policy = policy(host("a"), host("b"))
        let (exec, _, _) = try await record(policy, "ssh_exec", ["command": "id", "cwd": "/srv"])
        #expect(
            exec.call == AuditCall(tool: "ssh_exec", host: "a", fields: [.init(.command, "id"), .init(.cwd, "/srv")]))
        let (read, _, _) = try await record(policy, "ssh_read_file", ["path": "/etc/motd", "host": "b"])
        #expect(read.call == AuditCall(tool: "ssh_read_file", host: "b", fields: [.init(.path, "/etc/motd")]))
        let (upload, _, _) = try await record(
            policy, "ssh_upload_file", ["local_path": "/l", "remote_path": "/r", "host": "b"])
        #expect(upload.call.fields == [.init(.localPath, "/l"), .init(.remotePath, "/r")])
        let (ports, _, _) = try await record(
            policy, "ssh_forward_port", ["remote_host": "db", "remote_port": 5432, "local_port": 15432])
        #expect(
            ports.call.fields == [.init(.remoteHost, "db"), .init(.remotePort, "5432"), .init(.localPort, "15432")])
        let (status, outcome, _) = try await record(policy, "ssh_connection_status", [:])
        #expect(status.call == AuditCall(tool: "ssh_connection_status", host: "", fields: []))
        #expect(outcome.ending == .ok && outcome.rule.isEmpty)
    }

    @Test func `whether masters live is asked before a status is written down, and is asked once`() async throws {
        let gate = AskedGate()
        let begun = Mutex<[Int]>([])
        let trail = RecordingTrail(meanwhile: { begun.withLock { $0.append(gate.asked) } })
        let toolbox = Toolbox(
            policy: policy(host("a"), host("b")), broker: ClosedLocalFiles(), audit: trail, gate: gate)
        _ = await toolbox.call("ssh_list_forwards", arguments: [:], progress: .none)
        _ = await toolbox.call("ssh_connection_status", arguments: [:], progress: .none)
        #expect(begun.withLock { $0 } == [0, 2])
        #expect(gate.asked == 2)
    }

    @Test func `content and values of variables are never told, nor arguments that the log does not know`() async throws
    {
        let secret = "hunter2"
        let arguments: [(String, JSONObject)] = [
            ("ssh_exec", ["command": "id", "stdin": .string(secret), "env": ["TOKEN": .string(secret)]]),
            ("ssh_exec", ["command": "id", "env": [secret + "=x": "y"]]),
            ("ssh_exec", ["command": "id", "env": .string(secret)]),
            ("ssh_exec", ["command": ["x": .string(secret)], "cwd": [.string(secret)], "password": .string(secret)]),
            ("ssh_write_file", ["path": "/f", "content": .string(secret)]),
            ("ssh_edit_file", ["path": "/f", "edits": [["old_text": .string(secret), "new_text": .string(secret)]]]),
        ]
        for (tool, arguments) in arguments {
            let (entry, outcome, _) = try await record(policy(host("a")), tool, arguments)
            #expect(!"\(entry.call) \(outcome)".contains(secret), "\(arguments)")
        }
        let (entry, _, _) = try await record(
            policy(host("a")), "ssh_exec", ["command": "id", "env": ["B": "1", "A": "2", "no name": "3"]])
        #expect(entry.call.fields == [.init(.command, "id"), .init(.env, "?"), .init(.env, "A"), .init(.env, "B")])
    }

    @Test func `however many variables there are, the record stays small and says how many`() async throws {
        var variables = JSONObject()
        for index in 0..<1000 { variables["V\(index)"] = "x" }
        let command = String(repeating: "é", count: 100_000)
        let (entry, _, _) = try await record(
            policy(host("a")), "ssh_exec", ["command": .string(command), "env": .object(variables)])
        #expect(entry.call.fields.count == 32)
        #expect(entry.call.fields.last?.text == "… [1000 in all]")
        #expect(entry.call.fields.first?.text.hasSuffix("é… [cut, 200000 bytes]") == true)
        #expect(entry.call.fields.first?.text.utf8.count ?? 0 <= 4096)
    }

    /// `names` is what the sentence must name besides: what would allow the call, and the host.
    @Test func `every refusal is told with its rule, and to the model with its key and host`() async throws {
        let strict = policy(
            host("a") { $0.execAllowlist = ["git "] },
            host("b") { $0.baseDir = "/srv" }, host("c") { $0.capabilities.exec = false })
        let edit: JSONObject = ["path": "/f", "edits": [["old_text": "a", "new_text": "b"]]]
        let cases: [(String, JSONObject, String, names: [String])] = [
            ("ssh_exec", ["command": "id"], "exec_allowlist", ["hosts.a.exec_allowlist", "\"a\""]),
            (
                "ssh_exec", ["command": "rm x", "host": "b", "cwd": "/srv"], "allow_delete",
                ["safeguards.allow_delete", "\"b\""]
            ),
            ("ssh_exec", ["command": "id", "host": "b"], "base_dir", ["hosts.b.base_dir"]),
            ("ssh_read_file", ["path": "/etc/passwd", "host": "b"], "base_dir", ["hosts.b.base_dir"]),
            ("ssh_exec", ["command": "id", "host": "c"], "capability", ["hosts.c.capabilities.exec", "\"c\""]),
            ("ssh_exec", ["command": "id", "host": "d"], "host", ["hosts", "\"d\""]),
            ("ssh_exec", ["cmd": "id"], "arguments", ["cmd"]),
            ("ssh_read_file", ["path": "relative"], "arguments", ["path"]),
            ("ssh_connection_status", ["x": 1], "arguments", ["x"]),
            ("ssh_edit_file", edit, "allow_overwrite", ["safeguards.allow_overwrite", "\"a\""]),
            // What is local has no host; the supervisor's sentence is tested with it.
            ("ssh_upload_file", ["local_path": "/l", "remote_path": "/r"], "local_roots", ["local_roots"]),
            ("ssh_download_file", ["local_path": "/l", "remote_path": "/r"], "local_roots", ["local_roots"]),
            ("nonsense", [:], "tool", []),
        ]
        for (tool, arguments, rule, names) in cases {
            let (_, outcome, result) = try await record(strict, tool, arguments)
            #expect(outcome.rule == rule, "\(tool) \(arguments)")
            for name in names { #expect(sentence(result).contains(name), "\(sentence(result))") }
        }
        let (_, off, result) = try await record(policy(host("a") { $0.capabilities.exec = false }), "ssh_exec", [:])
        #expect(off.rule == "capability" && result == nil, "off everywhere")
        let (_, failed, _) = try await record(policy(host("a")), "ssh_exec", ["command": "id"])
        #expect(failed.rule.isEmpty && failed.ending == .error, "what fails was allowed")
    }

    @Test func `a call that nobody writes down is not made`() async {
        let toolbox = Toolbox(
            policy: policy(host("a")), broker: NoLocalFiles(), audit: RecordingTrail(isThere: false),
            gate: LivingMasters())
        let result = await toolbox.call("ssh_exec", arguments: ["command": "rm x"], progress: .none)
        #expect(sentence(result).hasPrefix("The call was not made"))
    }

    @Test func `a policy that comes while a call is written down judges it, on the host that was written down`() async {
        let changing = Mutex<Toolbox?>(nil)
        var other = policy(host("a") { $0.capabilities.exec = false }, host("b"))
        other.defaultHost = "b"
        let trail = RecordingTrail(meanwhile: { [other] in _ = changing.withLock { $0?.update(other) } })
        let toolbox = Toolbox(
            policy: policy(host("a"), host("b")), broker: NoLocalFiles(), audit: trail,
            gate: LivingMasters(policy: other))
        changing.withLock { $0 = toolbox }
        let result = await toolbox.call("ssh_exec", arguments: ["command": "true"], progress: .none)
        #expect(sentence(result).contains("hosts.a.capabilities.exec is false"), "\(sentence(result))")
        #expect(trail.all[0].call.host == "a" && trail.all[0].outcome?.rule == "capability")
        changing.withLock { $0 = nil }
    }

    @Test func `a call is begun before it is judged, and ended after it is done`() async {
        /// Asks for a local file in the middle of a call and looks at the record then.
        final class Broker: LocalFileBroker, ForwardBroker {
            let trail: RecordingTrail
            let seen = Mutex<[Bool]>([])
            init(_ trail: RecordingTrail) { self.trail = trail }
            func ask(_ request: ToSupervisor.Files) async -> LocalAnswer {
                seen.withLock { $0.append(trail.all.count == 1 && trail.all[0].outcome == nil) }
                return .refused("no", rule: "")
            }
            func abandon(handle: UInt32) {}
        }
        let trail = RecordingTrail()
        let broker = Broker(trail)
        let toolbox = Toolbox(policy: policy(host("a")), broker: broker, audit: trail, gate: LivingMasters())
        _ = await toolbox.call(
            "ssh_upload_file", arguments: ["local_path": "/l", "remote_path": "/r"], progress: .none)
        #expect(broker.seen.withLock { $0 } == [true])
        #expect(trail.all[0].outcome?.rule == "" && trail.all[0].outcome?.ending == .error)
    }

    /// Every tool with arguments that are right, and the capabilities that it needs.
    private static let tools: [(name: String, arguments: JSONObject, needs: [String])] = [
        ("ssh_exec", ["command": "true"], ["exec"]), ("ssh_read_file", ["path": "/f"], ["file_read"]),
        ("ssh_list_dir", ["path": "/f"], ["file_read"]),
        ("ssh_write_file", ["path": "/f", "content": ""], ["file_write"]),
        (
            "ssh_edit_file", ["path": "/f", "edits": [["old_text": "a", "new_text": "b"]]], ["file_write", "file_read"]
        ),
        ("ssh_upload_file", ["local_path": "/l", "remote_path": "/f"], ["file_write"]),
        ("ssh_download_file", ["local_path": "/l", "remote_path": "/f"], ["file_write"]),
        ("ssh_forward_port", ["remote_host": "db", "remote_port": 1], ["port_forward"]),
    ]

    @Test func `of a tool that no host has, the key that switches it on is named`() {
        let none = policy(
            host("a") { $0.capabilities = .init() })
        let toolbox = Toolbox(policy: none, broker: NoLocalFiles(), audit: RecordingTrail(), gate: LivingMasters())
        #expect(toolbox.tools.map(\.name) == ["ssh_connection_status"])
        for (tool, _, needs) in Self.tools {
            for need in needs {
                let why = toolbox.whyOff(tool)
                #expect(
                    why?.contains("no host has") == true && why?.contains("capabilities.\(need)") == true, "\(tool)")
            }
        }
        #expect(toolbox.whyOff("nonsense") == nil)
    }

    @Test func `a tool that one host has switched off is listed, refuses there, and only there`() async throws {
        let names = Toolbox(
            policy: policy(host("a")), broker: NoLocalFiles(), audit: RecordingTrail(), gate: LivingMasters()
        ).tools.map(
            \.name)
        #expect(
            Set(names).subtracting(["ssh_connection_status", "ssh_list_forwards", "ssh_cancel_forward"])
                == Set(Self.tools.map(\.name)), "every tool that needs a capability of its host is tried here")
        for (tool, arguments, needs) in Self.tools {
            for need in needs {
                let narrow = policy(
                    host("a"),
                    host("b") {
                        switch need {
                        case "exec": $0.capabilities.exec = false
                        case "file_read": $0.capabilities.fileRead = false
                        case "port_forward": $0.capabilities.portForward = false
                        default: $0.capabilities.fileWrite = false
                        }
                    })
                let listed = Toolbox(
                    policy: narrow, broker: NoLocalFiles(), audit: RecordingTrail(), gate: LivingMasters()
                ).tools.map(\.name)
                #expect(listed == names, "\(tool)")
                var there = arguments
                there["host"] = "b"
                let (_, outcome, result) = try await record(narrow, tool, there)
                #expect(
                    sentence(result)
                        == "hosts.b.capabilities.\(need) is false: this tool is switched off on \"b\". Use another host, "
                        + "or ask the user to set hosts.b.capabilities.\(need) to true.", "\(tool)")
                #expect(outcome.rule == "capability", "\(tool)")
                let (_, elsewhere, _) = try await record(narrow, tool, arguments)
                #expect(elsewhere.rule != "capability", "\(tool)")
            }
        }
    }
}
