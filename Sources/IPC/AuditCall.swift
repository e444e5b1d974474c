/// What a call asks for. A worker sends this before it does anything for the call.
public struct AuditCall: Equatable, Sendable {
    /// One argument of the call.
    public struct Field: Equatable, Sendable {
        /// Which argument it is.
        public private(set) var key: AuditKey
        /// Its text, at most `limit(key)` bytes.
        public private(set) var text: String

        /// An argument. A longer text is cut, with a mark that says so.
        public init(_ key: AuditKey, _ text: String) {
            self.key = key
            self.text = AuditCall.cut(text, to: Self.limit(key))
        }

        static func limit(_ key: AuditKey) -> Int {
            key == .env ? AuditCall.maximumName : AuditCall.maximumText
        }

        /// How many names of variables are kept.
        private static let maximumVariables = 30

        /// The names of variables, in their order; of many the first ones, and how many there are.
        public static func variables(_ names: [String]) -> [Field] {
            let kept = names.sorted().prefix(maximumVariables).map { Field(.env, $0) }
            return names.count > maximumVariables ? kept + [Field(.env, "… [\(names.count) in all]")] : kept
        }

        fileprivate mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
            try fields.field(&key)
            try fields.field(&text, limit: Self.limit(key))
        }

        /// Walks over those of a call. Only variables may come more than once.
        static func walk(_ list: inout [Field], _ packet: inout MessageFields) throws(IPCError) {
            try packet.field(&list, limit: AuditCall.maximumFields, blank: Field(.command, "")) {
                (field, packet) throws(IPCError) in try field.walk(&packet)
            }
            let keys = list.map(\.key).filter { $0 != .env }
            guard Set(keys).count == keys.count else { throw .badValue }
        }
    }

    /// How many bytes the text of an argument may have.
    public static let maximumText = 4096
    /// How many bytes the names of the tool, the host and variables may have.
    public static let maximumName = 100
    /// How many arguments a call may have.
    public static let maximumFields: UInt8 = 40

    /// The tool's name.
    public private(set) var tool: String
    /// The host's name in the config, as the call resolves it; empty for a tool without one.
    public private(set) var host: String
    /// The arguments. Only variables may come more than once.
    public private(set) var fields: [Field]

    /// A call. Texts that are too long are cut.
    public init(tool: String, host: String, fields: [Field]) {
        self.tool = Self.cut(tool, to: Self.maximumName)
        self.host = Self.cut(host, to: Self.maximumName)
        self.fields = Array(fields.prefix(Int(Self.maximumFields)))
    }

    /// The beginning of a text that is longer than `limit` bytes, with a mark that says how long it was.
    public static func cut(_ text: String, to limit: Int) -> String {
        let count = text.utf8.count
        guard count > limit else { return text }
        let mark = "… [cut, \(count) bytes]"
        let utf8 = text.utf8
        var end = utf8.index(utf8.startIndex, offsetBy: max(0, limit - mark.utf8.count))
        while utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
        return String(text[..<end]) + mark
    }

    mutating func walk(_ packet: inout MessageFields) throws(IPCError) {
        try packet.field(&tool, limit: Self.maximumName)
        try packet.field(&host, limit: Self.maximumName)
        try Field.walk(&fields, &packet)
    }

    static let blank = AuditCall(tool: "", host: "", fields: [])
}
