internal import IPC

/// Reads the hosts of a config, and what is allowed on each.
extension Config {
    /// Whether a config has the form for a single host.
    static func isSingle(_ top: ConfigReader) -> Bool { !top.hasMembers("hosts") }

    /// The keys for a single host that stand beside "hosts" and mean nothing there.
    static func ignored(_ top: ConfigReader) -> [String] {
        isSingle(top) ? [] : ["ssh_socket", "ssh_user", "ssh_host"].filter(top.has)
    }

    static func hosts(
        _ top: ConfigReader, _ expand: PathExpansion, _ capabilities: PolicySnapshot.Capabilities
    ) -> ([PolicySnapshot.Host], String) {
        let single = ["ssh_socket", "ssh_user", "ssh_host"]
        guard let hosts = top.object("hosts"), !hosts.names.isEmpty else {
            if top.has("hosts") && !single.contains(where: top.has) {
                top.note("hosts", "must name at least one host")
                return ([], "")
            }
            // The form for a single host has one host, called "default". Restrictions in it would have no effect, so they are
            // mistakes.
            for key in ["exec_allowlist", "base_dir", "forward_allowlist"] where top.has(key) || top.isNull(key) {
                top.note(key, "belongs to a host; name the host in \"hosts\" to restrict it")
            }
            var host = host(
                top, name: "default", keys: (single[0], single[1], single[2]), expand, capabilities)
            host?.fileTransport = fileTransport(top)
            if let name = top.string("default_host"), name != "default" {
                top.warn("default_host", "has no effect: the one host is called \"default\". Remove the key")
            }
            return (host.map { [$0] } ?? [], "default")
        }
        // Where "hosts" is present, the keys for a single host mean nothing, as in version 2.1.
        for key in single { _ = top.has(key) }
        if top.has("file_transport") || top.isNull("file_transport") {
            top.note("file_transport", "belongs to a host; write it there")
        }
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
            let transport = fileTransport(reader)
            let own = Self.capabilities(of: reader, within: capabilities)
            let port =
                reader.has("port") ? reader.integer("port", in: 1...65_535, default: SocketTokens.defaultPort) : nil
            let jump = jump(reader)
            let alias = alias(reader)
            var host = host(reader, name: name, keys: ("socket", "user", "host"), port: port, expand, own)
            host?.jump = jump
            host?.sshConfigHost = alias
            host?.execAllowlist = allowlist
            host?.baseDir = directory
            host?.forwardAllowlist = forwards
            host?.fileTransport = transport
            reader.finish()
            return host
        }
        warnOfSharedSockets(all, hosts)
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

    /// One ControlMaster is one login on one host: other names for it have other restrictions, or are a mistake.
    private static func warnOfSharedSockets(_ all: [PolicySnapshot.Host], _ reader: ConfigReader) {
        var first: [String: PolicySnapshot.Host] = [:]
        for host in all.sorted(by: { $0.name < $1.name }) {
            guard let other = first[host.master.socket] else {
                first[host.master.socket] = host
                continue
            }
            let isSame = other.master == host.master
            reader.warn(
                host.name,
                "has the same socket as hosts.\(other.name), so both are one login on one host"
                    + (isSame
                        ? "; what restricts one of them does not restrict the other"
                        : ", and user or host of one of them is wrong"))
        }
    }

    /// The jump hosts in a hint; nil where the config names none.
    private static func jump(_ reader: ConfigReader) -> String? {
        guard reader.has("jump"), let text = reader.string("jump") else { return nil }
        let hops = text.split(separator: ",", omittingEmptySubsequences: false)
        guard text.utf8.count <= 1000, hops.allSatisfy({ !$0.isEmpty && isWord($0) && !$0.hasPrefix("-") }) else {
            reader.note(
                "jump",
                "must be what ssh -J takes, \"user@host:port\", several with commas between, got \"\(text.prefix(100))\""
            )
            return nil
        }
        return text
    }

    /// The host's name in the user's ssh_config; nil where the config names none.
    private static func alias(_ reader: ConfigReader) -> String? {
        guard reader.has("ssh_config_host"), let text = reader.string("ssh_config_host") else { return nil }
        guard (1...255).contains(text.utf8.count), isWord(text[...]), !text.hasPrefix("-") else {
            reader.note(
                "ssh_config_host", "must be a name of your ssh_config, without spaces, got \"\(text.prefix(100))\"")
            return nil
        }
        return text
    }

    /// Whether a text is one word of printable ASCII characters.
    private static func isWord(_ text: Substring) -> Bool { text.utf8.allSatisfy { (0x21...0x7E).contains($0) } }

    /// A login name or a host name that `ssh` accepts; nil if it does not.
    private static func half(_ reader: ConfigReader, _ key: String, _ part: DestinationName) -> String? {
        guard let text = reader.requiredString(key) else { return nil }
        if let problem = part.problem(of: text) {
            reader.note(key, problem)
            return nil
        }
        return text
    }

    /// The allowlist of commands. Entries are compared with plain words, so an entry that has none, or that has characters with a
    /// meaning in the shell, covers no command and gets a warning.
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

    /// The only way to the host's files; nil where the config names none.
    private static func fileTransport(_ reader: ConfigReader) -> FileTransport? {
        guard Restrictions(reader).has(Restrictions.fileTransport), let text = reader.string("file_transport") else {
            return nil
        }
        let known = FileTransport(rawValue: text)
        if known == nil { reader.note("file_transport", "must be \"sftp\" or \"shell\", got \"\(text)\"") }
        return known
    }

    private static func forwardAllowlist(_ reader: ConfigReader) -> [String]? {
        let entries = Restrictions(reader).strings(Restrictions.forwardAllowlist)
        for (index, entry) in (entries ?? []).enumerated() {
            guard let rule = ForwardRule(entry) else {
                reader.note(
                    "forward_allowlist[\(index)]",
                    "must be \"host:port\", with \"*\" for any host or port and IPv6 in brackets, or \"unix:/path\" for one Unix socket, "
                        + "got \"\(entry)\"")
                continue
            }
            guard rule == .tcp(host: "*", port: nil) else { continue }
            reader.warn("forward_allowlist[\(index)]", "\"\(entry)\" restricts nothing: every host and port is covered")
        }
        return entries
    }

    /// The capabilities for all hosts. One that is left out is off.
    static func capabilities(_ reader: ConfigReader?) -> PolicySnapshot.Capabilities {
        var result = PolicySnapshot.Capabilities()
        guard let reader else { return result }
        result.exec = reader.bool("exec", default: false)
        result.fileRead = reader.bool("file_read", default: false)
        result.fileWrite = reader.bool("file_write", default: false)
        result.portForward = reader.bool("port_forward", default: false)
        reader.finish()
        return result
    }

    /// The capabilities of one host. It cannot have one that is off for all hosts.
    private static func capabilities(
        of host: ConfigReader, within all: PolicySnapshot.Capabilities
    ) -> PolicySnapshot.Capabilities {
        guard let reader = Restrictions(host).object(Restrictions.capabilities) else { return all }
        var result = PolicySnapshot.Capabilities()
        func flag(_ key: String, _ outer: Bool) -> Bool {
            let own = Restrictions(reader).has(Restrictions.capability(key)) ? reader.bool(key, default: false) : outer
            if own, !outer {
                reader.warn(
                    key,
                    "true has no effect: it is off for all hosts. Set capabilities.\(key) to true, and to false for the hosts that "
                        + "shall not have it")
            }
            return own && outer
        }
        result.exec = flag("exec", all.exec)
        result.fileRead = flag("file_read", all.fileRead)
        result.fileWrite = flag("file_write", all.fileWrite)
        result.portForward = flag("port_forward", all.portForward)
        reader.finish()
        return result
    }
}
