internal import JSON

/// What a client calls itself.
enum ClientName {
    /// The name in a request: the one that `initialize` gives, or one of the modern era's `_meta`.
    static func of(_ method: String, _ params: JSONObject) -> String? {
        let info =
            method == "initialize"
            ? params["clientInfo"] : params["_meta"]?.object?["io.modelcontextprotocol/clientInfo"]
        guard let name = info?.object?["name"]?.string, !name.isEmpty else { return nil }
        return name.bounded
    }
}
