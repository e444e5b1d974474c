public import JSON

/// The id of a request, returned as it came. MCP has strings and integers; JSON-RPC 2.0 section 4 has any number, and a client
/// that sends one waits for it.
public enum RequestID: Hashable, Sendable {
    case string(String)
    case integer(Int64)
    /// A number that is no integer of 64 bits, or is spelled otherwise than one, as it was spelled.
    case number(String)

    /// Ids are equal where their bytes are.
    public static func == (left: RequestID, right: RequestID) -> Bool { left.json == right.json }

    /// As `==` has it.
    public func hash(into hasher: inout Hasher) {
        switch self {
        case .string(let text):
            hasher.combine(text.utf8.count)
            for byte in text.utf8 { hasher.combine(byte) }
        case .integer(let integer): hasher.combine(integer)
        case .number(let text): for byte in text.utf8 { hasher.combine(byte) }
        }
    }

    /// The member `name` of an object.
    init?(_ object: JSONObject?, _ name: String) {
        if let text = object?.spelling(of: name) {
            self = .number(text)
            return
        }
        switch object?[name] {
        case .string(let text): self = .string(text)
        case .integer(let integer): self = .integer(integer)
        default: return nil
        }
    }

    /// The text of a whole value.
    init?(text: [UInt8]) {
        if text.first == UInt8(ascii: "\"") {
            guard case .string(let text) = JSONValue.parse(text) else { return nil }
            self = .string(text)
            return
        }
        guard JSONReader.isNumber(text) else { return nil }
        let number = String(decoding: text, as: UTF8.self)
        if let integer = Int64(number), number != "-0" {
            self = .integer(integer)
        } else {
            self = .number(number)
        }
    }

    var json: JSONValue {
        switch self {
        case .string(let text): .string(text)
        case .integer(let integer): .integer(integer)
        case .number(let text): .spelled(text)
        }
    }
}

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

/// One message from the client, told apart.
enum ClientMessage: Equatable {
    case request(RequestID, method: String, params: JSONObject)
    case notification(method: String, params: JSONObject)
    /// An answer; this server asks nothing, so it is dropped.
    case response
    case invalid(RequestID?, RPCError)

    init(_ value: JSONValue) {
        guard let message = value.object else {
            self = .invalid(nil, .invalidRequest("a message is a JSON object"))
            return
        }
        let id = RequestID(message, "id")
        guard message["jsonrpc"] == "2.0" else {
            self = .invalid(id, .invalidRequest("\"jsonrpc\" must be \"2.0\""))
            return
        }
        guard let method = message["method"] else {
            let isResponse = message["result"] != nil || message["error"] != nil
            self = isResponse ? .response : .invalid(id, .invalidRequest("\"method\" is missing"))
            return
        }
        guard let method = method.string?.bounded else {
            self = .invalid(id, .invalidRequest("\"method\" must be a string, not \(method.typeName)"))
            return
        }
        let params: JSONObject
        switch message["params"] {
        case .none: params = JSONObject()
        case .some(.object(let members)): params = members
        case .some(let other):
            if message["id"] == nil {
                self = .notification(method: method, params: JSONObject())
            } else {
                self = .invalid(id, .invalidParams("\"params\" must be an object, not \(other.typeName)"))
            }
            return
        }
        switch (message["id"], id) {
        case (.none, _): self = .notification(method: method, params: params)
        case (.some, .some(let id)): self = .request(id, method: method, params: params)
        case (.some(let other), .none):
            self = .invalid(nil, .invalidRequest("\"id\" must be a string or a number, not \(other.typeName)"))
        }
    }
}

extension ClientMessage {
    /// The ids of the messages of a batch that an answer is due to.
    static func ids(of elements: [JSONValue]) -> [RequestID] {
        elements.compactMap { element in
            switch ClientMessage(element) {
            case .request(let id, _, _): id
            case .invalid(let id, _): id
            case .notification, .response: nil
            }
        }
    }
}

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
