internal import IPC
internal import JSON

/// A loaded config.
struct Config: Equatable {
    /// The absolute path of the MCP socket.
    var mcpSocket: String
    /// The trees in which transfers may read and create local files; nil for every file but those in protected places.
    var localRoots: [String]?
    /// Whether downloads may replace local files.
    var allowOverwrite: Bool
    /// The absolute path of the audit log; nil if there is none.
    var auditLog: String?
    /// The policy that workers get.
    var policy: PolicySnapshot
    /// Whether it has the form for a single host, whose keys are at the top.
    var isSingleHost: Bool
    /// Keys that mean nothing in this form.
    var ignoredKeys: [String]
    /// What the owner should know about this config, such as unknown keys.
    var warnings: [String]

    /// How long a client or its call may wait for the place, in seconds.
    var clientWaitSeconds: Int { policy.clientWaitSeconds }

    /// Reads and checks a config text.
    /// - Parameters:
    ///   - environment: gives the meaning of `~/` and `$XDG_RUNTIME_DIR`.
    ///   - notes: gathers mistakes and warnings.
    ///   - machine: gives the meaning of the tokens in socket paths; nil for this machine.
    init(
        json: [UInt8], environment: [String: String], path: String, notes: ConfigReader.Notes = ConfigReader.Notes(),
        machine: SocketTokens.Machine? = nil
    ) throws(ConfigError) {
        let value: JSONValue
        do throws(JSONMistake) {
            let read = try JSONReader.readNotingRepeats(json)
            value = read.value
            notes.errors = read.repeats.map { "\($0): is given twice" }
        } catch {
            let place = error.position(in: json)
            throw ConfigError.ofFile(path, "not valid JSON: line \(place.line), column \(place.column): \(error.what)")
        }
        guard case .object(let members) = value else {
            throw ConfigError.ofFile(path, "must be a JSON object, got \(value.configTypeName)")
        }
        let top = ConfigReader(members, path: "", notes: notes)
        let expand = PathExpansion(environment: environment, machine: machine)
        _ = top.has("$schema")  // for editors, see contrib/config.schema.json
        mcpSocket = Self.mcpSocket(top, expand)
        let clientWaitSeconds = top.integer("client_wait_seconds", in: 0...3600, default: 20)
        localRoots = Restrictions(top).trees(Restrictions.localRoots, expand)
        auditLog = Restrictions(top).path(Restrictions.auditLog, expand)
        let (hosts, defaultHost) = Self.hosts(top, expand, Self.capabilities(top.restrictions("capabilities")))
        policy = PolicySnapshot(hosts: hosts, defaultHost: defaultHost)
        isSingleHost = Self.isSingle(top)
        ignoredKeys = Self.ignored(top)
        policy.transport = Self.transport(top)
        if let ssh = expand.path(top, "ssh_path") { policy.sshPath = ssh }
        policy.limits = Self.limits(top.restrictions("limits"))
        policy.clientWaitSeconds = clientWaitSeconds
        allowOverwrite = false
        if let safeguards = top.restrictions("safeguards") {
            policy.allowDelete = safeguards.bool("allow_delete", default: false)
            allowOverwrite = safeguards.bool("allow_overwrite", default: false)
            policy.guardDisabled = safeguards.bool("guard_disabled", default: false)
            policy.patterns = safeguards.strings("patterns") ?? []
            safeguards.finish()
        }
        policy.allowOverwrite = allowOverwrite
        if let sandbox = top.restrictions("sandbox") {
            policy.requireLandlock = sandbox.bool("require_landlock", default: true)
            sandbox.finish()
        }
        top.finish(.warnings)
        warnings = notes.warnings
        guard notes.errors.isEmpty else {
            throw ConfigError(path: path, mistakes: notes.errors, warnings: warnings, policy: policy)
        }
    }

    /// The path of a key of a host, such as `socket`.
    func key(_ name: String, of host: PolicySnapshot.Host) -> String {
        isSingleHost ? "ssh_\(name)" : "hosts.\(host.name).\(name)"
    }

    private static func mcpSocket(_ top: ConfigReader, _ expand: PathExpansion) -> String {
        let path: String
        if top.has("mcp_socket") {
            path = expand.path(top, "mcp_socket") ?? ""
        } else if let directory = expand.runtimeDirectory {
            path = directory + "/claude-ssh-daemon.sock"
        } else {
            top.note(
                "mcp_socket", "is required where XDG_RUNTIME_DIR is not set: name a socket in a directory of your own")
            return ""
        }
        if path.utf8.count > SocketTokens.maximumPath {
            top.note("mcp_socket", "must be at most \(SocketTokens.maximumPath) bytes long, got \(path.utf8.count)")
        }
        return path
    }

    private static func transport(_ top: ConfigReader) -> Transport {
        // It decides what a worker may do.
        if top.isNull("transport") { top.noteNull("transport") }
        guard let name = top.string("transport") else { return .mux }
        guard let transport = Transport(rawValue: name) else {
            let names = Transport.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or ")
            top.note("transport", "must be \(names), got \"\(name.prefix(100))\"")
            return .mux
        }
        return transport
    }

    private static func limits(_ reader: ConfigReader?) -> PolicySnapshot.Limits {
        var limits = PolicySnapshot.Limits()
        guard let reader else { return limits }
        limits.maxOutputBytes = reader.integer(
            "max_output_bytes", in: 1024...(16 << 20), default: limits.maxOutputBytes)
        limits.maxReadBytes = reader.integer("max_read_bytes", in: 1024...(64 << 20), default: limits.maxReadBytes)
        limits.maxRequestBytes = reader.integer(
            "max_request_bytes", in: 4096...(64 << 20), default: limits.maxRequestBytes)
        limits.sessionsPerHost = reader.integer("sessions_per_host", in: 1...100, default: limits.sessionsPerHost)
        limits.maxTimeoutSeconds = reader.integer(
            "max_timeout_seconds", in: 1...86_400, default: limits.maxTimeoutSeconds)
        reader.finish()
        return limits
    }
}
