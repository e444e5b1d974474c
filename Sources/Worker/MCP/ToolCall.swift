internal import JSON

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

    /// Whether there is such a tool is decided by the tools, so a call of a tool that is switched off is a call too.
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
