public import IPC
public import JSON
public import MCP
internal import Guard
internal import SFTP
public import SSH
internal import Synchronization

/// The tools and the policy by which they work. A reload may replace the policy.
public final class Toolbox: ToolSet {
    private static let all: [any Tool.Type] = [
        ConnectionStatusTool.self, ExecTool.self, ReadFileTool.self, ListDirTool.self, WriteFileTool.self,
        EditFileTool.self, UploadFileTool.self, DownloadFileTool.self, ForwardPortTool.self, ListForwardsTool.self,
        CancelForwardTool.self,
    ]

    private let context: Mutex<ToolContext>
    private let audit: any AuditBroker
    private let gate: any MasterGate

    /// The tools that `policy` switches on.
    /// - Parameters:
    ///   - broker: gives local files and forwards.
    ///   - audit: writes calls to the audit log.
    ///   - gate: tells of ControlMasters, and opens sessions.
    public init(
        policy: PolicySnapshot, broker: any LocalFileBroker & ForwardBroker, audit: any AuditBroker,
        gate: any MasterGate
    ) {
        self.audit = audit
        self.gate = gate
        context = Mutex(Self.context(policy, keeping: nil, broker, gate))
    }

    /// Replaces the policy for all calls that begin from now on. Calls under way keep the old one.
    /// - Returns: whether clients see other tools, hosts or instructions than before.
    public func update(_ policy: PolicySnapshot) -> Bool {
        let old = context.withLock { context in
            defer { context = Self.context(policy, keeping: context, context.broker, gate) }
            return context.policy
        }
        return old.hosts != policy.hosts || Instructions.text(old) != Instructions.text(policy)
            || Self.tools(old) != Self.tools(policy)
    }

    /// Makes the ways to the hosts of a policy. Those to a host that has not changed are kept, and what is known of a
    /// ControlMaster is kept in any case, so that open sessions stay open.
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

    /// See `ToolSet`. A call is judged and done only after the supervisor has written down that it begins. It works by the policy
    /// of that time, because by then the supervisor has sent this worker every earlier one. What is asked ahead opens nothing, and
    /// is of use only where that policy has the same host.
    public func call(_ name: String, arguments: JSONObject, progress: Progress) async -> ToolResult? {
        let tool = Self.all.first { $0.name == name }
        var arguments = arguments
        var host = arguments["host"]?.string ?? ""
        if tool?.hasHost == true, arguments["host"]?.string == nil {
            // The default host may change meanwhile. The call is done on the host for which it was written down.
            host = policy.defaultHost
            if arguments["host"] == nil { arguments["host"] = .string(host) }
        }
        let ahead = tool?.askAhead(context.withLock { $0 })
        guard let number = await audit.begin(AuditCall(tool: name, host: host, arguments)) else {
            return .failure("The call was not made: the supervisor, which writes down every call, does not answer.")
        }
        let context = context(progress, ahead ?? MasterStates())
        let inHand = CallInHand(number)
        let result = await CallInHand.$current.withValue(inHand) { await call(tool, arguments, in: context) }
        let outcome = context.notes.outcome(result, cancelled: Task.isCancelled)
        inHand.finish { [audit] in audit.end(number, outcome) }
        return result
    }

    /// The context of a call that begins now.
    private func context(_ progress: Progress, _ ahead: MasterStates) -> ToolContext {
        var context = context.withLock { $0 }
        context.ahead = ahead
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
