internal import Glibc
internal import IPC

/// Reads the config from its file, which must be the user's own.
package enum ConfigFile {
    private static let maximumSize = 16 << 20

    /// The path of a config that somebody wrote. It may begin with a tilde that no shell has expanded.
    package static func path(_ written: String, environment: [String: String]) -> String {
        guard written.hasPrefix("~/") else { return written }
        return (PathExpansion(environment: environment).home ?? "") + written.dropFirst(1)
    }

    static func load(_ path: String, environment: [String: String]) throws(ConfigError) -> Config {
        let number = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard number >= 0 else {
            let hint = errno == ENOENT ? "; \(DefaultConfigPath.hint(missing: path, environment: environment))" : ""
            throw ConfigError(path: path, mistakes: ["cannot be opened: \(String(cString: strerror(errno)))\(hint)"])
        }
        let file = OwnedFD(taking: number)
        var status = stat()
        guard fstat(file.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw ConfigError(path: path, mistakes: ["is not a regular file"])
        }
        // Whoever can write this file can run commands on every host as this user.
        guard status.st_uid == geteuid() else {
            throw ConfigError(path: path, mistakes: ["must belong to uid \(geteuid()), not \(status.st_uid)"])
        }
        guard status.st_mode & 0o022 == 0 else {
            throw ConfigError(path: path, mistakes: ["must not be writable by others; run: chmod go-w '\(path)'"])
        }
        // Other users must not be able to rename another file of this user to this path, or to the target of a symlink here.
        for name in Set([path, RealPath.of(path)]).sorted() {
            guard let problem = DirectoryOwner.problem(of: name) else { continue }
            throw ConfigError(path: path, mistakes: ["its directory, \(problem)"])
        }
        guard status.st_size <= maximumSize else {
            throw ConfigError(path: path, mistakes: ["is larger than \(maximumSize) bytes"])
        }
        var json = [UInt8](repeating: 0, count: Int(status.st_size))
        var filled = 0
        while filled < json.count {
            let count = json.withUnsafeMutableBytes {
                read(file.rawValue, $0.baseAddress.map { $0 + filled }, $0.count - filled)
            }
            guard count >= 0 else {
                throw ConfigError(path: path, mistakes: ["cannot be read: \(String(cString: strerror(errno)))"])
            }
            if count == 0 { break }
            filled += count
        }
        return try Config(json: Array(json[..<filled]), environment: environment, path: path)
    }
}
