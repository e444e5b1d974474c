internal import IPC

/// Makes the text that tells the model about this server when it connects.
enum Instructions {
    /// How many hosts are named. The others are only counted, and `ssh_connection_status` names them.
    private static let namedHosts = 20

    static func text(_ policy: PolicySnapshot) -> String {
        var sentences = [
            "Work on remote hosts through SSH sessions that the user keeps open; this server never logs in itself."
        ]
        let names = policy.hosts.prefix(namedHosts).map { host in
            host.name == policy.defaultHost ? "\(host.name) (default)" : host.name
        }
        let more = policy.hosts.count > namedHosts ? ", and \(policy.hosts.count - namedHosts) more" : ""
        sentences.append("Hosts: \(names.joined(separator: ", "))\(more).")
        for host in policy.hosts.prefix(namedHosts) {
            if let directory = host.baseDir { sentences.append("\(host.name) is confined to \(directory).") }
            if let list = host.execAllowlist {
                sentences.append(
                    list.isEmpty
                        ? "No commands may run on \(host.name)."
                        : "On \(host.name) only commands that begin with \(list.map { "\"\($0)\"" }.joined(separator: ", ")) may run."
                )
            }
        }
        sentences += off("Running commands", policy, \.exec)
        sentences += off("Reading files", policy, \.fileRead)
        sentences += off("Writing and transferring files", policy, \.fileWrite)
        sentences += off("Forwarding ports", policy, \.portForward)
        if policy.hosts.contains(where: { $0.capabilities.fileRead || $0.capabilities.fileWrite }) {
            sentences.append("Paths on hosts are absolute or begin with ~/.")
        }
        if !policy.allowDelete, policy.hosts.contains(where: \.capabilities.exec) {
            sentences.append("Commands that delete are refused.")
        }
        sentences.append("If a host is not connected, tell the user the command from the hint; you cannot bring it up.")
        return sentences.joined(separator: " ")
    }

    /// The sentence about what is switched off on some hosts or on all.
    private static func off(
        _ what: String, _ policy: PolicySnapshot, _ isOn: (PolicySnapshot.Capabilities) -> Bool
    ) -> [String] {
        let hosts = policy.hosts.filter { !isOn($0.capabilities) }
        if hosts.isEmpty { return [] }
        if hosts.count == policy.hosts.count { return ["\(what) is switched off."] }
        // If many are switched off, the refusal of a call says so when it matters.
        guard hosts.count <= namedHosts else { return ["\(what) is switched off on \(hosts.count) hosts."] }
        return ["\(what) is switched off on \(hosts.map(\.name).joined(separator: ", "))."]
    }
}
