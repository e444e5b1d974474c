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
    /// What may be asked for a call before it is written down that it begins: nothing that a host would hear.
    static func askAhead(_ context: ToolContext) -> MasterStates
    /// Whether a call that names no host goes to the default host.
    static var hasHost: Bool { get }
}

extension Tool {
    static var hasHost: Bool { true }
    static func askAhead(_ context: ToolContext) -> MasterStates { MasterStates() }
}

extension Tool {
    static func isOn(_ policy: PolicySnapshot) -> Bool {
        policy.hosts.contains { host in needs.allSatisfy { $0.isOn(host.capabilities) } }
    }
}
