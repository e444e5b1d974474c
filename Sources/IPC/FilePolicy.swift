/// Which local files transfers may touch. The supervisor makes it from the config, for a file broker. The paths are as the config
/// has them, because the supervisor does not look at files.
public struct FilePolicy: Codable, Equatable, Sendable {
    /// A file that the daemon itself needs. No transfer may touch it.
    public struct Own: Codable, Equatable, Sendable {
        /// Which files in the same directory belong to the file.
        public enum Beside: String, Codable, Sendable {
            /// Those whose names go on with a dot: a lock, a temporary file, a copy that was set aside.
            case dotted
            /// Those whose names go on in any way, such as the files that a log rotation leaves.
            case any
        }

        /// The absolute path.
        public var path: String
        /// The words for it in a sentence, such as "the daemon's config".
        public var what: String
        /// Which files in the same directory belong to it.
        public var beside: Beside
        /// Whether it is a socket, which is never opened as a local file.
        public var isSocket: Bool

        /// A file or socket of the daemon.
        public init(_ path: String, _ what: String, beside: Beside = .dotted, isSocket: Bool = false) {
            self.path = path
            self.what = what
            self.beside = beside
            self.isSocket = isSocket
        }
    }

    /// The absolute directories or files of `local_roots`. If it is nil, all files are open that are not hidden, not protected and
    /// not the system's; to a daemon of root, none are.
    public var roots: [String]?
    /// The user's home directory.
    public var home: String?
    /// The environment variables of the user that matter: PATH and the XDG directories.
    public var environment: [String: String]
    /// The daemon's own files and sockets.
    public var own: [Own]
    /// Whether downloads may replace files.
    public var allowOverwrite: Bool
    /// Whether the broker refuses to work if the kernel has no Landlock.
    public var requireLandlock: Bool
    /// The indexes of roots that are left out, because they did not answer when a broker last looked at them.
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

    /// The environment variables that say where programs and settings are.
    public static let variables = [
        "PATH", "XDG_DATA_DIRS", "XDG_CONFIG_DIRS", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
        "XDG_STATE_HOME", "XDG_CACHE_HOME",
    ]

    /// The path that a broker looks at before it is ready, by its number. First come the roots, then the daemon's own files, then
    /// the home directory.
    public func place(_ index: UInt32) -> String? {
        let index = Int(index)
        let roots = roots ?? []
        if index < roots.count { return roots[index] }
        if index < homePlace { return own[index - roots.count].path }
        return index == homePlace ? home ?? "/" : nil
    }

    /// The number of the home directory.
    public var homePlace: Int { (roots?.count ?? 0) + own.count }

    /// How many new files one worker may have at once.
    public static let maximumFiles = 16

    /// Bytes of the largest policy that a broker reads.
    public static let maximumSize = 64 << 20

    /// The policy in a new sealed memfd.
    public func sealed() throws(IPCError) -> OwnedFD {
        try SealedJSON.memory(of: self, name: "file-policy", limit: Self.maximumSize)
    }

    /// Reads a policy that `sealed()` wrote. A descriptor that is not sealed is refused.
    public init(sealed memory: borrowing OwnedFD) throws(IPCError) {
        self = try SealedJSON.value(Self.self, in: memory, limit: Self.maximumSize)
    }
}
