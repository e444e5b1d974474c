internal import JSON

/// The id of a request, which the answer repeats as it came. MCP allows strings and integers, and JSON-RPC 2.0 section 4 any
/// number. A client that sends such a number waits for an answer with it.
public enum RequestID: Hashable, Sendable {
    /// A string.
    case string(String)
    /// An integer that is spelled in the usual way.
    case integer(Int64)
    /// Any other number, as it was spelled.
    case number(String)

    /// Two ids are equal if their bytes are.
    public static func == (left: RequestID, right: RequestID) -> Bool { left.json == right.json }

    /// Hashes the bytes, as `==` compares them.
    public func hash(into hasher: inout Hasher) {
        switch self {
        case .string(let text):
            hasher.combine(text.utf8.count)
            for byte in text.utf8 { hasher.combine(byte) }
        case .integer(let integer): hasher.combine(integer)
        case .number(let text): for byte in text.utf8 { hasher.combine(byte) }
        }
    }

    /// The id that an object has in its member `name`; nil if there is none or it is no id.
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

    /// The id that this JSON text is; nil if it is no string and no number.
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
