/// A host's `exec_allowlist`: the commands that `ssh_exec` may run there.
///
/// Judged strictly: the command must be one simple command whose first words are those of an entry. Anything by which a
/// shell would run something else as well (operators, substitutions, redirections, escapes, several lines) is refused
/// as soon as it occurs, inside quotes too.
public struct ExecAllowlist: Sendable {
    private let entries: [String]?
    private let host: String

    /// nil allows every command, an empty list none.
    public init(_ entries: [String]?, host: String) {
        self.entries = entries
        self.host = host
    }

    /// Scalars, not characters: an operator with a combining mark behind it is one character to Swift, and still an
    /// operator to a shell.
    private static let forbidden = Set(";&|<>()$`\\\n\r{}".unicodeScalars)

    /// Throws where the command, or its variables, are not covered by the list.
    public func judge(command: String, environment: [String: String]) throws(Refusal) {
        guard let entries else { return }
        guard !entries.isEmpty else {
            throw Refusal(
                description: "hosts.\(host).exec_allowlist is empty: no command may run on \"\(host)\".",
                rule: "exec_allowlist")
        }
        let names = entries.map { "\"\($0)\"" }.joined(separator: ", ")
        if let scalar = command.unicodeScalars.first(where: Self.forbidden.contains) {
            let shown = scalar.properties.isWhitespace ? "a newline" : "\"\(scalar)\""
            throw Refusal(
                description: "hosts.\(host).exec_allowlist lets only single simple commands run on \"\(host)\", and "
                    + "this one contains \(shown). Send each command in a call of its own, without shell operators.",
                rule: "exec_allowlist")
        }
        // Variables can turn an allowed program into another one (PATH, LD_PRELOAD, GIT_SSH_COMMAND, PAGER…).
        guard environment.isEmpty else {
            throw Refusal(
                description: "hosts.\(host).exec_allowlist is set, so \"env\" cannot be used on \"\(host)\". "
                    + "Call again without \"env\".",
                rule: "exec_allowlist")
        }
        let words = Self.words(command)
        let allowed = entries.contains { entry in
            let prefix = Self.words(entry)
            return !prefix.isEmpty && words.starts(with: prefix)
        }
        guard allowed else {
            throw Refusal(
                description: "hosts.\(host).exec_allowlist does not cover this command on \"\(host)\"; "
                    + "allowed are commands that begin with: \(names).",
                rule: "exec_allowlist")
        }
    }

    private static func words(_ text: String) -> [Substring] { text.split { $0 == " " || $0 == "\t" } }
}
