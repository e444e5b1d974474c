/// How a call ended.
public struct AuditOutcome: Equatable, Sendable {
    /// The kinds of ends.
    public enum Ending: UInt8, CaseIterable, MessageChoice {
        case ok, error, timeout, cancelled
    }

    /// The rule that refused the call; empty for one that was allowed. At most `AuditCall.maximumName` bytes.
    public private(set) var rule: String
    /// The kind of its end.
    public private(set) var ending: Ending
    /// The exit status of its command; nil if there is none.
    public private(set) var exitCode: Int32?
    /// How many bytes of content were sent to the host.
    public private(set) var bytesIn: UInt64
    /// How many bytes of content came from the host.
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
