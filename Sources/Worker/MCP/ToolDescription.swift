public import JSON

/// A tool as `tools/list` shows it.
public struct ToolDescription: Equatable, Sendable {
    /// Its name.
    public let name: String
    /// A title for people.
    public let title: String
    /// Two or three sentences for the model.
    public let description: String
    /// JSON Schema of the arguments.
    public let inputSchema: JSONObject
    /// JSON Schema of the structured result.
    public let outputSchema: JSONObject
    /// The hints of MCP's `ToolAnnotations`.
    public let annotations: JSONObject

    /// A tool with its hints: it changes nothing, it may destroy, the same call twice is like once.
    public init(
        name: String, title: String, description: String, inputSchema: JSONObject, outputSchema: JSONObject,
        readOnly: Bool, destructive: Bool, idempotent: Bool
    ) {
        self.name = name
        self.title = title
        self.description = description
        self.inputSchema = inputSchema
        self.outputSchema = outputSchema
        annotations = [
            "readOnlyHint": .bool(readOnly), "destructiveHint": .bool(destructive),
            "idempotentHint": .bool(idempotent), "openWorldHint": true,
        ]
    }
}

/// What a call of a tool came to.
public enum ToolResult: Sendable {
    /// The structured result; it matches the tool's output schema.
    case success(JSONObject)
    /// A sentence that tells the model what went wrong and how to mend the call.
    case failure(String)
}

/// The tools behind the protocol.
public protocol ToolSet: Sendable {
    /// A short text for the model about what there is to work with.
    var instructions: String { get }
    /// The tools that are on, in a stable order.
    var tools: [ToolDescription] { get }
    /// Runs a tool to its end. Cancelling the task stops the work; `progress` takes reports on it meanwhile.
    /// - Returns: nil where no such tool is on.
    func call(_ name: String, arguments: JSONObject, progress: Progress) async -> ToolResult?
    /// Why a tool is off, as a clause that follows its name; nil where there is no such tool at all.
    func whyOff(_ name: String) -> String?
}
