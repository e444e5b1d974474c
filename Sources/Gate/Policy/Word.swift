/// A word of a shell command, its quotes removed.
struct Word: Equatable, Sendable {
    /// Stands in `value` for what an expansion would put there. It is NUL, which no argument of a program can contain.
    static let unknown: UInt8 = 0

    /// The bytes of the word, with `unknown` for each expansion.
    var value: [UInt8] = []
    /// What substitutions in the word print, as far as the line itself shows.
    var printed: [[UInt8]] = []
    /// Whether a part is quoted or escaped, so that the word is no reserved word.
    var isQuoted = false
    /// Whether a shell may make other words of it, because of a `*`, `?`, `[` or brace that is not quoted.
    var isPattern = false
    /// Whether it has an `=` that is not quoted.
    var hasEquals = false
    /// Bytes of the name, if the word reads `NAME=value`.
    var nameLength: Int?

    /// Whether the shell reads the word as exactly `value`.
    var isLiteral: Bool { !isPattern && !value.contains(Self.unknown) }
    /// Whether it is also written without quotes.
    var isBare: Bool { isLiteral && !isQuoted }
    /// The variable that the word sets, if it is an assignment.
    var name: String? { nameLength.map { String(decoding: value.prefix($0), as: UTF8.self) } }
    /// The word for messages and for looking up names, with `?` for each expansion.
    var text: String { String(decoding: value.map { $0 == Self.unknown ? .question : $0 }, as: UTF8.self) }
    /// The command lines that the word can be for a shell.
    var lines: [[UInt8]] { [value] + printed }

    /// Returns the word without its first bytes.
    func dropping(_ count: Int) -> Word {
        var word = self
        word.value.removeFirst(min(count, value.count))
        return word
    }

    /// The names of the programs that the word can be.
    var programs: [ArraySlice<UInt8>] {
        [lastComponent]
            + printed.compactMap { $0.split(whereSeparator: \.isBlank).first?.split(separator: .slash).last }
    }

    /// What follows the last slash: the name of a program.
    var lastComponent: ArraySlice<UInt8> { value[(value.lastIndex(of: .slash).map { $0 + 1 } ?? 0)...] }
}
