public import IPC
public import JSON
public import MCP
internal import Policy
internal import SFTP
internal import SSH
internal import Synchronization

/// One tool: how it is described, and what it does.
protocol Tool: Sendable {
    static var name: String { get }
    /// What a host must allow, all of it; the tool is there where one host does.
    static var needs: [Capability] { get }
    static func description(_ policy: PolicySnapshot) -> ToolDescription
    static func call(_ arguments: JSONObject, in context: ToolContext) async -> ToolResult
    /// Whether a call that names no host goes to the default one.
    static var hasHost: Bool { get }
}

extension Tool {
    static var hasHost: Bool { true }
}

/// The ways to one host.
struct HostAccess: Sendable {
    let sessions: HostSessions
    let files: SFTPChannel
}

/// What a call works with: the policy as it was when the call began, the ways to the hosts, and to local files.
struct ToolContext: Sendable {
    let policy: PolicySnapshot
    let access: [String: HostAccess]
    let broker: any LocalFileBroker & ForwardBroker
    /// What those who go through one ControlMaster share.
    var masters = MasterTable()
    /// Searches what comes from hosts; nil where the config turns that off.
    let guardian: InjectionGuard?
    /// Where the call says how far it has come.
    var progress = Progress.none
    /// Where the call notes what the audit tells of it.
    var notes = CallNotes()

    /// Asks the supervisor for a local file.
    func ask(_ request: ToSupervisor.Files) async throws(FileFailure) -> LocalAnswer {
        let answer = await broker.ask(request)
        if case .refused(let sentence, let rule) = answer { throw FileFailure(sentence: sentence, rule: rule) }
        return answer
    }

    /// Does a call's work. Whatever goes wrong becomes a sentence here, and a refusal's rule a note for the audit.
    func result(of work: () async throws -> JSONObject) async -> ToolResult {
        do {
            return .success(try await work())
        } catch let mistake as Arguments.Mistake {
            notes.refused(by: mistake.rule)
            return .failure(mistake.sentence)
        } catch let refusal as Policy.Refusal {
            notes.refused(by: refusal.rule)
            return .failure(refusal.description)
        } catch let failure as FileFailure {
            notes.refused(by: failure.rule)
            return .failure(failure.sentence)
        } catch is CancellationError {
            return .failure("The call was cancelled.")
        } catch {
            return .failure(
                "The call failed for a reason that this program has no words for. Ask the user to report it.")
        }
    }

    /// Hosts named one by one in a sentence; more are only counted.
    private static let namedHosts = 20

    /// The host that the argument `host` names, or the default.
    func host(_ name: String?) throws(Arguments.Mistake) -> PolicySnapshot.Host {
        let wanted = name ?? policy.defaultHost
        guard let host = policy.hosts.first(where: { $0.name.hasBytes(of: wanted) }) else {
            let names = policy.hosts.prefix(Self.namedHosts).map { "\"\($0.name)\"" }.joined(separator: ", ")
            let more = policy.hosts.count > Self.namedHosts ? ", and \(policy.hosts.count - Self.namedHosts) more" : ""
            throw Arguments.Mistake(
                sentence: "There is no host \"\(wanted.bounded)\". The configured hosts are: \(names)\(more). "
                    + "Name one of them, or ask the user to add this one under \"hosts\" in the config.",
                rule: "host")
        }
        return host
    }
}

extension Tool {
    static func isOn(_ policy: PolicySnapshot) -> Bool {
        policy.hosts.contains { host in needs.allSatisfy { $0.isOn(host.capabilities) } }
    }
}

/// The tools over one policy, which a reload may replace.
public final class Toolbox: ToolSet {
    private static let all: [any Tool.Type] = [
        ConnectionStatusTool.self, ExecTool.self, ReadFileTool.self, ListDirTool.self, WriteFileTool.self,
        EditFileTool.self, UploadFileTool.self, DownloadFileTool.self, ForwardPortTool.self, ListForwardsTool.self,
        CancelForwardTool.self,
    ]

    private let context: Mutex<ToolContext>
    private let audit: any AuditBroker

    /// The tools that `policy` turns on, with local files and forwards by way of `broker`, and calls written down in `audit`.
    public init(
        policy: PolicySnapshot, broker: any LocalFileBroker & ForwardBroker, audit: any AuditBroker
    ) {
        self.audit = audit
        context = Mutex(Self.context(policy, keeping: nil, broker))
    }

    /// Puts a new policy in force for every call that starts from now on; those under way end under the old one.
    /// - Returns: whether clients see other tools, hosts or instructions than before.
    public func update(_ policy: PolicySnapshot) -> Bool {
        let old = context.withLock { context in
            defer { context = Self.context(policy, keeping: context, context.broker) }
            return context.policy
        }
        return old.hosts != policy.hosts || Instructions.text(old) != Instructions.text(policy)
            || Self.tools(old) != Self.tools(policy)
    }

    /// The ways to a host that stays the same are kept, and what is known of its ControlMaster whatever changes: sessions that
    /// are open stay open.
    private static func context(
        _ policy: PolicySnapshot, keeping old: ToolContext?, _ broker: any LocalFileBroker & ForwardBroker
    ) -> ToolContext {
        let unchanged = old?.policy.sshPath == policy.sshPath
        var masters = old?.masters ?? MasterTable()
        masters.update(sockets: Set(policy.hosts.map(\.master.socket)), sessions: policy.limits.sessionsPerHost)
        let pairs = policy.hosts.compactMap { host -> (String, HostAccess)? in
            if unchanged, let kept = old?.access[host.name], old?.policy.hosts.contains(host) == true {
                return (host.name, kept)
            }
            guard let master = masters[host.master.socket] else { return nil }
            let sessions = HostSessions(host: host, sshPath: policy.sshPath, master: master)
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
        let keys = tool.needs.map { "capabilities.\($0.rawValue)" }.joined(separator: " and ")
        return "the tool is switched off, because no host has \(keys); ask the user to turn that on in the config"
    }

    /// See `ToolSet`. Nothing of a call is judged or done before the audit knows of it. The policy is that of the time
    /// when it does: the supervisor has sent this worker every policy of before by then.
    public func call(_ name: String, arguments: JSONObject, progress: Progress) async -> ToolResult? {
        let tool = Self.all.first { $0.name == name }
        var arguments = arguments
        var host = arguments["host"]?.string ?? ""
        if tool?.hasHost == true, arguments["host"]?.string == nil {
            // Written down and done on the same one, should the default change in between.
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
