public import IPC
public import MCP
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

/// What a call works with: the policy as it was when the call began, and the hosts' sessions.
struct ToolContext: Sendable {
    let policy: PolicySnapshot
    let sessions: [String: HostSessions]

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
    private static let all: [any Tool.Type] = [ConnectionStatusTool.self, ExecTool.self]

    private let context: Mutex<ToolContext>

    /// The tools that `policy` turns on.
    public init(policy: PolicySnapshot) {
        context = Mutex(Self.context(policy, keeping: [:], of: nil))
    }

    /// Puts a new policy in force for every call that starts from now on.
    public func update(_ policy: PolicySnapshot) {
        context.withLock { $0 = Self.context(policy, keeping: $0.sessions, of: $0.policy) }
    }

    /// Sessions of a host that stays the same are kept, with what they count.
    private static func context(
        _ policy: PolicySnapshot, keeping sessions: [String: HostSessions], of old: PolicySnapshot?
    ) -> ToolContext {
        let unchanged = old?.sshPath == policy.sshPath && old?.limits == policy.limits
        let pairs = policy.hosts.map { host -> (String, HostSessions) in
            if unchanged, let kept = sessions[host.name], old?.hosts.contains(host) == true { return (host.name, kept) }
            return (
                host.name,
                HostSessions(host: host, sshPath: policy.sshPath, sessions: policy.limits.sessionsPerHost)
            )
        }
        return ToolContext(policy: policy, sessions: Dictionary(uniqueKeysWithValues: pairs))
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
    public func call(_ name: String, arguments: JSONObject) async -> ToolResult? {
        let context = context.withLock { $0 }
        guard let tool = Self.all.first(where: { $0.name == name && $0.isOn(context.policy) }) else { return nil }
        return await tool.call(arguments, in: context)
    }
}
