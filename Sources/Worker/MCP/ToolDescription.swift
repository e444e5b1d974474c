public import JSON

/// A tool as `tools/list` shows it.
public struct ToolDescription: Equatable, Sendable {
    /// The name that calls use.
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

    /// A tool.
    /// - Parameters:
    ///   - readOnly: whether it changes nothing.
    ///   - destructive: whether it may destroy something.
    ///   - idempotent: whether the same call twice has the effect of one.
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
