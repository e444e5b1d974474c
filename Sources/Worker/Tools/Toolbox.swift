public import IPC
public import JSON
public import MCP
internal import Guard
internal import SFTP
public import SSH
internal import Synchronization

/// The tools over one policy, which a reload may replace.
public final class Toolbox: ToolSet {
    private static let all: [any Tool.Type] = [
        ConnectionStatusTool.self, ExecTool.self, ReadFileTool.self, ListDirTool.self, WriteFileTool.self,
        EditFileTool.self, UploadFileTool.self, DownloadFileTool.self, ForwardPortTool.self, ListForwardsTool.self,
        CancelForwardTool.self,
    ]

    private let context: Mutex<ToolContext>
    private let audit: any AuditBroker
    private let gate: any MasterGate

    /// The tools that `policy` turns on, with local files and forwards by way of `broker`, calls written down in `audit`, and what
    /// `gate` tells of ControlMasters.
    public init(
        policy: PolicySnapshot, broker: any LocalFileBroker & ForwardBroker, audit: any AuditBroker,
        gate: any MasterGate
    ) {
        self.audit = audit
        self.gate = gate
        context = Mutex(Self.context(policy, keeping: nil, broker, gate))
    }

    /// Puts a new policy in force for every call that starts from now on; those under way end under the old one.
    /// - Returns: whether clients see other tools, hosts or instructions than before.
    public func update(_ policy: PolicySnapshot) -> Bool {
        let old = context.withLock { context in
            defer { context = Self.context(policy, keeping: context, context.broker, gate) }
            return context.policy
        }
        return old.hosts != policy.hosts || Instructions.text(old) != Instructions.text(policy)
            || Self.tools(old) != Self.tools(policy)
    }

    /// The ways to a host that stays the same are kept, and what is known of its ControlMaster whatever changes: sessions that
    /// are open stay open.
    private static func context(
        _ policy: PolicySnapshot, keeping old: ToolContext?, _ broker: any LocalFileBroker & ForwardBroker,
        _ gate: any MasterGate
    ) -> ToolContext {
        let unchanged = old?.policy.sshPath == policy.sshPath
        var masters = old?.masters ?? MasterTable()
        masters.update(sockets: Set(policy.hosts.map(\.master.socket)), sessions: policy.limits.sessionsPerHost)
        let pairs = policy.hosts.compactMap { host -> (String, HostAccess)? in
            if unchanged, let kept = old?.access[host.name], old?.policy.hosts.contains(host) == true {
                return (host.name, kept)
            }
            guard let master = masters[host.master.socket] else { return nil }
            let sessions = HostSessions(host: host, sshPath: policy.sshPath, master: master, gate: gate)
            return (host.name, HostAccess(sessions: sessions, files: SFTPChannel(sessions: sessions)))
        }
        let kept = old?.guardian?.patterns == policy.patterns ? old?.guardian : nil
        return ToolContext(
            policy: policy, access: Dictionary(uniqueKeysWithValues: pairs), broker: broker,
            masters: masters,
            guardian: policy.guardDisabled ? nil : kept ?? InjectionGuard(patterns: policy.patterns))
    }

    private var policy: PolicySnapshot { context.withLock(\.policy) }

    /// See `ToolSet`.
    public var tools: [ToolDescription] { Self.tools(policy) }

    private static func tools(_ policy: PolicySnapshot) -> [ToolDescription] {
        all.filter { $0.isOn(policy) }.map { $0.description(policy) }
    }

    /// See `ToolSet`.
    public var instructions: String { Instructions.text(policy) }

    /// See `ToolSet`.
    public func whyOff(_ name: String) -> String? {
        guard let tool = Self.all.first(where: { $0.name == name }) else { return nil }
        let keys = tool.needs.map { "capabilities.\($0.key)" }.joined(separator: " and ")
        return "the tool is switched off, because no host has \(keys); ask the user to turn that on in the config"
    }

    /// See `ToolSet`. Nothing of a call is judged or done before the audit knows of it. The call works under the policy of the
    /// time when the audit knows of it: by then the supervisor has sent this worker every earlier policy.
    public func call(_ name: String, arguments: JSONObject, progress: Progress) async -> ToolResult? {
        let tool = Self.all.first { $0.name == name }
        var arguments = arguments
        var host = arguments["host"]?.string ?? ""
        if tool?.hasHost == true, arguments["host"]?.string == nil {
            // The call is written down for the same host on which it is done, even where the default changes in between.
            host = policy.defaultHost
            if arguments["host"] == nil { arguments["host"] = .string(host) }
        }
        guard let number = await audit.begin(AuditCall(tool: name, host: host, arguments)) else {
            return .failure("The call was not made: the supervisor, which writes down every call, does not answer.")
        }
        let context = context(progress)
        let result = await call(tool, arguments, in: context)
        audit.end(number, context.notes.outcome(result, cancelled: Task.isCancelled))
        return result
    }

    /// What a call that begins now works with.
    private func context(_ progress: Progress) -> ToolContext {
        var context = context.withLock { $0 }
        context.progress = progress
        context.notes = CallNotes()
        return context
    }

    private func call(_ tool: (any Tool.Type)?, _ arguments: JSONObject, in context: ToolContext) async -> ToolResult? {
        guard let tool else {
            context.notes.refused(by: "tool")
            return nil
        }
        guard tool.isOn(context.policy) else {
            context.notes.refused(by: "capability")
            return nil
        }
        let result = await tool.call(arguments, in: context)
        guard let guardian = context.guardian else { return result }
        return await InjectionWarning.searched(result, by: guardian)
    }
}
