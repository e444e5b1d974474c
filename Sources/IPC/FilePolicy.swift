/// Which local files transfers may touch, taken from the config by the supervisor, for a file broker. Paths are as they are
/// written: the supervisor looks at none of them.
public struct FilePolicy: Codable, Equatable, Sendable {
    /// A file that the daemon itself needs. No transfer may touch it.
    public struct Own: Codable, Equatable, Sendable {
        /// What lies beside it and belongs to it.
        public enum Beside: String, Codable, Sendable {
            /// What has a dot and more behind the name: a lock, a temporary file, a copy that was set aside.
            case dotted
            /// What has anything behind the name: what a rotation leaves.
            case any
        }

        /// Absolute path.
        public var path: String
        /// What it is, for a sentence: "the daemon's config".
        public var what: String
        /// What belongs to it.
        public var beside: Beside
        /// A socket, which is no local file under any name.
        public var isSocket: Bool

        /// A file or socket of the daemon.
        public init(_ path: String, _ what: String, beside: Beside = .dotted, isSocket: Bool = false) {
            self.path = path
            self.what = what
            self.beside = beside
            self.isSocket = isSocket
        }
    }

    /// Absolute directories or files, `local_roots`. Where it is nil, all is open that is not hidden, protected or the
    /// system's, and nothing to root.
    public var roots: [String]?
    /// The user's home directory.
    public var home: String?
    /// Of the user: PATH and the XDG directories.
    public var environment: [String: String]
    /// What the daemon lives on.
    public var own: [Own]
    /// Files that exist may be replaced.
    public var allowOverwrite: Bool
    /// Refuse to serve where the kernel has no Landlock.
    public var requireLandlock: Bool
    /// Indexes of roots that did not answer when they were last looked at, and are left out.
    public var leftOut: [Int] = []

    /// A policy with nothing left out.
    public init(
        roots: [String]?, home: String?, environment: [String: String] = [:], own: [Own] = [],
        allowOverwrite: Bool = false, requireLandlock: Bool = true
    ) {
        self.roots = roots
        self.home = home
        self.environment = environment
        self.own = own
        self.allowOverwrite = allowOverwrite
        self.requireLandlock = requireLandlock
    }

    /// The variables of the environment that say where programs and settings lie.
    public static let variables = [
        "PATH", "XDG_DATA_DIRS", "XDG_CONFIG_DIRS", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
        "XDG_STATE_HOME", "XDG_CACHE_HOME",
    ]

    /// What a broker looks at before it is ready, in this order: each root, each path of the daemon's own, the home directory.
    public func place(_ index: UInt32) -> String? {
        let index = Int(index)
        let roots = roots ?? []
        if index < roots.count { return roots[index] }
        if index < homePlace { return own[index - roots.count].path }
        return index == homePlace ? home ?? "/" : nil
    }

    /// The place of the home directory.
    public var homePlace: Int { (roots?.count ?? 0) + own.count }

    /// Largest policy that a broker reads, in bytes.
    public static let maximumSize = 64 << 20

    /// The policy in a new sealed memfd.
    public func sealed() throws(IPCError) -> OwnedFD {
        try SealedJSON.memory(of: self, name: "file-policy", limit: Self.maximumSize)
    }

    /// Reads a policy that `sealed()` wrote; an unsealed descriptor is refused.
    public init(sealed memory: borrowing OwnedFD) throws(IPCError) {
        self = try SealedJSON.value(Self.self, in: memory, limit: Self.maximumSize)
    }
}
