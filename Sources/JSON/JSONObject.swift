/// The members of a JSON object, in order. A lookup is linear, because the objects of MCP and of the config are small.
public struct JSONObject: Equatable, Sendable, ExpressibleByDictionaryLiteral {
    /// One member.
    public struct Member: Equatable, Sendable {
        /// Its name.
        public let name: String
        /// Its value.
        public var value: JSONValue
        /// The text of a number that `JSONWriter` would write differently; nil for every other value.
        var spelling: String?

        /// Two names are equal if their bytes are.
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

    /// The text of a member's number if `JSONWriter` would write it differently, such as `1e2`, `1.0` or an integer of more than
    /// 64 bits; else nil.
    public func spelling(of name: String) -> String? { members.first { $0.name.hasBytes(of: name) }?.spelling }

    /// The value of the member of this name. Assigning appends or replaces the member, and assigning nil removes it.
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
