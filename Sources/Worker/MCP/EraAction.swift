internal import JSON

/// What a request leads to, in whichever era it is asked.
enum EraAction {
    case answer(JSONObject)
    case refuse(RPCError)
    case call(ToolCall)
    /// Keep the request open, and send a notification on it when the list of tools changes, where the client asked for that.
    case listen(toolsListChanged: Bool)
}
