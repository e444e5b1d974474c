/// A JSON value, RFC 8259. Objects keep the order in which their members were given.
public enum JSONValue: Equatable, Sendable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number that is an integer of 64 bits.
    case integer(Int64)
    /// Any other number.
    case number(Double)
    /// A string.
    case string(String)
    /// An array.
    case array([JSONValue])
    /// An object.
    case object(JSONObject)
    /// A string whose text is the JSON of an object. `JSONWriter` writes it without making that string first. No reader returns
    /// it.
    case encoded(JSONObject)
    /// A number that is written as this text. No reader returns it; see `JSONObject.spelling`.
    case spelled(String)

    /// Two strings are equal if their bytes are.
    public static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.integer(let left), .integer(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        case (.string(let left), .string(let right)): left.hasBytes(of: right)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        case (.encoded(let left), .encoded(let right)): left == right
        case (.spelled(let left), .spelled(let right)): left.hasBytes(of: right)
        default: false
        }
    }

    /// The text, if this is a string; else nil.
    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The members, if this is an object; else nil.
    public var object: JSONObject? {
        if case .object(let members) = self { members } else { nil }
    }

    /// The type of this value, in words for a person or a model.
    public var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer: "an integer"
        case .number, .spelled: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        case .encoded: "a string"
        }
    }

    /// Whether this value has more than so many bytes. A value counts as one byte and the bytes of its text; names do not
    /// count. The work is bounded by `bytes`.
    public func isLarger(than bytes: Int) -> Bool {
        var room = bytes
        takeRoom(&room)
        return room < 0
    }

    private func takeRoom(_ room: inout Int) {
        room -= 1
        guard room >= 0 else { return }
        switch self {
        case .string(let text): room -= text.utf8.count
        case .array(let elements): for element in elements where room >= 0 { element.takeRoom(&room) }
        case .object(let object), .encoded(let object):
            for member in object.members where room >= 0 { member.value.takeRoom(&room) }
        case .null, .bool, .integer, .number, .spelled: break
        }
    }

    /// Reads one text by `JSONReader`; nil if the reader refuses it.
    public static func parse(_ bytes: [UInt8]) -> JSONValue? { try? JSONReader.read(bytes) }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// A boolean.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// An integer.
    public init(integerLiteral value: Int64) { self = .integer(value) }
    /// An array.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// An object, members in the order of the literal.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(JSONObject(members: elements.map { JSONObject.Member(name: $0.0, value: $0.1) }))
    }
}
