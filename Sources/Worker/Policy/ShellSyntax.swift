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

/// A redirection, such as `2>file` or `<<EOF`.
struct Redirection: Equatable, Sendable {
    enum Operation: String, CaseIterable {
        case input = "<"
        case output = ">"
        case append = ">>"
        case overwrite = ">|"
        case duplicateInput = "<&"
        case duplicateOutput = ">&"
        case readWrite = "<>"
        case both = "&>"
        case bothAppend = "&>>"
        case hereDocument = "<<"
        case hereDocumentLessTabs = "<<-"
        case hereString = "<<<"

        /// The longest operators first, because a shell reads the longest that fits.
        static let bySize = allCases.sorted { $0.rawValue.utf8.count > $1.rawValue.utf8.count }
    }

    var operation: Operation
    /// A file, a descriptor, a delimiter or the text of a here-string.
    var target: Word
    /// Index of the here-document's body in the scanner's `documents`.
    var document: Int?
}

/// A simple command: what a shell runs as one program or builtin. A `for` counts as a command that assigns its
/// variable.
struct ShellCommand: Equatable, Sendable {
    var assignments: [Word] = []
    var words: [Word] = []
    var redirections: [Redirection] = []
    /// Index of the command whose output is piped into this one.
    var source: Int?
    /// Whether it stands after `)`, `}`, `done`, `fi` or `esac`: its redirections are those of the group.
    var isTail = false

    var isEmpty: Bool { assignments.isEmpty && words.isEmpty && redirections.isEmpty }
    /// The assignments and words, for messages.
    var text: String {
        (assignments + words).map(\.text).joined(separator: " ")
    }
}

extension UInt8 {
    static let tab = UInt8(ascii: "\t")
    static let newline = UInt8(ascii: "\n")
    static let space = UInt8(ascii: " ")
    static let bang = UInt8(ascii: "!")
    static let doubleQuote = UInt8(ascii: "\"")
    static let hash = UInt8(ascii: "#")
    static let dollar = UInt8(ascii: "$")
    static let ampersand = UInt8(ascii: "&")
    static let singleQuote = UInt8(ascii: "'")
    static let open = UInt8(ascii: "(")
    static let close = UInt8(ascii: ")")
    static let star = UInt8(ascii: "*")
    static let plus = UInt8(ascii: "+")
    static let comma = UInt8(ascii: ",")
    static let hyphen = UInt8(ascii: "-")
    static let slash = UInt8(ascii: "/")
    static let semicolon = UInt8(ascii: ";")
    static let less = UInt8(ascii: "<")
    static let equals = UInt8(ascii: "=")
    static let greater = UInt8(ascii: ">")
    static let question = UInt8(ascii: "?")
    static let at = UInt8(ascii: "@")
    static let openBracket = UInt8(ascii: "[")
    static let backslash = UInt8(ascii: "\\")
    static let closeBracket = UInt8(ascii: "]")
    static let backtick = UInt8(ascii: "`")
    static let openBrace = UInt8(ascii: "{")
    static let pipe = UInt8(ascii: "|")
    static let closeBrace = UInt8(ascii: "}")

    var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
    var isLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) }
    /// Whether it can stand in the name of a variable: a letter, a digit or `_`.
    var isNameByte: Bool { isLetter || isDigit || self == UInt8(ascii: "_") }
    var isBlank: Bool { self == .space || self == .tab }
    /// Whether it ends a word: a blank, a newline or an operator.
    var endsWord: Bool {
        switch self {
        case .space, .tab, .newline, .semicolon, .ampersand, .pipe, .less, .greater, .open, .close: true
        default: false
        }
    }
}

extension Collection<UInt8> {
    /// Whether it can be the name of a variable.
    var isName: Bool { first.map { !$0.isDigit } == true && allSatisfy(\.isNameByte) }
}
