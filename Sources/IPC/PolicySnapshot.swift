/// What the worker may do, taken from the config by the supervisor. It travels as JSON in a sealed memfd,
/// because thousands of hosts do not fit a packet.
public struct PolicySnapshot: Codable, Equatable, Sendable {
    /// Which families of tools are on.
    public struct Capabilities: Codable, Equatable, Sendable {
        /// `ssh_exec`.
        public var exec = false
        /// Reading and listing remote files.
        public var fileRead = false
        /// Writing and transferring files.
        public var fileWrite = false
        /// Port forwards.
        public var portForward = false
        /// All off.
        public init() {}
    }

    /// One host behind a ControlMaster that the user keeps.
    public struct Host: Codable, Equatable, Sendable {
        /// Its name in the config.
        public var name: String
        /// How it is reached.
        public var master: Master
        /// TCP port of its sshd where the config names one; for the command in a hint.
        public var port: Int?
        /// Absolute directory that file operations and `cwd` are confined to.
        public var baseDir: String?
        /// Command prefixes; nil allows every command, an empty list none.
        public var execAllowlist: [String]?
        /// Where port forwards may lead, `host:port` with `*` for any; nil for anywhere.
        public var forwardAllowlist: [String]?
        /// What is on for this host.
        public var capabilities: Capabilities

        /// A host as the config describes it.
        public init(name: String, master: Master) {
            self.name = name
            self.master = master
            capabilities = Capabilities()
        }

        /// A host as the config describes it.
        public init(
            name: String, socket: String, user: String, host: String, baseDir: String? = nil,
            execAllowlist: [String]? = nil, capabilities: Capabilities = Capabilities()
        ) {
            self.name = name
            master = Master(socket: socket, user: user, address: host)
            self.baseDir = baseDir
            self.execAllowlist = execAllowlist
            self.capabilities = capabilities
        }
    }

    /// Bounds on one call and one connection.
    public struct Limits: Codable, Equatable, Sendable {
        /// Bytes kept of each of stdout and stderr.
        public var maxOutputBytes = 1 << 20
        /// Bytes that one call reads of a file.
        public var maxReadBytes = 1 << 20
        /// Bytes of one MCP line.
        public var maxRequestBytes = 16 << 20
        /// Mux sessions that one host may have open at once, all kinds together.
        public var sessionsPerHost = 8
        /// The longest timeout that a call may ask for, in seconds.
        public var maxTimeoutSeconds = 600
        /// The documented defaults.
        public init() {}
    }

    /// The hosts, in name order.
    public var hosts: [Host]
    /// The host of a call that names none.
    public var defaultHost: String
    /// Absolute path of the `ssh` program.
    public var sshPath: String
    /// Bounds.
    public var limits: Limits
    /// Commands that delete are allowed.
    public var allowDelete: Bool
    /// Files that exist may be replaced.
    public var allowOverwrite = false
    /// Remote text is not searched for injected instructions.
    public var guardDisabled = false
    /// Further patterns to search for, RE2 syntax.
    public var patterns: [String] = []
    /// Refuse to serve where the kernel has no Landlock.
    public var requireLandlock: Bool

    /// A snapshot of a loaded config.
    public init(
        hosts: [Host], defaultHost: String, sshPath: String = "/usr/bin/ssh", limits: Limits = Limits(),
        allowDelete: Bool = false, requireLandlock: Bool = true
    ) {
        self.hosts = hosts.sorted { $0.name < $1.name }
        self.defaultHost = defaultHost
        self.sshPath = sshPath
        self.limits = limits
        self.allowDelete = allowDelete
        self.requireLandlock = requireLandlock
    }

    /// Largest snapshot that a worker reads, in bytes.
    public static let maximumSize = 64 << 20

    /// The snapshot in a new sealed memfd.
    public func sealed() throws(IPCError) -> OwnedFD {
        try SealedJSON.memory(of: self, name: "policy", limit: Self.maximumSize)
    }

    /// Reads a snapshot that `sealed()` wrote; an unsealed descriptor is refused.
    public init(sealed memory: borrowing OwnedFD) throws(IPCError) {
        self = try SealedJSON.value(Self.self, in: memory, limit: Self.maximumSize)
    }
}
