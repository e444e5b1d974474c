/// A forward in the supervisor's list.
public struct ForwardEntry: Equatable, Sendable {
    /// The number, `forward_id`.
    public var forward: UInt32
    /// The host's name in the config.
    public var host: String
    /// The port on 127.0.0.1.
    public var localPort: UInt16
    /// Where it leads, seen from the host.
    public var target: ForwardTarget
    /// When it was made, in seconds since 1970.
    public var since: UInt64
    /// What is wrong with it; nil while its listener is there.
    public var trouble: ForwardTrouble?

    /// An entry.
    public init(
        forward: UInt32, host: String, localPort: UInt16, target: ForwardTarget, since: UInt64,
        trouble: ForwardTrouble? = nil
    ) {
        self.forward = forward
        self.host = host
        self.localPort = localPort
        self.target = target
        self.since = since
        self.trouble = trouble
    }

    /// How many entries one message may have. They fit into one packet.
    public static let maximumCount: UInt8 = 64

    mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        try fields.field(&forward)
        try fields.field(&host)
        try fields.field(&localPort)
        try fields.field(&target)
        try fields.field(&since)
        try fields.field(&trouble, blank: .closing) { (trouble, fields) throws(IPCError) in try fields.field(&trouble) }
    }

    static let blank = ForwardEntry(
        forward: 0, host: "", localPort: 0, target: .blank, since: 0)
}
