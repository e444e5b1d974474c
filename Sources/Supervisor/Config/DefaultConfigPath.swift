internal import Glibc

/// Where the config lies when nobody names it: in `$XDG_CONFIG_HOME`, as the XDG Base Directory Specification has it. A value that
/// is empty or relative is ignored, and `~/.config` taken.
package enum DefaultConfigPath {
    private static let name = "claude-ssh-daemon/config.json"

    /// The same for a reader of the help.
    package static let description = "$XDG_CONFIG_HOME/\(name), where that is not set ~/.config/\(name)"

    /// The path in this environment.
    package static func path(environment: [String: String]) -> String {
        guard let directory = environment["XDG_CONFIG_HOME"], directory.hasPrefix("/") else {
            return inHome(environment)
        }
        return "\(directory)/\(name)"
    }

    /// What a person should know who finds no config at a path: it is the default one, and another lies where it would be without
    /// `XDG_CONFIG_HOME`. Else nil.
    static func hint(missing path: String, environment: [String: String]) -> String? {
        let other = inHome(environment)
        guard path == Self.path(environment: environment), path != other, access(other, F_OK) == 0 else { return nil }
        return
            "XDG_CONFIG_HOME is set, so that \(other) is not read: move it to where it is looked for, or name it with --config"
    }

    private static func inHome(_ environment: [String: String]) -> String {
        "\(PathExpansion(environment: environment).home ?? "")/.config/\(name)"
    }
}
