/// How the path of a ControlMaster's socket is given to `ssh`, ssh(1) `-S`.
public enum ControlPath {
    /// The argument of `-S` for a path that is complete: `ssh` expands the tokens of ssh_config(5) in it once more, so a
    /// percent sign is doubled. `${NAME}` cannot be escaped; the config refuses it.
    public static func argument(_ path: String) -> String {
        var escaped = ""
        for scalar in path.unicodeScalars {
            if scalar == "%" { escaped.unicodeScalars.append("%") }
            escaped.unicodeScalars.append(scalar)
        }
        return escaped
    }
}
