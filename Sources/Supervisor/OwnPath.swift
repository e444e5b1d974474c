internal import Glibc
internal import IPC

/// A file that the daemon itself lives on: no local file for anybody, whatever the config says.
struct OwnPath {
    /// What lies beside it and belongs to it.
    enum Beside {
        /// What has a dot and more behind the name: a lock, a temporary file, a copy that was set aside.
        case dotted
        /// What has anything behind the name: what a rotation leaves.
        case any
    }

    /// What it is, for a sentence: "the daemon's config".
    let what: String
    let beside: Beside
    /// As it was written, and without symlinks.
    let names: [String]
    /// Of what lies there now; nil for a socket, which is no local file under any name.
    let identity: FileIdentity?

    /// A file.
    init(_ path: String, _ what: String, beside: Beside = .dotted) {
        self.what = what
        self.beside = beside
        names = Set([path, RealPath.ofDirectory(of: path), RealPath.of(path)]).filter { $0.hasPrefix("/") }.sorted()
        identity = FileIdentity(path: path)
    }

    /// A socket; `directories` remembers where directories really are, for thousands of hosts.
    init(socket path: String, _ what: String, _ directories: inout [String: String]) {
        self.what = what
        beside = .dotted
        let (directory, name) = PathComponents.split(path)
        let real = directories[directory] ?? RealPath.of(directory)
        directories[directory] = real
        names = [path, "\(real)/\(name)"]
        identity = nil
    }

    /// Whether `path` is this file, lies in it, or belongs beside it.
    func covers(_ path: String) -> Bool {
        names.contains { name in
            if PathComponents.isInside(path, name) { return true }
            guard path.utf8.starts(with: name.utf8) else { return false }
            let rest = path.utf8.dropFirst(name.utf8.count)
            guard !rest.contains(PathComponents.slash) else { return false }
            return switch beside {
            case .any: true
            case .dotted: rest.first == UInt8(ascii: ".")
            }
        }
    }

    /// All of a daemon.
    /// - Parameters:
    ///   - socket: the MCP socket that it serves, whatever the config says by now.
    ///   - auditLog: the one that is written, without symlinks.
    ///   - programs: its own.
    static func all(
        _ config: Config, at configPath: String, socket: String, auditLog: String?, runtimeDirectory: String?,
        programs: [String]
    ) -> [OwnPath] {
        let state = ForwardStateFile(socket: socket, runtimeDirectory: runtimeDirectory).path
        var directories: [String: String] = [:]
        var own = [auditLog, config.auditLog].compactMap { $0 }
            .map { OwnPath($0, "the daemon's audit log (audit_log)", beside: .any) }
        own += [
            OwnPath(configPath, "the daemon's config"), OwnPath(state, "the daemon's list of forwards"),
            OwnPath(config.policy.sshPath, "the program ssh (ssh_path)"),
        ]
        own += programs.map { OwnPath($0, "a program of the daemon") }
        own += [socket, config.mcpSocket].map { OwnPath(socket: $0, "the daemon's socket", &directories) }
        own += config.policy.hosts.map {
            OwnPath(socket: $0.master.socket, "the ControlMaster socket of host \"\($0.name)\"", &directories)
        }
        return own
    }
}
