internal import Glibc
internal import IPC

/// A file that the daemon itself needs. No transfer may touch it, whatever the config says.
struct OwnPath {
    /// What it is, for a sentence: "the daemon's config".
    let what: String
    let beside: FilePolicy.Own.Beside
    /// As it was written, and without symlinks.
    let names: [String]
    /// The identity of what lies there now; nil for a socket, which is no local file under any name.
    let identity: FileIdentity?

    /// A file.
    init(_ path: String, _ what: String, beside: FilePolicy.Own.Beside = .dotted) {
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

    /// All of a policy. `look` is told the index of each before it is looked at.
    static func all(_ own: [FilePolicy.Own], _ look: (Int) -> Void = { _ in }) -> [OwnPath] {
        var directories: [String: String] = [:]
        return own.enumerated().map { index, path in
            look(index)
            return path.isSocket
                ? OwnPath(socket: path.path, path.what, &directories)
                : OwnPath(path.path, path.what, beside: path.beside)
        }
    }
}
