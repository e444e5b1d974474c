public import IPC
public import MCP
internal import SFTP
internal import SSH
internal import Synchronization

/// One tool: how it is described, and what it does.
protocol Tool: Sendable {
    static var name: String { get }
    /// Whether the policy lists it.
    static func isOn(_ policy: PolicySnapshot) -> Bool
    static func description(_ policy: PolicySnapshot) -> ToolDescription
    static func call(_ arguments: JSONObject, in context: ToolContext) async -> ToolResult
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
    /// Where the call says how far it has come.
    var progress = Progress.none

    /// Asks the supervisor for a local file.
    func ask(_ request: ToSupervisor) async throws(FileFailure) -> LocalAnswer {
        let answer = await broker.ask(request)
        if case .refused(let sentence) = answer { throw FileFailure(sentence: sentence) }
        return answer
    }

    /// The host that the argument `host` names, or the default.
    func host(_ name: String?) throws(Arguments.Mistake) -> PolicySnapshot.Host {
        let wanted = name ?? policy.defaultHost
        guard let host = policy.hosts.first(where: { $0.name == wanted }) else {
            let names = policy.hosts.map { "\"\($0.name)\"" }.joined(separator: ", ")
            throw Arguments.Mistake(
                sentence: "There is no host \"\(wanted.prefix(100))\". The configured hosts are: \(names).")
        }
        return host
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

    /// The tools that `policy` turns on, with local files and forwards by way of `broker`.
    public init(policy: PolicySnapshot, broker: any LocalFileBroker & ForwardBroker) {
        context = Mutex(Self.context(policy, keeping: nil, broker))
    }

    /// Puts a new policy in force for every call that starts from now on.
    public func update(_ policy: PolicySnapshot) {
        context.withLock { $0 = Self.context(policy, keeping: $0, $0.broker) }
    }

    /// The ways to a host that stays the same are kept, with what they count.
    private static func context(
        _ policy: PolicySnapshot, keeping old: ToolContext?, _ broker: any LocalFileBroker & ForwardBroker
    ) -> ToolContext {
        let unchanged = old?.policy.sshPath == policy.sshPath && old?.policy.limits == policy.limits
        let pairs = policy.hosts.map { host -> (String, HostAccess) in
            if unchanged, let kept = old?.access[host.name], old?.policy.hosts.contains(host) == true {
                return (host.name, kept)
            }
            let sessions = HostSessions(host: host, sshPath: policy.sshPath, sessions: policy.limits.sessionsPerHost)
            return (host.name, HostAccess(sessions: sessions, files: SFTPChannel(sessions: sessions)))
        }
        return ToolContext(policy: policy, access: Dictionary(uniqueKeysWithValues: pairs), broker: broker)
    }

    private var policy: PolicySnapshot { context.withLock(\.policy) }

    /// See `ToolSet`.
    public var tools: [ToolDescription] {
        let policy = policy
        return Self.all.filter { $0.isOn(policy) }.map { $0.description(policy) }
    }

    /// See `ToolSet`.
    public var instructions: String { Instructions.text(policy) }

    /// See `ToolSet`.
    public func call(_ name: String, arguments: JSONObject, progress: Progress) async -> ToolResult? {
        var context = context.withLock { $0 }
        context.progress = progress
        guard let tool = Self.all.first(where: { $0.name == name && $0.isOn(context.policy) }) else { return nil }
        return await tool.call(arguments, in: context)
    }
}
