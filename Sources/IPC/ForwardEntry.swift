/// A forward as the supervisor lists it.
public struct ForwardEntry: Equatable, Sendable {
    /// Its number, `forward_id`.
    public var forward: UInt32
    /// The host's name in the config.
    public var host: String
    /// The port on 127.0.0.1.
    public var localPort: UInt16
    /// Host name or address on the remote side.
    public var remoteHost: String
    /// The port there.
    public var remotePort: UInt16
    /// When it was made, seconds since 1970.
    public var since: UInt64
    /// What is wrong with it; nil while its listener is there.
    public var trouble: ForwardTrouble?

    /// An entry.
    public init(
        forward: UInt32, host: String, localPort: UInt16, remoteHost: String, remotePort: UInt16, since: UInt64,
        trouble: ForwardTrouble? = nil
    ) {
        self.forward = forward
        self.host = host
        self.localPort = localPort
        self.remoteHost = remoteHost
        self.remotePort = remotePort
        self.since = since
        self.trouble = trouble
    }

    /// Entries in one message: all of them fit into one packet.
    public static let maximumCount: UInt8 = 64

    mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        try fields.field(&forward)
        try fields.field(&host)
        try fields.field(&localPort)
        try fields.field(&remoteHost)
        try fields.field(&remotePort)
        try fields.field(&since)
        try fields.field(&trouble, blank: .closing) { (trouble, fields) throws(IPCError) in try fields.field(&trouble) }
    }

    static let blank = ForwardEntry(
        forward: 0, host: "", localPort: 0, remoteHost: "", remotePort: 0, since: 0)
}
