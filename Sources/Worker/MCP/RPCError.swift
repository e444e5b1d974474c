public import JSON

/// A JSON-RPC 2.0 error object.
public struct RPCError: Error, Equatable, Sendable {
    /// The code: JSON-RPC 2.0 section 5.1, or MCP's own.
    public let code: Int64
    /// One sentence.
    public let message: String
    /// What the code's definition adds.
    public var data: JSONObject?

    static func parseError(_ mistake: JSONMistake) -> RPCError {
        RPCError(code: -32700, message: "Parse error: \(mistake.what), at byte \(mistake.offset) of the line")
    }
    static func invalidRequest(_ why: String) -> RPCError { RPCError(code: -32600, message: "Invalid request: \(why)") }
    static func methodNotFound(_ method: String) -> RPCError {
        RPCError(code: -32601, message: "Method not found: \(method.bounded)")
    }
    static func invalidParams(_ why: String) -> RPCError { RPCError(code: -32602, message: "Invalid params: \(why)") }
    static func unknownTool(_ name: String, _ whyOff: String?) -> RPCError {
        .invalidParams("unknown tool \"\(name.bounded)\"\(whyOff.map { ": \($0)" } ?? "")")
    }
    static func busy(_ why: String) -> RPCError { RPCError(code: -32000, message: why) }
}
