internal import IPC

/// What the model is told about this server when it connects.
enum Instructions {
    /// Hosts named one by one; more are only counted, `ssh_connection_status` names them.
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
        if !policy.hosts.contains(where: \.capabilities.exec) { sentences.append("Running commands is switched off.") }
        sentences.append("If a host is not connected, tell the user the command from the hint; you cannot bring it up.")
        return sentences.joined(separator: " ")
    }
}
