internal import CLinux
internal import Glibc
internal import IPC

/// Reads the config from its file, which must be the user's own.
package enum ConfigFile {
    private static let maximumSize = 16 << 20

    /// The absolute path of a config that somebody wrote. It may begin with a tilde that no shell has expanded.
    package static func path(_ written: String, environment: [String: String]) -> String {
        if written.hasPrefix("~/") {
            return (PathExpansion(environment: environment).home ?? "") + written.dropFirst(1)
        }
        guard !written.hasPrefix("/"), !written.isEmpty, let directory = getcwd(nil, 0) else { return written }
        defer { free(directory) }
        return "\(String(cString: directory))/\(written)"
    }

    static func load(_ path: String, environment: [String: String]) throws(ConfigError) -> Config {
        let number = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard number >= 0 else {
            let hint = errno == ENOENT ? "; \(DefaultConfigPath.hint(missing: path, environment: environment))" : ""
            throw ConfigError.ofFile(path, "cannot be opened: \(String(cString: strerror(errno)))\(hint)")
        }
        let file = OwnedFD(taking: number)
        var status = stat()
        guard fstat(file.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw ConfigError.ofFile(path, "is not a regular file; name the config with --config")
        }
        // Whoever can write this file can run commands on every host as this user.
        guard status.st_uid == geteuid() else {
            throw ConfigError.ofFile(
                path,
                "must belong to uid \(geteuid()), not \(status.st_uid); run: sudo chown \(geteuid()) \(ShellWord.quoted(path))"
            )
        }
        guard status.st_mode & 0o022 == 0 else {
            throw ConfigError.ofFile(path, "must not be writable by others; run: chmod go-w \(ShellWord.quoted(path))")
        }
        // Other users must not be able to rename another file of this user to this path, or to the target of a symlink here.
        for name in Set([path, RealPath.of(path)]).sorted() {
            guard let problem = DirectoryOwner.problem(of: name) else { continue }
            throw ConfigError.ofFile(path, "its directory, \(problem)")
        }
        guard status.st_size <= maximumSize else {
            throw ConfigError.ofFile(path, "is larger than \(maximumSize) bytes")
        }
        var json = [UInt8](repeating: 0, count: Int(status.st_size))
        var filled = 0
        while filled < json.count {
            let count = json.withUnsafeMutableBytes {
                read(file.rawValue, $0.baseAddress.map { $0 + filled }, $0.count - filled)
            }
            guard count >= 0 else {
                throw ConfigError.ofFile(path, "cannot be read: \(String(cString: strerror(errno)))")
            }
            if count == 0 { break }
            filled += count
        }
        return try Config(json: Array(json[..<filled]), environment: environment, path: path)
    }
}
