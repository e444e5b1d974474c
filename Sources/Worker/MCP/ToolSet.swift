public import JSON

/// The tools behind the protocol.
public protocol ToolSet: Sendable {
    /// A short text for the model: which hosts and tools there are, and how to use them.
    var instructions: String { get }
    /// The tools that are switched on, always in the same order.
    var tools: [ToolDescription] { get }
    /// Runs a tool to its end. Cancelling the task stops the work. `progress` takes reports meanwhile.
    /// - Returns: nil if no tool of this name is switched on.
    func call(_ name: String, arguments: JSONObject, progress: Progress) async -> ToolResult?
    /// Why a tool is switched off, as a clause that follows its name; nil if there is no such tool at all.
    func whyOff(_ name: String) -> String?
}
