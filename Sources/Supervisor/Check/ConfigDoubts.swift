internal import Glibc
internal import IPC

/// What the text of a config allows or restricts otherwise than its writer may think, and what stands in it as an example. No file is
/// looked at.
enum ConfigDoubts {
    static func lines(_ config: Config, environment: [String: String]) -> [String] {
        var lines = general(config)
        for host in config.policy.hosts {
            lines += address(host, config) + restrictions(host, config)
        }
        if let notice = config.localFilesNotice() { lines.append(ConfigCheck.line(.note, notice)) }
        return lines
    }

    private static func general(_ config: Config) -> [String] {
        let hosts = config.policy.hosts
        var lines = config.ignoredKeys.map {
            ConfigCheck.line(
                .warning, $0, "has no effect: the hosts are those in \"hosts\". Remove the key, or write the host there"
            )
        }
        func on(_ capability: Capability) -> Bool { hosts.contains { capability.isOn($0.capabilities) } }
        if !Capability.allCases.contains(where: on) {
            lines.append(
                ConfigCheck.line(
                    .warning, "capabilities",
                    "nothing is on for any host, so an agent can ask for the status and do nothing else; set what it may do, "
                        + "as \"capabilities\": {\"exec\": true}"))
        }
        if config.localRoots != nil, !on(.fileWrite) {
            lines.append(
                ConfigCheck.line(
                    .note, "local_roots", "has no effect: capabilities.file_write is off, so there are no transfers"))
        }
        if config.policy.guardDisabled {
            lines.append(
                ConfigCheck.line(
                    .warning, "safeguards.guard_disabled",
                    "is true: text of hosts is not searched for injected instructions"
                        + (config.policy.patterns.isEmpty ? "" : ", and safeguards.patterns has no effect")
                        + "; remove the key"
                ))
        }
        if config.policy.transport == .mux, config.policy.sshPath != PolicySnapshot(hosts: [], defaultHost: "").sshPath
        {
            lines.append(ConfigCheck.line(.note, "ssh_path", "has no effect: only \"transport\": \"ssh\" executes ssh"))
        }
        return lines
    }

    // MARK: Names

    private static func address(_ host: PolicySnapshot.Host, _ config: Config) -> [String] {
        let key = config.key("host", of: host)
        let address = host.master.address
        if let problem = HostForm.problem(of: address, isSingle: config.isSingleHost) {
            return [ConfigCheck.line(.warning, key, problem)]
        }
        guard HostForm.isPlaceholder(address) else { return [] }
        return [
            ConfigCheck.line(
                .warning, key, "\"\(address)\" is the name of an example; write the host's own, as ssh takes it")
        ]
    }

    // MARK: Restrictions

    private static func restrictions(_ host: PolicySnapshot.Host, _ config: Config) -> [String] {
        // The form for a single host has no restrictions of its own but this one.
        let place = config.isSingleHost ? "" : "hosts.\(host.name)."
        let own = host.capabilities
        var lines: [String] = []
        if host.fileTransport == .shell, own.fileRead || own.fileWrite {
            var held = host.baseDir == nil ? [] : ["base_dir"]
            if !own.fileWrite { held.append("capabilities.file_write (off)") }
            if host.execAllowlist != nil { held.append("exec_allowlist") }
            if !own.exec { held.append("capabilities.exec (off)") }
            if !held.isEmpty {
                lines.append(
                    ConfigCheck.line(
                        .warning, "\(place)file_transport",
                        "with \"shell\" a worker that was taken over is not held to \(held.joined(separator: ", ")), which is the gate's "
                            + "to see to over SFTP alone; write \"sftp\", or remove the key, where the host has SFTP"))
            }
        }
        if host.execAllowlist != nil, !own.exec {
            lines.append(ConfigCheck.line(.note, "\(place)exec_allowlist", "has no effect: exec is off for this host"))
        }
        if host.execAllowlist?.isEmpty == true, own.exec {
            lines.append(
                ConfigCheck.line(
                    .note, "\(place)exec_allowlist",
                    "[] allows no command, though exec is on; remove the key to allow every one"))
        }
        if host.forwardAllowlist != nil, !own.portForward {
            lines.append(
                ConfigCheck.line(.note, "\(place)forward_allowlist", "has no effect: port_forward is off for this host")
            )
        }
        if host.baseDir != nil, own.exec {
            lines.append(
                ConfigCheck.line(
                    .note, "\(place)base_dir",
                    "holds for file tools and for cwd; a command itself can leave it"
                        + (host.execAllowlist == nil
                            ? ", and exec_allowlist does not limit which commands there are" : "")))
        }
        return lines
    }
}
