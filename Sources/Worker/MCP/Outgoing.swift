internal import JSON

/// Builds the messages that go out.
enum Outgoing {
    static func notification(_ method: String, _ params: JSONObject?) -> JSONValue {
        var message: JSONObject = ["jsonrpc": "2.0", "method": .string(method)]
        if let params { message["params"] = .object(params) }
        return .object(message)
    }

    static func result(_ id: RequestID, _ result: JSONObject) -> JSONValue {
        ["jsonrpc": "2.0", "id": id.json, "result": .object(result)]
    }

    static func error(_ id: RequestID?, _ error: RPCError) -> JSONValue {
        var object: JSONObject = ["code": .integer(error.code), "message": .string(error.message)]
        if let data = error.data { object["data"] = .object(data) }
        return ["jsonrpc": "2.0", "id": id?.json ?? .null, "error": .object(object)]
    }
}
