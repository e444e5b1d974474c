public import IPC

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

    /// Throws if the list does not cover a command of the line or a variable.
    public func judge(command: String, environment: [String: String]) throws(GateRefusal) {
        guard let entries else { return }
        guard !entries.isEmpty else { throw refusal(.allowlistEmpty) }
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) where !Self.isHarmless(name, value) {
            throw refusal(.variable(name: name))
        }
        let scanner = ShellScanner(command.utf8)
        if let doubt = scanner.doubt { throw refusal(.doubt(doubt)) }
        guard !scanner.commands.isEmpty else { throw refusal(.noCommand) }
        let prefixes = entries.map { $0.utf8.split { $0.isBlank }.map(Array.init) }.filter { !$0.isEmpty }
        for simple in scanner.commands { try judge(simple, prefixes, entries) }
    }

    private func judge(_ command: ShellCommand, _ prefixes: [[[UInt8]]], _ entries: [String]) throws(GateRefusal) {
        let shown = String(command.text.prefix(GateRefusal.shown))
        for redirection in command.redirections where !Self.isHarmless(redirection) {
            throw refusal(
                .redirection(
                    operation: redirection.operation.rawValue,
                    target: String(redirection.target.text.prefix(GateRefusal.shown)), command: shown))
        }
        if let program = command.words.first?.text, Self.builtins.contains(program) {
            throw refusal(.builtin(program: program, command: shown))
        }
        if command.words.first?.text == "printf", let first = command.words.dropFirst().first,
            !first.isLiteral || first.value.starts(with: "-v".utf8)
        {
            throw refusal(.printf(command: shown))
        }
        let words = command.assignments + command.words
        let isCovered = prefixes.contains { prefix in
            prefix.count <= words.count && zip(prefix, words).allSatisfy { $1.isBare && $1.value == $0 }
        }
        if isCovered { return }
        let beginning = String(command.text.split(separator: " ").prefix(2).joined(separator: " ").prefix(100))
        if let name = command.assignments.first(where: { !Self.isHarmless($0) })?.name {
            throw refusal(.assignment(name: name, command: shown, beginning: beginning))
        }
        let isPlain =
            command.words.isEmpty
            || prefixes.contains { prefix in
                prefix.count <= command.words.count
                    && zip(prefix, command.words).allSatisfy { $1.isBare && $1.value == $0 }
            }
        if isPlain { return }
        throw refusal(
            .notCovered(
                command: shown, beginning: beginning, isChange: command.words.first?.text == "cd",
                entries: Array(entries.prefix(GateRefusal.shownEntries)),
                more: UInt32(clamping: max(0, entries.count - GateRefusal.shownEntries))))
    }

    private func refusal(_ reason: GateRefusal.Reason) -> GateRefusal { GateRefusal(host: host, reason) }

    /// Whether the variable is known to be harmless, or has a name that only a script's own variable has: at most 8
    /// lower-case letters and digits. `path` is not one, because zsh searches it for programs. The value of one that names an
    /// environment, such as `RAILS_ENV`, becomes a part of paths, so it is a plain word.
    private static func isHarmless(_ name: String, _ value: String) -> Bool {
        if name.hasSuffix("_ENV"), !value.utf8.allSatisfy(isWordByte) { return false }
        if harmless.contains(name) || name.hasPrefix("LC_") { return true }
        return name.utf8.count <= 8 && name != "path"
            && name.utf8.allSatisfy { $0.isDigit || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
    }

    private static func isHarmless(_ assignment: Word) -> Bool {
        guard let name = assignment.name else { return true }
        // What a loop gives its variable stands elsewhere.
        let value = assignment.hasEquals && assignment.isLiteral ? assignment.dropping(name.utf8.count + 1).text : "?"
        return isHarmless(name, value)
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
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
