/// An argument of a tool that the audit log keeps. Content (standard input, file content, edits) is not among them.
public enum AuditKey: String, CaseIterable, Sendable {
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
}

/// What a call is about. A worker says it before it does anything of the call.
public struct AuditCall: Equatable, Sendable {
    /// One argument.
    public struct Field: Equatable, Sendable {
        /// Which one.
        public let key: AuditKey
        /// Its text, at most `limit(key)` bytes.
        public let text: String

        /// An argument; a longer text is cut, and says so.
        public init(_ key: AuditKey, _ text: String) {
            self.key = key
            self.text = AuditCall.cut(text, to: Self.limit(key))
        }

        static func limit(_ key: AuditKey) -> Int {
            key == .env ? AuditCall.maximumName : AuditCall.maximumText
        }
    }

    /// Bytes of one argument's text.
    public static let maximumText = 4096
    /// Bytes of the names of tool, host and variables.
    public static let maximumName = 100
    /// Arguments of one call.
    public static let maximumFields = 40

    /// The tool's name.
    public let tool: String
    /// The host's name in the config, as the call resolves it; empty for a tool without one.
    public let host: String
    /// What the call names.
    public let fields: [Field]

    /// A call; what is longer than its bound is cut.
    public init(tool: String, host: String, fields: [Field]) {
        self.tool = Self.cut(tool, to: Self.maximumName)
        self.host = Self.cut(host, to: Self.maximumName)
        self.fields = Array(fields.prefix(Self.maximumFields))
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
}

/// How a call went.
public struct AuditOutcome: Equatable, Sendable {
    /// What its end was.
    public enum Ending: UInt8, Sendable {
        case ok, error, timeout, cancelled
    }

    /// The rule that refused the call; empty for one that was allowed. At most `AuditCall.maximumName` bytes.
    public let rule: String
    /// What its end was.
    public let ending: Ending
    /// The exit status of its command.
    public let exitCode: Int32?
    /// Bytes of content that went to the host.
    public let bytesIn: UInt64
    /// Bytes of content that came from the host.
    public let bytesOut: UInt64

    /// An outcome.
    public init(rule: String, ending: Ending, exitCode: Int32?, bytesIn: UInt64, bytesOut: UInt64) {
        self.rule = AuditCall.cut(rule, to: AuditCall.maximumName)
        self.ending = ending
        self.exitCode = exitCode
        self.bytesIn = bytesIn
        self.bytesOut = bytesOut
    }
}

extension FrameWriter {
    mutating func put(_ call: AuditCall) {
        put(call.tool)
        put(call.host)
        put(UInt8(clamping: call.fields.count))
        for field in call.fields {
            put(UInt8(clamping: AuditKey.allCases.firstIndex(of: field.key) ?? 0))
            put(field.text)
        }
    }

    mutating func put(_ outcome: AuditOutcome) {
        put(outcome.rule)
        put(outcome.ending.rawValue)
        put(UInt8(outcome.exitCode == nil ? 0 : 1))
        if let code = outcome.exitCode { put(code) }
        put(outcome.bytesIn)
        put(outcome.bytesOut)
    }
}

extension FrameReader {
    mutating func takeAuditCall() throws(IPCError) -> AuditCall {
        let tool = try takeText(limit: AuditCall.maximumName)
        let host = try takeText(limit: AuditCall.maximumName)
        let count = Int(try take(UInt8.self))
        guard count <= AuditCall.maximumFields else { throw .tooLong(count) }
        var fields: [AuditCall.Field] = []
        for _ in 0..<count {
            let index = Int(try take(UInt8.self))
            guard index < AuditKey.allCases.count else { throw .badValue }
            let key = AuditKey.allCases[index]
            guard key == .env || !fields.contains(where: { $0.key == key }) else { throw .badValue }
            fields.append(AuditCall.Field(key, try takeText(limit: AuditCall.Field.limit(key))))
        }
        return AuditCall(tool: tool, host: host, fields: fields)
    }

    mutating func takeAuditOutcome() throws(IPCError) -> AuditOutcome {
        let rule = try takeText(limit: AuditCall.maximumName)
        guard let ending = AuditOutcome.Ending(rawValue: try take(UInt8.self)) else { throw .badValue }
        var exitCode: Int32?
        switch try take(UInt8.self) {
        case 0: break
        case 1: exitCode = Int32(bitPattern: try take(UInt32.self))
        default: throw .badValue
        }
        return AuditOutcome(
            rule: rule, ending: ending, exitCode: exitCode, bytesIn: try take(UInt64.self),
            bytesOut: try take(UInt64.self))
    }

    private mutating func takeText(limit: Int) throws(IPCError) -> String {
        let text = try takeText()
        guard text.utf8.count <= limit else { throw .tooLong(text.utf8.count) }
        return text
    }
}
