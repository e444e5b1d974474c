internal import Glibc
internal import IPC

/// The root directory under another name: as a tree that restricts it would open everything.
enum RootDirectory {
    /// Whether a path leads through a link of /proc to the root, the working directory or an open file of a process, proc(5).
    /// On a host that is judged by the name alone.
    static func isOfProcess(_ path: [[UInt8]]) -> Bool {
        let names = path.prefix(5).map { String(decoding: $0, as: UTF8.self) }
        guard names.count > 2 else { return false }
        if names[0] == "dev" { return names[1] == "fd" }
        guard names[0] == "proc" else { return false }
        let name = names[2] == "task" && names.count > 4 ? names[4] : names[2]
        return ["root", "cwd", "fd", "map_files"].contains(name)
    }

    /// The roots of a config that lead to the root directory here, as mistakes with their paths. It looks at them and may
    /// wait for their file systems, so it is not for a reload: there the file broker opens nothing in such a root.
    static func mistakes(in config: Config) -> [String] {
        var root = stat()
        guard stat("/", &root) == 0 else { return [] }
        return (config.localRoots ?? []).enumerated().compactMap { index, path in
            var status = stat()
            guard stat(path, &status) == 0, status.st_dev == root.st_dev, status.st_ino == root.st_ino else {
                return nil
            }
            return
                "\(Restrictions.localRoots.name)[\(index)]: restricts nothing: \"\(path)\" is the root directory under "
                + "another name. \(Restrictions.localRoots.instead), or remove the key"
        }
    }
}
