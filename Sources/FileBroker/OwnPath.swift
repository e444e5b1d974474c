internal import Glibc
internal import IPC

/// A file that the daemon itself needs. No transfer may touch it, whatever the config says.
struct OwnPath {
    /// The words for it in a sentence, such as "the daemon's config".
    let what: String
    let beside: FilePolicy.Own.Beside
    /// The path as it was written, and the same without symlinks.
    let names: [String]
    /// The identity of the file that is there now; nil for a socket, which is never opened as a local file.
    let identity: FileIdentity?

    /// A file.
    init(_ path: String, _ what: String, beside: FilePolicy.Own.Beside = .dotted) {
        self.what = what
        self.beside = beside
        names = Set([path, RealPath.ofDirectory(of: path), RealPath.of(path)]).filter { $0.hasPrefix("/") }.sorted()
        identity = FileIdentity(path: path)
    }

    /// A socket. `directories` remembers the real paths of directories, because there may be thousands of hosts.
    init(socket path: String, _ what: String, _ directories: inout [String: String]) {
        self.what = what
        beside = .dotted
        let (directory, name) = PathComponents.split(path)
        let real = directories[directory] ?? RealPath.of(directory)
        directories[directory] = real
        names = [path, "\(real)/\(name)"]
        identity = nil
    }

    /// Whether `path` is this file, is inside it, or is a file in the same directory that belongs to it.
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

    /// All own files of a policy. `look` is called with the index of each before the broker looks at it.
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
