/// What a worker may do. The supervisor makes it from the config. It travels as JSON in a sealed memfd, because thousands of hosts
/// do not fit into a packet.
public struct PolicySnapshot: Codable, Equatable, Sendable {
    /// Which groups of tools are on.
    public struct Capabilities: Codable, Equatable, Sendable {
        /// `ssh_exec`.
        public var exec = false
        /// Reading and listing remote files.
        public var fileRead = false
        /// Writing and transferring files.
        public var fileWrite = false
        /// Port forwards.
        public var portForward = false
        /// Nothing is on.
        public init() {}
    }

    /// One host behind a ControlMaster that the user keeps.
    public struct Host: Codable, Equatable, Sendable {
        /// The name in the config.
        public var name: String
        /// The ControlMaster through which it is reached.
        public var master: Master
        /// The TCP port of its sshd, if the config names one. It is only for the command line in a hint.
        public var port: Int?
        /// The jump hosts on the way to it, as `ssh -J` takes them. They are only for the command line in a hint.
        public var jump: String?
        /// Its name in the user's ssh_config, where that has what it takes to reach it. It is only for the command line in a hint.
        public var sshConfigHost: String?
        /// The absolute directory in which files and `cwd` must be; nil for any.
        public var baseDir: String?
        /// The beginnings of commands that are allowed; nil allows every command, an empty list none.
        public var execAllowlist: [String]?
        /// The targets of forwards that are allowed, as `host:port` with `*` for any; nil allows every target.
        public var forwardAllowlist: [String]?
        /// The only way to its files, where the config names one.
        public var fileTransport: FileTransport?
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

    /// The limits of one call and one connection.
    public struct Limits: Codable, Equatable, Sendable {
        /// How many bytes of each output stream are kept.
        public var maxOutputBytes = 1 << 20
        /// How many bytes of a file one call may read.
        public var maxReadBytes = 1 << 20
        /// How many bytes a line of MCP may have.
        public var maxRequestBytes = 16 << 20
        /// How many sessions of all kinds one ControlMaster may have open at once.
        public var sessionsPerHost = 8
        /// The longest timeout that a call may ask for, in seconds.
        public var maxTimeoutSeconds = 600
        /// The defaults.
        public init() {}
    }

    /// The hosts, sorted by name.
    public var hosts: [Host]
    /// The name of the host for calls that name none.
    public var defaultHost: String
    /// How workers that are started with this policy have sessions opened.
    public var transport: Transport
    /// The absolute path of the program `ssh`, which workers execute with the transport `ssh`.
    public var sshPath: String
    /// The limits.
    public var limits: Limits
    /// Whether commands that delete are allowed.
    public var allowDelete: Bool
    /// Whether files on hosts may be replaced.
    public var allowOverwrite = false
    /// Whether the text of hosts is not searched for injected instructions.
    public var guardDisabled = false
    /// More patterns to search for, in the syntax of RE2.
    public var patterns: [String] = []
    /// How long a call waits for the place that another client has, in seconds.
    public var clientWaitSeconds = 20
    /// Whether workers refuse to serve if the kernel has no Landlock.
    public var requireLandlock: Bool

    /// A policy. The safeguards that are not named here are as they are by default.
    public init(
        hosts: [Host], defaultHost: String, sshPath: String = "/usr/bin/ssh", limits: Limits = Limits(),
        allowDelete: Bool = false, requireLandlock: Bool = true, transport: Transport = .mux
    ) {
        self.hosts = hosts.sorted { $0.name < $1.name }
        self.defaultHost = defaultHost
        self.sshPath = sshPath
        self.limits = limits
        self.allowDelete = allowDelete
        self.requireLandlock = requireLandlock
        self.transport = transport
    }

    /// Bytes of the largest snapshot that a worker reads.
    public static let maximumSize = 64 << 20

    /// The snapshot in a new sealed memfd.
    public func sealed() throws(IPCError) -> OwnedFD {
        try SealedJSON.memory(of: self, name: "policy", limit: Self.maximumSize)
    }

    /// Reads a snapshot that `sealed()` wrote. A descriptor that is not sealed is refused.
    public init(sealed memory: borrowing OwnedFD) throws(IPCError) {
        self = try SealedJSON.value(Self.self, in: memory, limit: Self.maximumSize)
    }
}
