internal import JSON

/// What a request leads to, in whichever era it is asked.
enum EraAction {
    case answer(JSONObject)
    case refuse(RPCError)
    case call(ToolCall)
    /// Keep the request open, and tell on it when the list of tools changes, where that was asked for.
    case listen(toolsListChanged: Bool)
}

/// A call of a tool, judged as far as the protocol goes.
struct ToolCall {
    let tool: String
    let arguments: JSONObject
    /// The client wants to know how far the call has come.
    let progressToken: RequestID?
    /// The client wants log messages from this level on; nil for none.
    let logLevel: ClientLogLevel?
    let shape: ResultShape
    /// Whether a progress notification may have a message.
    let hasProgressMessage: Bool

    /// Whether there is such a tool the tools say: a call of one that is switched off is a call, too.
    init(
        _ params: JSONObject, logLevel: ClientLogLevel?, shape: ResultShape, hasProgressMessage: Bool = true
    ) throws(RPCError) {
        guard let name = params["name"]?.string?.bounded else { throw .invalidParams("\"name\" must be a string") }
        switch params["arguments"] {
        case .none: arguments = JSONObject()
        case .some(.object(let members)): arguments = members
        case .some(let other): throw .invalidParams("\"arguments\" must be an object, not \(other.typeName)")
        }
        tool = name
        progressToken = RequestID(params["_meta"]?.object, "progressToken")
        self.logLevel = logLevel
        self.shape = shape
        self.hasProgressMessage = hasProgressMessage
    }
}

/// How a tool's result is written as a `CallToolResult`.
enum ResultShape {
    /// Text alone, before 2025-06-18.
    case text
    /// Structured, and the same JSON as text for clients that show only that.
    case structured
    /// As `structured`, marked as 2026-07-28 wants every result.
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

/// Severities of log messages, RFC 5424 section 6.2.1, least first.
enum ClientLogLevel: String, CaseIterable, Comparable {
    case debug, info, notice, warning, error, critical, alert, emergency

    /// Reads what a client asked for.
    init(asked value: JSONValue?) throws(RPCError) {
        guard let text = value?.string?.bounded, let level = ClientLogLevel(rawValue: text) else {
            let names = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw .invalidParams("the log level must be one of \(names)")
        }
        self = level
    }

    private var severity: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    static func < (left: ClientLogLevel, right: ClientLogLevel) -> Bool { left.severity < right.severity }
}
