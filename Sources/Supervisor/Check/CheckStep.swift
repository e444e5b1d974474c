internal import IPC

/// One thing that `check` looks at. Each may hang, at a file system that does not answer for one, so the steps are done in a child
/// process, and one that lasts too long is told and left out.
enum CheckStep {
    /// What the text of the config says, and this machine's kernel.
    case config
    /// Its patterns, where the rest of it cannot be used.
    case patterns
    case mcpSocket
    case auditLog
    /// The sockets of hosts that lie in this directory.
    case sockets(directory: String)
    /// A directory of `local_roots`, by its index.
    case localRoot(Int)
    /// Where forwards are written down.
    case forwards
    case worker
    /// The gate, and by way of it the ControlMasters.
    case gate
    case fileBroker

    /// The steps for a config that was loaded, after the first.
    static func all(for config: Config) -> [CheckStep] {
        let hosts = config.policy.hosts
        var steps: [CheckStep] = [.mcpSocket]
        if config.auditLog != nil { steps.append(.auditLog) }
        steps += Set(hosts.map { DirectoryOwner.directory(of: $0.master.socket) }).sorted().map {
            .sockets(directory: $0)
        }
        if hosts.contains(where: \.capabilities.fileWrite) {
            steps += (config.localRoots ?? []).indices.map { .localRoot($0) }
        }
        if hosts.contains(where: \.capabilities.portForward) { steps.append(.forwards) }
        steps += [.worker, .gate]
        if hosts.contains(where: \.capabilities.fileWrite) { steps.append(.fileBroker) }
        return steps
    }

    /// How long it may take, in seconds. Programs are started under load, too, and a ControlMaster has two seconds to answer.
    var patience: Int {
        switch self {
        case .config, .mcpSocket, .auditLog, .sockets, .localRoot, .forwards: 10
        case .patterns, .worker, .fileBroker: 20
        case .gate: 40
        }
    }
}
