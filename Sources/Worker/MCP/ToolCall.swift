internal import JSON

/// A call of a tool whose request has the form that the protocol asks for.
struct ToolCall {
    let tool: String
    let arguments: JSONObject
    /// Names the call in reports on its progress; nil if the client wants none.
    let progressToken: RequestID?
    /// The lowest level of the log messages that the client wants; nil if it wants none.
    let logLevel: ClientLogLevel?
    let shape: ResultShape
    /// Whether a progress notification may have a message.
    let hasProgressMessage: Bool

    /// Reads the parameters of `tools/call`. Whether the tool exists and is switched on is decided later.
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
