internal import FoundationEssentials

/// A JSON value, RFC 8259. Objects keep the order in which their members were given.
public enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
    /// A string that holds the JSON of an object; it is written in one go and never stands in memory by itself.
    case encoded(JSONObject)

    /// The text of a string, else nil.
    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The members of an object, else nil.
    public var object: JSONObject? {
        if case .object(let members) = self { members } else { nil }
    }

    /// The word for this value's type in a message to a person or a model.
    public var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer: "an integer"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        case .encoded: "a string"
        }
    }

    /// Parses one text. Depth is bounded by the parser (512), length by the framing.
    /// - Returns: nil for anything that is not one JSON value in UTF-8.
    public static func parse(_ bytes: [UInt8]) -> JSONValue? {
        // The decoder would take UTF-16 and UTF-32 as well, which it tells by bytes at the start that UTF-8 does not have there.
        guard !bytes.prefix(4).contains(where: { $0 == 0 || $0 >= 0xFE }) else { return nil }
        return try? JSONDecoder().decode(JSONValue.self, from: Data(bytes))
    }
}

/// The members of a JSON object, in order. Lookup is linear: the objects of this protocol are small.
public struct JSONObject: Equatable, Sendable, ExpressibleByDictionaryLiteral {
    /// One member.
    public struct Member: Equatable, Sendable {
        /// Its name.
        public let name: String
        /// Its value.
        public var value: JSONValue
    }

    /// All members, in the order of writing.
    public private(set) var members: [Member] = []

    /// No members.
    public init() {}

    /// Members in the order of the literal.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        members = elements.map { Member(name: $0.0, value: $0.1) }
    }

    init(unordered members: [Member]) {
        self.members = members
    }

    /// The member of that name; assigning appends, replaces or (nil) removes.
    public subscript(name: String) -> JSONValue? {
        get { members.first { $0.name == name }?.value }
        set {
            let index = members.firstIndex { $0.name == name }
            switch (index, newValue) {
            case (.some(let index), .some(let value)): members[index].value = value
            case (.some(let index), .none): members.remove(at: index)
            case (.none, .some(let value)): members.append(Member(name: name, value: value))
            case (.none, .none): break
            }
        }
    }
}

extension JSONValue: Decodable {
    private struct Name: CodingKey {
        let stringValue: String
        let intValue: Int? = nil
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Reads any JSON value.
    public init(from decoder: any Decoder) throws {
        // The likeliest type first: a mismatch costs a thrown error.
        if let members = try? decoder.container(keyedBy: Name.self) {
            self = .object(
                JSONObject(
                    unordered: try members.allKeys.map {
                        JSONObject.Member(name: $0.stringValue, value: try members.decode(JSONValue.self, forKey: $0))
                    }))
            return
        }
        let single = try decoder.singleValueContainer()
        if single.decodeNil() {
            self = .null
        } else if let text = try? single.decode(String.self) {
            self = .string(text)
        } else if let integer = try? single.decode(Int64.self) {
            self = .integer(integer)
        } else if let truth = try? single.decode(Bool.self) {
            self = .bool(truth)
        } else if let number = try? single.decode(Double.self) {
            self = .number(number)
        } else {
            var elements = try decoder.unkeyedContainer()
            var values: [JSONValue] = []
            while !elements.isAtEnd { values.append(try elements.decode(JSONValue.self)) }
            self = .array(values)
        }
    }
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
        self = .object(JSONObject(unordered: elements.map { JSONObject.Member(name: $0.0, value: $0.1) }))
    }
}
