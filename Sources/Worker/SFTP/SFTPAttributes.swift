/// The attributes of a file: ATTRS, draft-ietf-secsh-filexfer-02 section 5. What the sender left out is nil. Extended
/// pairs are skipped and not kept: a host may send a packet full of them with each file.
public struct SFTPAttributes: Equatable, Sendable {
    /// A user and a group.
    public struct Owner: Equatable, Sendable {
        /// User id.
        public var user: UInt32
        /// Group id.
        public var group: UInt32
    }

    /// Times of access and modification, in seconds since 1970.
    public struct Times: Equatable, Sendable {
        /// The last access.
        public var access: UInt32
        /// The last modification.
        public var modification: UInt32
    }

    /// Size in bytes.
    public var size: UInt64?
    /// The owner.
    public var owner: Owner?
    /// Permission bits and the type of the file, `st_mode`.
    public var permissions: UInt32?
    /// The times.
    public var times: Times?

    /// Attributes to set.
    public init(size: UInt64? = nil, owner: Owner? = nil, permissions: UInt32? = nil, times: Times? = nil) {
        self.size = size
        self.owner = owner
        self.permissions = permissions
        self.times = times
    }

    /// The kind of file.
    public var type: FileType { FileType(permissions: permissions) }

    private enum Flag {
        static let size: UInt32 = 0x1
        static let owner: UInt32 = 0x2
        static let permissions: UInt32 = 0x4
        static let times: UInt32 = 0x8
        static let extended: UInt32 = 0x8000_0000
        static let all = size | owner | permissions | times | extended
    }

    func encode(into writer: inout WireWriter) {
        var flags: UInt32 = 0
        if size != nil { flags |= Flag.size }
        if owner != nil { flags |= Flag.owner }
        if permissions != nil { flags |= Flag.permissions }
        if times != nil { flags |= Flag.times }
        writer.number(flags)
        if let size { writer.number(size) }
        if let owner {
            writer.number(owner.user)
            writer.number(owner.group)
        }
        if let permissions { writer.number(permissions) }
        if let times {
            writer.number(times.access)
            writer.number(times.modification)
        }
    }

    init(from reader: inout WireReader) throws(Malformed) {
        let flags = try reader.number32()
        // The length of what an unknown bit announces is not known, so it cannot be skipped.
        guard flags & ~Flag.all == 0 else { throw Malformed("attributes with unknown flags") }
        if flags & Flag.size != 0 { size = try reader.number64() }
        if flags & Flag.owner != 0 { owner = Owner(user: try reader.number32(), group: try reader.number32()) }
        if flags & Flag.permissions != 0 { permissions = try reader.number32() }
        if flags & Flag.times != 0 { times = Times(access: try reader.number32(), modification: try reader.number32()) }
        guard flags & Flag.extended != 0 else { return }
        for _ in 0..<(try reader.count(ofAtLeast: 8)) {
            _ = try reader.string()
            _ = try reader.string()
        }
    }
}
