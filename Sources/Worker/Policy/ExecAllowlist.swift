/// A host's `exec_allowlist`: the commands that `ssh_exec` may run there.
///
/// Every simple command of the line must begin with the words of an entry, written without quotes. A line is refused if
/// it hides what it would run, or if shells read it differently. It is judged as `/bin/sh` reads it, so `/bin/sh` must
/// run it.
public struct ExecAllowlist: Sendable {
    private let entries: [String]?
    private let host: String

    /// `entries` nil allows every command, an empty list none.
    public init(_ entries: [String]?, host: String) {
        self.entries = entries
        self.host = host
    }

    /// Builtins that change what the words of later commands mean, or that read commands. They are refused even if an
    /// entry names them.
    private static let builtins: Set<String> = [
        "eval", ".", "source", "alias", "unalias", "trap", "hash", "enable", "set", "shopt", "export", "readonly",
        "declare",
        "typeset", "local", "unset", "read", "mapfile", "readarray", "getopts", "let", "emulate", "function",
    ]

    /// Variables that no program takes as code, a path or options.
    private static let harmless: Set<String> = [
        "LANG", "TZ", "TERM", "COLUMNS", "LINES", "CI", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "DEBUG", "VERBOSE",
        "NODE_ENV",
        "RAILS_ENV", "RACK_ENV", "APP_ENV", "FLASK_ENV",
    ]

    /// How many entries a refusal names; it only counts the others.
    private static let shownEntries = 20

    /// Throws if the list does not cover a command of the line or a variable.
    public func judge(command: String, environment: [String: String]) throws(Refusal) {
        guard let entries else { return }
        guard !entries.isEmpty else {
            throw refusal("is empty: no command may run on \"\(host)\". Ask the user to add what is needed to it.")
        }
        for name in environment.keys.sorted() where !Self.isHarmless(name) {
            throw refusal(
                "is set, and on \"\(host)\" the variable \"\(name)\" could turn an allowed command into another one. "
                    + "Call again without it in \"env\", or \(Self.advice("\(name)=VALUE COMMAND", host)).")
        }
        let scanner = ShellScanner(command.utf8)
        if let doubt = scanner.doubt {
            throw refusal(
                "is set, and on \"\(host)\" this command contains \(doubt), so that what would run is not certain. "
                    + "Send plain commands, each in a call of its own, and text for them as \"stdin\".")
        }
        guard !scanner.commands.isEmpty else { throw refusal("is set, and there is no command to run on \"\(host)\".") }
        let prefixes = entries.map { $0.utf8.split { $0.isBlank }.map(Array.init) }.filter { !$0.isEmpty }
        for simple in scanner.commands { try judge(simple, prefixes, entries) }
    }

    private func judge(_ command: ShellCommand, _ prefixes: [[[UInt8]]], _ entries: [String]) throws(Refusal) {
        let shown = "\"\(command.text.prefix(200))\""
        for redirection in command.redirections where !Self.isHarmless(redirection) {
            throw refusal(
                "is set, and on \"\(host)\" the redirection \"\(redirection.operation.rawValue) "
                    + "\(redirection.target.text.prefix(200))\"\(command.text.isEmpty ? "" : " of \(shown)") is refused. "
                    + "Only input from files, /dev/null and descriptors such as 2>&1 may be redirected.")
        }
        if let program = command.words.first?.text, Self.builtins.contains(program) {
            throw refusal(
                "covers no \"\(program)\": on \"\(host)\" \(shown) could make other commands run. "
                    + "Send plain commands, each in a call of its own.")
        }
        if command.words.first?.text == "printf", let first = command.words.dropFirst().first,
            !first.isLiteral || first.value.starts(with: "-v".utf8)
        {
            throw refusal(
                "covers no \"printf\" with an option or a variable in front: on \"\(host)\" \(shown) could set PATH. "
                    + "Begin its arguments with a format in quotes.")
        }
        let words = command.assignments + command.words
        let isCovered = prefixes.contains { prefix in
            prefix.count <= words.count && zip(prefix, words).allSatisfy { $1.isBare && $1.value == $0 }
        }
        if isCovered { return }
        if let name = command.assignments.compactMap(\.name).first(where: { !Self.isHarmless($0) }) {
            throw refusal(
                "is set, and on \"\(host)\" the variable \"\(name)\" in \(shown) could turn an allowed command into another "
                    + "one. Leave it out, or \(Self.advice(command.text, host)).")
        }
        let isPlain =
            command.words.isEmpty
            || prefixes.contains { prefix in
                prefix.count <= command.words.count
                    && zip(prefix, command.words).allSatisfy { $1.isBare && $1.value == $0 }
            }
        if isPlain { return }
        let names = entries.prefix(Self.shownEntries).map { "\"\($0)\"" }.joined(separator: ", ")
        let more = entries.count > Self.shownEntries ? " and \(entries.count - Self.shownEntries) more" : ""
        let instead =
            command.words.first?.text == "cd"
            ? "Pass the directory as \"cwd\" and leave out \"cd\"" : "Use one of these"
        throw refusal(
            "does not cover \(shown) on \"\(host)\"; covered are commands that begin with: \(names)\(more), written without "
                + "quotes. \(instead), or \(Self.advice(command.text, host)).")
    }

    private static func advice(_ command: String, _ host: String) -> String {
        "ask the user to add \"\(command.split(separator: " ").prefix(2).joined(separator: " ").prefix(100))\" to "
            + "hosts.\(host).exec_allowlist"
    }

    private func refusal(_ text: String) -> Refusal {
        Refusal(description: "hosts.\(host).exec_allowlist \(text)", rule: "exec_allowlist")
    }

    /// Whether the variable is known to be harmless, or has a name that only a script's own variable has: at most 8
    /// lower-case letters and digits. `path` is not one, because zsh searches it for programs.
    private static func isHarmless(_ name: String) -> Bool {
        if harmless.contains(name) || name.hasPrefix("LC_") { return true }
        return name.utf8.count <= 8 && name != "path"
            && name.utf8.allSatisfy { $0.isDigit || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
    }

    /// Whether the redirection writes to no file but `/dev/null` and opens no network connection, which bash does for
    /// `/dev/tcp/`.
    private static func isHarmless(_ redirection: Redirection) -> Bool {
        let target = redirection.target
        switch redirection.operation {
        case .hereDocument, .hereDocumentLessTabs, .hereString: return true
        case .input: return target.isLiteral && !["/dev/tcp/", "/dev/udp/"].contains { target.text.hasPrefix($0) }
        case .duplicateInput, .duplicateOutput:
            return target.isBare
                && (["-", "/dev/null"].contains(target.text)
                    || !target.value.isEmpty && target.value.allSatisfy(\.isDigit))
        case .output, .append, .overwrite, .both, .bothAppend: return target.isBare && target.text == "/dev/null"
        case .readWrite: return false
        }
    }
}
