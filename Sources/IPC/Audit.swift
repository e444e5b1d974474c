/// An argument of a tool that the audit log keeps. Content (standard input, file content, edits) is not among them.
public enum AuditKey: String, CaseIterable, MessageChoice {
    case command, cwd
    /// The name of a variable; its value stays in the worker. The only key that may come more than once.
    case env
    case path
    case localPath = "local_path"
    case remotePath = "remote_path"
    case localPort = "local_port"
    case remoteHost = "remote_host"
    case remotePort = "remote_port"
    case forwardID = "forward_id"

    /// See `MessageChoice`.
    public static var kinds: [AuditKey] { allCases }
    /// Its place among all keys.
    public var number: UInt8 { UInt8(clamping: Self.allCases.firstIndex(of: self) ?? 0) }
    /// It has no fields.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {}
}

/// What a call is about. A worker says it before it does anything of the call.
public struct AuditCall: Equatable, Sendable {
    /// One argument.
    public struct Field: Equatable, Sendable {
        /// Which one.
        public private(set) var key: AuditKey
        /// Its text, at most `limit(key)` bytes.
        public private(set) var text: String

        /// An argument; a longer text is cut, and says so.
        public init(_ key: AuditKey, _ text: String) {
            self.key = key
            self.text = AuditCall.cut(text, to: Self.limit(key))
        }

        static func limit(_ key: AuditKey) -> Int {
            key == .env ? AuditCall.maximumName : AuditCall.maximumText
        }

        fileprivate mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
            try fields.field(&key)
            try fields.field(&text, limit: Self.limit(key))
        }
    }

    /// Bytes of one argument's text.
    public static let maximumText = 4096
    /// Bytes of the names of tool, host and variables.
    public static let maximumName = 100
    /// Arguments of one call.
    public static let maximumFields: UInt8 = 40

    /// The tool's name.
    public private(set) var tool: String
    /// The host's name in the config, as the call resolves it; empty for a tool without one.
    public private(set) var host: String
    /// What the call names. Only variables may come more than once.
    public private(set) var fields: [Field]

    /// A call; what is longer than its bound is cut.
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
        try packet.field(&fields, limit: Self.maximumFields, blank: Field(.command, "")) {
            (field, packet) throws(IPCError) in try field.walk(&packet)
        }
        let keys = fields.map(\.key).filter { $0 != .env }
        guard Set(keys).count == keys.count else { throw .badValue }
    }

    static let blank = AuditCall(tool: "", host: "", fields: [])
}

/// How a call went.
public struct AuditOutcome: Equatable, Sendable {
    /// What its end was.
    public enum Ending: UInt8, CaseIterable, MessageChoice {
        case ok, error, timeout, cancelled
    }

    /// The rule that refused the call; empty for one that was allowed. At most `AuditCall.maximumName` bytes.
    public private(set) var rule: String
    /// What its end was.
    public private(set) var ending: Ending
    /// The exit status of its command.
    public private(set) var exitCode: Int32?
    /// Bytes of content that went to the host.
    public private(set) var bytesIn: UInt64
    /// Bytes of content that came from the host.
    public private(set) var bytesOut: UInt64

    /// An outcome.
    public init(rule: String, ending: Ending, exitCode: Int32?, bytesIn: UInt64, bytesOut: UInt64) {
        self.rule = AuditCall.cut(rule, to: AuditCall.maximumName)
        self.ending = ending
        self.exitCode = exitCode
        self.bytesIn = bytesIn
        self.bytesOut = bytesOut
    }

    mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        try fields.field(&rule, limit: AuditCall.maximumName)
        try fields.field(&ending)
        try fields.field(&exitCode, blank: 0) { (code, fields) throws(IPCError) in
            var bits = UInt32(bitPattern: code)
            try fields.field(&bits)
            code = Int32(bitPattern: bits)
        }
        try fields.field(&bytesIn)
        try fields.field(&bytesOut)
    }

    static let blank = AuditOutcome(rule: "", ending: .ok, exitCode: nil, bytesIn: 0, bytesOut: 0)
}
