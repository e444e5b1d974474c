public import JSON

/// What came of a call of a tool.
public enum ToolResult: Sendable {
    /// The structured result, which matches the tool's output schema.
    case success(JSONObject)
    /// A text that tells the model what went wrong and what to do next.
    case failure(String)

    /// This result; a failure begins with this reason, if there is one.
    func failing(because reason: String?) -> ToolResult {
        switch (self, reason) {
        case (.failure(let sentence), .some(let reason)): .failure("\(reason) \(sentence)")
        case (.failure, .none), (.success, _): self
        }
    }
}
