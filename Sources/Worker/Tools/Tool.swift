internal import IPC
internal import JSON
internal import MCP

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

extension Tool {
    static func isOn(_ policy: PolicySnapshot) -> Bool {
        policy.hosts.contains { host in needs.allSatisfy { $0.isOn(host.capabilities) } }
    }
}
