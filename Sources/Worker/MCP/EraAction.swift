internal import JSON

/// What the server must do for a request. Both eras of the protocol come to one of these.
enum EraAction {
    /// Answer with this result.
    case answer(JSONObject)
    /// Answer with this error.
    case refuse(RPCError)
    /// Call a tool.
    case call(ToolCall)
    /// Keep the request open as a subscription. With `toolsListChanged`, notify the client when the list of tools changes.
    case listen(toolsListChanged: Bool)
}
