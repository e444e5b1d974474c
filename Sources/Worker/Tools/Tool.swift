internal import IPC
internal import JSON
internal import MCP

/// A tool of this server.
protocol Tool: Sendable {
    static var name: String { get }
    /// The capabilities that a host must have for this tool. The tool is listed if one host has them all.
    static var needs: [Capability] { get }
    static func description(_ policy: PolicySnapshot) -> ToolDescription
    static func call(_ arguments: JSONObject, in context: ToolContext) async -> ToolResult
    /// Whether a call that names no host goes to the default host.
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
