internal import JSON
internal import MCP

/// Makes pieces of JSON Schema for the descriptions of tools.
enum Schema {
    /// The arguments of a tool. Other arguments are refused.
    static func object(_ properties: JSONObject, required: [String] = []) -> JSONObject {
        var schema = result(properties)
        if !required.isEmpty { schema["required"] = .array(required.map { .string($0) }) }
        schema["additionalProperties"] = false
        return schema
    }

    /// The result of a tool. The schema does not say which keys are always there, to be short: every model reads it.
    static func result(_ properties: JSONObject) -> JSONObject {
        ["type": "object", "properties": .object(properties)]
    }

    static func string(_ description: String? = nil) -> JSONValue { typed("string", description) }
    static func boolean(_ description: String? = nil) -> JSONValue { typed("boolean", description) }

    static func integer(_ description: String? = nil, from minimum: Int? = nil) -> JSONValue {
        guard case .object(var schema) = typed("integer", description) else { return .null }
        if let minimum { schema["minimum"] = .integer(Int64(minimum)) }
        return .object(schema)
    }

    /// The argument `host`. The names of the hosts are in the server's instructions only, because with many hosts they would fill
    /// the model's context.
    static func host() -> JSONValue { string() }

    private static func typed(_ type: String, _ description: String?) -> JSONValue {
        var schema: JSONObject = ["type": .string(type)]
        if let description { schema["description"] = .string(description) }
        return .object(schema)
    }
}
