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
    /// A number as somebody else spelled it, to be written; no reader returns it, see `JSONObject.spelling`.
    case spelled(String)

    /// Texts are equal where their bytes are.
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
        case .number, .spelled: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        case .encoded: "a string"
        }
    }

    /// Whether more than so many bytes stand in its texts and names' values, a value being one at least. It looks no further
    /// than that.
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

    /// Parses one text; see `JSONReader` for what it takes.
    /// - Returns: nil for anything that is not one JSON value in UTF-8.
    public static func parse(_ bytes: [UInt8]) -> JSONValue? { try? JSONReader.read(bytes) }
}

/// The members of a JSON object, in order. Lookup is linear: the objects of this protocol are small.
public struct JSONObject: Equatable, Sendable, ExpressibleByDictionaryLiteral {
    /// One member.
    public struct Member: Equatable, Sendable {
        /// Its name.
        public let name: String
        /// Its value.
        public var value: JSONValue
        /// How the text spelled a number that `JSONWriter` would spell otherwise; nil for all else.
        var spelling: String?

        /// Names are equal where their bytes are.
        public static func == (left: Member, right: Member) -> Bool {
            left.name.hasBytes(of: right.name) && left.value == right.value
        }
    }

    /// All members, in the order of writing.
    public private(set) var members: [Member] = []

    /// No members.
    public init() {}

    /// Members in the order of the literal.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        members = elements.map { Member(name: $0.0, value: $0.1) }
    }

    init(members: [Member]) {
        self.members = members
    }

    /// How a member's number was spelled, where a writer would spell it otherwise: `1e2`, `1.0`, integers beyond 64 bits.
    public func spelling(of name: String) -> String? { members.first { $0.name.hasBytes(of: name) }?.spelling }

    /// The member of that name; assigning appends, replaces or (nil) removes.
    public subscript(name: String) -> JSONValue? {
        get { members.first { $0.name.hasBytes(of: name) }?.value }
        set {
            let index = members.firstIndex { $0.name.hasBytes(of: name) }
            switch (index, newValue) {
            case (.some(let index), .some(let value)): members[index] = Member(name: name, value: value)
            case (.some(let index), .none): members.remove(at: index)
            case (.none, .some(let value)): members.append(Member(name: name, value: value))
            case (.none, .none): break
            }
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
        self = .object(JSONObject(members: elements.map { JSONObject.Member(name: $0.0, value: $0.1) }))
    }
}
