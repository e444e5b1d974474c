internal import Glibc
internal import IPC
internal import JSON

/// Why a config cannot be used: everything that is wrong with it, each with its JSON path.
struct ConfigError: Error {
    let path: String
    let mistakes: [String]
    /// Keys that mean nothing, which may be what a required one was meant to be.
    var warnings: [String] = []
    /// What could be read, for its patterns: a worker judges them, see PatternCheck.
    var policy: PolicySnapshot?

    func adding(_ more: [String]) -> ConfigError {
        ConfigError(path: path, mistakes: mistakes + more, warnings: warnings)
    }

    /// Puts all of it into the log, each line with what follows from it.
    func log(_ consequence: String) {
        for mistake in mistakes { Log.write(.error, consequence, ["path": .text(path), "error": .text(mistake)]) }
        for warning in warnings { Log.write(.warning, "config", ["warning": .text(warning)]) }
    }
}

/// A loaded config.
struct Config: Equatable {
    /// Absolute path of the MCP socket.
    var mcpSocket: String
    /// How long a client waits for its turn, in seconds.
    var clientWaitSeconds: Int
    /// Trees that uploads may come from and downloads go to; nil for all but the protected paths.
    var localRoots: [String]?
    /// Downloads may replace local files.
    var allowOverwrite: Bool
    /// Absolute path of the audit log; nil for none.
    var auditLog: String?
    /// What the worker gets.
    var policy: PolicySnapshot
    /// Keys that mean nothing here.
    var warnings: [String]

    /// Reads and checks a config text. `environment` is for `~/` and `$XDG_RUNTIME_DIR`, `machine` for the tokens
    /// of sockets (nil for this one); `notes` gathers what is found.
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
            throw ConfigError(
                path: path, mistakes: ["not valid JSON: line \(place.line), column \(place.column): \(error.what)"])
        }
        guard case .object(let members) = value else {
            throw ConfigError(path: path, mistakes: ["must be a JSON object, got \(value.configTypeName)"])
        }
        let top = ConfigReader(members, path: "", notes: notes)
        let expand = PathExpansion(environment: environment, machine: machine)
        _ = top.has("$schema")  // for editors, see contrib/config.schema.json
        mcpSocket = Self.mcpSocket(top, expand)
        clientWaitSeconds = top.integer("client_wait_seconds", in: 0...3600, default: 20)
        localRoots = Restrictions(top).trees(Restrictions.localRoots, expand)
        auditLog = Restrictions(top).path(Restrictions.auditLog, expand)
        let (hosts, defaultHost) = Self.hosts(top, expand, Self.capabilities(top.restrictions("capabilities")))
        policy = PolicySnapshot(hosts: hosts, defaultHost: defaultHost)
        if let ssh = expand.path(top, "ssh_path") { policy.sshPath = ssh }
        policy.limits = Self.limits(top.restrictions("limits"))
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

    private static func mcpSocket(_ top: ConfigReader, _ expand: PathExpansion) -> String {
        let path: String
        if top.has("mcp_socket") {
            path = expand.path(top, "mcp_socket") ?? ""
        } else if let directory = expand.runtimeDirectory {
            path = directory + "/claude-ssh-daemon.sock"
        } else {
            top.note("mcp_socket", "is required where XDG_RUNTIME_DIR is not set")
            return ""
        }
        if path.utf8.count > SocketTokens.maximumPath {
            top.note("mcp_socket", "must be at most \(SocketTokens.maximumPath) bytes long, got \(path.utf8.count)")
        }
        return path
    }

    private static func hosts(
        _ top: ConfigReader, _ expand: PathExpansion, _ capabilities: PolicySnapshot.Capabilities
    ) -> ([PolicySnapshot.Host], String) {
        let single = ["ssh_socket", "ssh_user", "ssh_host"]
        guard let hosts = top.object("hosts"), !hosts.names.isEmpty else {
            if top.has("hosts") && !single.contains(where: top.has) {
                top.note("hosts", "must name at least one host")
                return ([], "")
            }
            // The single-host form is one host called "default". A restriction must not be lost in silence.
            for key in ["exec_allowlist", "base_dir", "forward_allowlist"] where top.has(key) || top.isNull(key) {
                top.note(key, "belongs to a host; name the host in \"hosts\" to restrict it")
            }
            let host = host(
                top, name: "default", keys: (single[0], single[1], single[2]), expand, capabilities)
            _ = top.string("default_host")
            return (host.map { [$0] } ?? [], "default")
        }
        // Where "hosts" is present, the keys for a single host mean nothing, as in version 2.1.
        for key in single { _ = top.has(key) }
        let all = hosts.names.compactMap { name -> PolicySnapshot.Host? in
            guard let reader = hosts.object(name) else {
                if !hosts.has(name) { hosts.note(name, "must be an object, got null") }
                return nil
            }
            if name.isEmpty || name.utf8.count > 100 || name.unicodeScalars.contains(where: { $0.value < 0x20 }) {
                hosts.note(name, "is no usable host name: 1 to 100 bytes without control characters")
            }
            // All members are read even where the host is not usable, so that all mistakes are found.
            let allowlist = execAllowlist(reader)
            let directory = Restrictions(reader).remoteDirectory(Restrictions.baseDirectory)
            let forwards = forwardAllowlist(reader)
            let own = Self.capabilities(of: reader, within: capabilities)
            let port =
                reader.has("port") ? reader.integer("port", in: 1...65_535, default: SocketTokens.defaultPort) : nil
            var host = host(reader, name: name, keys: ("socket", "user", "host"), port: port, expand, own)
            host?.execAllowlist = allowlist
            host?.baseDir = directory
            host?.forwardAllowlist = forwards
            reader.finish()
            return host
        }
        guard let name = top.requiredString("default_host") else { return (all, "") }
        if !hosts.names.contains(name) {
            let names = hosts.names.map { "\"\($0)\"" }.joined(separator: ", ")
            top.note("default_host", "must name one of the hosts (\(names)), got \"\(name)\"")
        }
        return (all, name)
    }

    private static func host(
        _ reader: ConfigReader, name: String, keys: (socket: String, user: String, host: String), port: Int? = nil,
        _ expand: PathExpansion, _ capabilities: PolicySnapshot.Capabilities
    ) -> PolicySnapshot.Host? {
        let written = reader.requiredString(keys.socket)
        let user = half(reader, keys.user, .user)
        let address = half(reader, keys.host, .host)
        guard let written, let user, let address else {
            if written != nil { _ = expand.path(reader, keys.socket) }
            return nil
        }
        let destination = SocketTokens.Destination(user: user, host: address, port: port ?? SocketTokens.defaultPort)
        guard let socket = expand.socket(written, to: destination, reader, keys.socket) else { return nil }
        var host = PolicySnapshot.Host(
            name: name, socket: socket, user: user, host: address, capabilities: capabilities)
        host.port = port
        return host
    }

    /// A login or host name, as `ssh` takes it.
    private static func half(_ reader: ConfigReader, _ key: String, _ part: DestinationName) -> String? {
        guard let text = reader.requiredString(key) else { return nil }
        if let problem = part.problem(of: text) {
            reader.note(key, problem)
            return nil
        }
        return text
    }

    /// An entry is compared with plain words: one that has none, or what a shell does not take for itself, covers nothing.
    private static func execAllowlist(_ reader: ConfigReader) -> [String]? {
        let entries = Restrictions(reader).strings(Restrictions.execAllowlist)
        for (index, entry) in (entries ?? []).enumerated() {
            let isPlain = !entry.utf8.contains { $0 < 0x20 && $0 != UInt8(ascii: "\t") || special.contains($0) }
            if isPlain, entry.utf8.contains(where: { $0 > 0x20 }) { continue }
            reader.warn(
                "exec_allowlist[\(index)]",
                "covers no command: an entry is the first words of one, without quotes, patterns and operators, "
                    + "got \"\(entry)\"")
        }
        return entries
    }

    private static let special = Set(#"'"\`$;&|<>()*?"#.utf8)

    private static func forwardAllowlist(_ reader: ConfigReader) -> [String]? {
        let entries = Restrictions(reader).strings(Restrictions.forwardAllowlist)
        for (index, entry) in (entries ?? []).enumerated() {
            guard let rule = ForwardRule(entry) else {
                reader.note(
                    "forward_allowlist[\(index)]",
                    "must be \"host:port\", with \"*\" for any host or port and IPv6 in brackets, got \"\(entry)\"")
                continue
            }
            guard rule.host == "*", rule.port == nil else { continue }
            reader.warn("forward_allowlist[\(index)]", "\"\(entry)\" restricts nothing: every target is covered")
        }
        return entries
    }

    /// What is on for all hosts; what is left out is off.
    private static func capabilities(_ reader: ConfigReader?) -> PolicySnapshot.Capabilities {
        var result = PolicySnapshot.Capabilities()
        guard let reader else { return result }
        result.exec = reader.bool("exec", default: false)
        result.fileRead = reader.bool("file_read", default: false)
        result.fileWrite = reader.bool("file_write", default: false)
        result.portForward = reader.bool("port_forward", default: false)
        reader.finish()
        return result
    }

    /// What is on for one host, which can only have less than all have.
    private static func capabilities(
        of host: ConfigReader, within all: PolicySnapshot.Capabilities
    ) -> PolicySnapshot.Capabilities {
        guard let reader = Restrictions(host).object(Restrictions.capabilities) else { return all }
        var result = PolicySnapshot.Capabilities()
        func flag(_ key: String, _ outer: Bool) -> Bool {
            let own = Restrictions(reader).has(Restrictions.capability(key)) ? reader.bool(key, default: false) : outer
            return own && outer
        }
        result.exec = flag("exec", all.exec)
        result.fileRead = flag("file_read", all.fileRead)
        result.fileWrite = flag("file_write", all.fileWrite)
        result.portForward = flag("port_forward", all.portForward)
        reader.finish()
        return result
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
