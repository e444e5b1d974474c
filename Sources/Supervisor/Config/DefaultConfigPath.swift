internal import Glibc

/// Where the config lies when nobody names it: in `$XDG_CONFIG_HOME`, as the XDG Base Directory Specification has it. A value that
/// is empty or relative is ignored, and `~/.config` taken.
package enum DefaultConfigPath {
    private static let name = "claude-ssh-daemon/config.json"

    /// The path in this environment.
    package static func path(environment: [String: String]) -> String {
        guard let directory = environment["XDG_CONFIG_HOME"], directory.hasPrefix("/") else {
            return inHome(environment)
        }
        return "\(directory)/\(name)"
    }

    /// What to do where no config lies at a path. It is told where the path is the default one and another config lies where it would
    /// be without `XDG_CONFIG_HOME`. `errno` stays as it is.
    static func hint(missing path: String, environment: [String: String]) -> String {
        let reason = errno
        defer { errno = reason }
        let other = inHome(environment)
        guard path == Self.path(environment: environment), path != other, access(other, F_OK) == 0 else {
            return "write one as the README shows, or name it with --config"
        }
        return "XDG_CONFIG_HOME is set, so that \(other) is not read: move it to \(path), or name it with --config"
    }

    private static func inHome(_ environment: [String: String]) -> String {
        "\(PathExpansion(environment: environment).home ?? "")/.config/\(name)"
    }
}
