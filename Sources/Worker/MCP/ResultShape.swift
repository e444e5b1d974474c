internal import JSON

/// How a tool's result is written as a `CallToolResult`.
enum ResultShape {
    /// As text only, for revisions before 2025-06-18.
    case text
    /// As structured content, and as the same JSON in a text for clients that show only text.
    case structured
    /// Like `structured`, with the members that 2026-07-28 requires in every result.
    case modern(ModernEra)

    func result(_ result: ToolResult) -> JSONObject {
        let shaped: JSONObject
        switch result {
        case .failure(let text):
            shaped = ["content": [["type": "text", "text": .string(text)]], "isError": true]
        case .success(let structured):
            let content: JSONValue = [["type": "text", "text": .encoded(structured)]]
            if case .text = self {
                shaped = ["content": content, "isError": false]
            } else {
                shaped = ["content": content, "structuredContent": .object(structured), "isError": false]
            }
        }
        switch self {
        case .text, .structured: return shaped
        case .modern(let era): return era.complete(shaped)
        }
    }
}
