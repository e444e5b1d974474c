internal import JSON

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
