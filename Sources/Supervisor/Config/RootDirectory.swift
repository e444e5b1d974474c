internal import CLinux
internal import Glibc
internal import IPC

/// Finds the root directory under other names. As a tree that restricts, it would open everything.
enum RootDirectory {
    /// Whether the text of a path leads through a link of /proc to the root, the working directory or an open file of a process,
    /// proc(5).
    static func isOfProcess(_ path: [[UInt8]]) -> Bool {
        let names = path.prefix(5).map { String(decoding: $0, as: UTF8.self) }
        guard names.count > 2 else { return false }
        if names[0] == "dev" { return names[1] == "fd" }
        guard names[0] == "proc" else { return false }
        let name = names[2] == "task" && names.count > 4 ? names[4] : names[2]
        return ["root", "cwd", "fd", "map_files"].contains(name)
    }

    /// The mistakes about roots of a config that lead to the root directory. This looks at the roots and may wait for their file
    /// systems, so a reload does not call it. After a reload the file broker opens nothing in such a root.
    static func mistakes(in config: Config) -> [String] {
        (config.localRoots ?? []).enumerated().compactMap { mistake(of: $1, at: $0) }
    }

    /// The same for one of them.
    static func mistake(of path: String, at index: Int) -> String? {
        var root = stat()
        var status = stat()
        guard stat("/", &root) == 0, stat(path, &status) == 0, status.st_dev == root.st_dev,
            status.st_ino == root.st_ino
        else { return nil }
        return
            "\(Restrictions.localRoots.name)[\(index)]: restricts nothing: \"\(path)\" is the root directory under "
            + "another name. \(Restrictions.localRoots.instead), or remove the key"
    }
}
