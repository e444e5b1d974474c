/// What the requests of an SFTP channel may do. A worker names what it takes to be the policy; its gate opens no channel by another
/// one than that in force, so that both know which requests are let through.
public struct FileAccess: Equatable, Sendable {
    /// Whether files may be made, changed and removed: `file_write`.
    public var writes: Bool
    /// The tree in which every path must lie, by its text, `base_dir` without `.` and `..`; nil for any path.
    public var base: String?

    /// What requests may do.
    public init(writes: Bool, base: String?) {
        self.writes = writes
        self.base = base
    }

    /// What a host's policy allows.
    public init(_ host: PolicySnapshot.Host) {
        writes = host.capabilities.fileWrite
        base = host.baseDir.map(Self.plain)
    }

    /// An absolute path with each `.` left out and each `..` taken together with the name before it, by the text.
    public static func plain(_ path: String) -> String {
        let names = PathComponents.withoutParents(path).map { "/" + String(decoding: $0, as: UTF8.self) }
        return names.isEmpty ? "/" : names.joined()
    }

    /// Whether everything that this access allows is allowed by another one as well.
    public func isWithin(_ other: FileAccess) -> Bool {
        guard other.writes || !writes else { return false }
        guard let tree = other.base else { return true }
        // By bytes: for Swift's strings a name in another Unicode normal form is equal, and for a host it is another file.
        return base?.utf8.elementsEqual(tree.utf8) == true
    }

    /// Walks over its fields, in the order of the packet.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        try fields.field(&writes)
        try fields.field(&base, blank: "") { base, fields throws(IPCError) in
            try fields.field(&base, limit: Frame.maximumPath)
        }
    }
}
