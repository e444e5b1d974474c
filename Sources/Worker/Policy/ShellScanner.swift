/// Reads a command line as a POSIX shell does (XCU chapter 2), as far as to know every simple command in it: those of
/// lists, pipelines, groups, loops, substitutions and here-documents that expand.
///
/// It never fails: what it does not understand it reads in the way that finds most commands. What shells read
/// differently (sh, bash, zsh, ksh, csh, tcsh, fish), or what cannot be parsed, leaves a `doubt`. It works on bytes: to
/// Swift an operator with a combining mark behind it is no operator, to a shell it is one.
///
/// This file has words, quotes, expansions and here-documents; `ShellGrammar.swift` what commands are made of.
struct ShellScanner {
    /// Longest line that is scanned, in bytes: a longer one cannot be an argument, MAX_ARG_STRLEN of execve(2).
    static let maximumLength = 128 * 1024
    /// Substitutions within substitutions, and command lines within arguments, that are followed.
    static let maximumDepth = 12
    /// How far the end of an arithmetic expression is looked for, so that scanning stays linear.
    private static let maximumArithmetic = 1024

    let bytes: [UInt8]
    var at = 0
    var depth: Int
    var block = Block()

    /// The simple commands, in the order in which they end.
    var commands: [ShellCommand] = []
    /// Redirections of groups, loops and the like.
    var compoundRedirections: [Redirection] = []
    /// Names that `for` sets.
    var loopNames: [Word] = []
    /// Bodies of here-documents.
    var documents: [[UInt8]] = []
    /// It has more than one simple command: an operator, a reserved word, or a comment.
    var isCompound = false
    /// The nesting was followed to `maximumDepth` and no further.
    var isTooDeep = false
    /// The first one.
    var doubt: Doubt?

    private var pending: [HereDocument] = []

    private struct HereDocument {
        var index: Int
        var delimiter: [UInt8]
        var stripsTabs: Bool
        var expands: Bool
    }

    /// Scans a line that stands `depth` levels deep in another one.
    init(_ line: some Sequence<UInt8>, depth: Int = 0) {
        bytes = Array(line)
        self.depth = depth
        guard depth <= Self.maximumDepth else {
            isTooDeep = true
            return
        }
        list(inSubstitution: false)
        if !pending.isEmpty { doubt("a here-document without its end", Self.stdin) }
    }

    /// Scans the body of a here-document that expands.
    private init(hereDocument body: [UInt8], depth: Int) {
        bytes = body
        self.depth = depth
        var text = Word()
        while at < bytes.count { quotedByte(&text) }
    }

    static let stdin = "Pass text for standard input as \"stdin\"."
    static let singleQuotes = "Put it into single quotes, without newlines and with no backslash at their end."
    static let separately = "Send each command in a call of its own, in plain words."

    mutating func doubt(_ found: String, _ advice: String) {
        if doubt == nil { doubt = Doubt(found: found, advice: advice) }
    }

    func byte(_ offset: Int = 0) -> UInt8? { at + offset < bytes.count ? bytes[at + offset] : nil }

    mutating func skipBlanks() {
        while let next = byte(), next.isBlank { at += 1 }
    }

    /// Goes one level deeper, or gives up on the rest.
    mutating func nested(_ body: (inout Self) -> Void) {
        guard depth < Self.maximumDepth else {
            isTooDeep = true
            at = bytes.count
            return
        }
        depth += 1
        body(&self)
        depth -= 1
    }

    private mutating func absorb(_ inner: Self) {
        commands += inner.commands.map { command in
            var command = command
            for index in command.redirections.indices {
                command.redirections[index].document = command.redirections[index].document.map { $0 + documents.count }
            }
            return command
        }
        documents += inner.documents
        compoundRedirections += inner.compoundRedirections
        loopNames += inner.loopNames
        isTooDeep = isTooDeep || inner.isTooDeep
        if doubt == nil { doubt = inner.doubt }
    }

    // MARK: Words

    /// Reads the word that begins here; nothing where an operator does.
    mutating func readWord() -> Word {
        var word = Word()
        while let next = byte() {
            switch next {
            case .less where byte(1) == .open, .greater where byte(1) == .open:
                doubt("a process substitution", Self.separately)
                at += 2
                word.value.append(Word.unknown)
                nested { $0.list(inSubstitution: true) }
            case .open:
                guard readParenthesis(&word) else { return word }
            case _ where next.endsWord: return word
            default: readByte(&word)
            }
        }
        return word
    }

    /// One byte, quotation or expansion of a word.
    private mutating func readByte(_ word: inout Word) {
        let next = bytes[at]
        switch next {
        case .singleQuote: readSingleQuotes(&word)
        case .doubleQuote: readDoubleQuotes(&word)
        case .backslash: readEscape(&word)
        case .dollar: readDollar(&word, quoted: false)
        case .backtick: readBackticks(&word)
        default:
            switch next {
            case .equals where word.nameLength == nil && !word.isQuoted: noteName(&word)
            case .equals where word.value.isEmpty, .tilde where word.value.isEmpty, .star, .question, .openBracket:
                word.isPattern = true
            case .openBrace, .closeBrace: (word.isPattern, word.hasBrace) = (true, true)
            case .caret where word.value.isEmpty && !word.isQuoted:
                doubt("a word that begins with \"^\"", Self.singleQuotes)
            case .bang: noteHistory()
            default: break
            }
            word.value.append(next)
            at += 1
        }
    }

    /// The word is an assignment where a name stands before the `=`; bash's `NAME+=` and `NAME[…]=` are seen, in doubt.
    private mutating func noteName(_ word: inout Word) {
        var name = word.value[...]
        if name.last == .plus { name.removeLast() }
        if name.last == .closeBracket, let bracket = name.firstIndex(of: .openBracket) { name = name[..<bracket] }
        guard Array(name).isName else {
            word.isPattern = word.isPattern || word.value.isEmpty
            return
        }
        if name.count != word.value.count { doubt("an assignment of bash", Self.separately) }
        word.nameLength = name.count
    }

    /// A parenthesis within a word: the list of an array, a pattern of ksh. Else it is no part of the word: false.
    private mutating func readParenthesis(_ word: inout Word) -> Bool {
        if word.value.last == .equals, word.nameLength != nil {
            doubt("an array", Self.separately)
            at += 1
            nested { $0.readArray() }
        } else if let last = word.value.last, [.question, .star, .plus, .at, .bang].contains(last), byte(1) != .close {
            doubt("parentheses in a word", Self.singleQuotes)
            readGroup(&word)
        } else {
            return false
        }
        word.value.append(Word.unknown)
        return true
    }

    private mutating func readArray() {
        while let next = byte() {
            switch next {
            case .close:
                at += 1
                return
            case .hash: skipComment()
            case .less, .greater:
                if byte(1) == .open { _ = readWord() } else { at += 1 }
            case _ where next.endsWord: at += 1
            default: _ = readWord()
            }
        }
    }

    private mutating func readGroup(_ word: inout Word) {
        var open = 0
        while let next = byte() {
            switch next {
            case .open: open += 1
            case .close: open -= 1
            default:
                readByte(&word)
                continue
            }
            at += 1
            if open == 0 { return }
        }
    }

    mutating func skipComment() {
        while let next = byte(), next != .newline { at += 1 }
    }

    // MARK: Quotes

    private mutating func readSingleQuotes(_ word: inout Word) {
        word.isQuoted = true
        at += 1
        while let next = byte(), next != .singleQuote {
            if next == .newline { doubt("a newline in quotes", Self.stdin) }
            if next == .bang { noteHistory() }
            // fish takes the backslash for an escape of the quote; in some encodings it ends a character.
            if next == .backslash, byte(1) == .singleQuote {
                doubt("a backslash at the end of single quotes", "Leave a space before the closing quote.")
            }
            word.value.append(next)
            at += 1
        }
        if byte() == nil { doubt("a quote that is not closed", "Close it.") }
        at += 1
    }

    private mutating func readDoubleQuotes(_ word: inout Word) {
        word.isQuoted = true
        at += 1
        while let next = byte(), next != .doubleQuote { quotedByte(&word) }
        if byte() == nil { doubt("a quote that is not closed", "Close it.") }
        at += 1
    }

    /// One byte, escape or expansion between double quotes, or in a here-document.
    private mutating func quotedByte(_ word: inout Word) {
        let next = bytes[at]
        switch next {
        case .dollar: readDollar(&word, quoted: true)
        case .backtick: readBackticks(&word)
        case .backslash:
            // csh ends the string at \".
            doubt("a backslash in double quotes", Self.singleQuotes)
            let escaped = byte(1)
            let isEscape =
                switch escaped {
                case .dollar, .backtick, .doubleQuote, .backslash, .newline: true
                default: false
                }
            if !isEscape { word.value.append(next) }
            if let escaped, escaped != .newline { word.value.append(escaped) }
            at += 2
        default:
            if next == .newline { doubt("a newline in quotes", Self.stdin) }
            if next == .bang { noteHistory() }
            word.value.append(next)
            at += 1
        }
    }

    private mutating func readEscape(_ word: inout Word) {
        word.isQuoted = true
        let escaped = byte(1)
        switch escaped {
        case nil: doubt("a backslash at the end", "Leave it out.")
        case .newline: doubt("a continued line", "Write the command on one line.")
        case let byte? where byte.isNameByte || byte >= 0x80 || (at > 0 && bytes[at - 1] >= 0x80):
            // fish reads \n, \x41, \cX; in GBK and Shift JIS the backslash can be the end of the character before.
            doubt("a backslash before or behind a letter", Self.singleQuotes)
        default: break
        }
        if let escaped, escaped != .newline { word.value.append(escaped) }
        at += 2
    }

    /// csh puts an earlier command in the place of `!…`, in quotes too; not where one of these follows.
    private mutating func noteHistory() {
        switch byte(1) {
        case nil, .space, .tab, .newline, .equals, .singleQuote, .doubleQuote: break
        default: doubt("\"!\" before other than a blank", "Leave a space behind it.")
        }
    }

    // MARK: Expansions

    private mutating func readDollar(_ word: inout Word, quoted: Bool) {
        switch byte(1) {
        case .open:
            doubt("a command substitution", Self.separately)
            if byte(2) == .open, let end = arithmeticEnd(at + 1) {
                readExpression(from: at + 3, to: end)
            } else {
                at += 2
                nested { $0.list(inSubstitution: true) }
            }
            word.value.append(Word.unknown)
        case .openBrace:
            at += 2
            let start = at
            while let next = byte(), next.isNameByte { at += 1 }
            if byte() == .closeBrace, Array(bytes[start..<at]).isName {
                at += 1
            } else {
                doubt("an expansion of more than a name", "Use $NAME alone.")
                nested { $0.readBraces(quoted: quoted) }
            }
            word.value.append(Word.unknown)
        case .singleQuote where !quoted:
            doubt("$'…'", Self.singleQuotes)
            readAnsiQuotes(&word)
        case .doubleQuote where !quoted:
            doubt("$\"…\"", "Leave the \"$\" out.")
            at += 1
        case .openBracket:
            doubt("$[…]", Self.singleQuotes)
            word.value.append(Word.unknown)
            at += 2
        case .question:
            word.value.append(Word.unknown)
            at += 2
        case let next? where next.isNameByte && !next.isDigit:
            at += 1
            while let next = byte(), next.isNameByte { at += 1 }
            if byte() == .openBracket { doubt("a subscript", "Use $NAME alone.") }
            word.value.append(Word.unknown)
        case let next? where next.isDigit || [.dollar, .hash, .at, .star, .bang, .hyphen].contains(next):
            doubt("a special variable", "Use $NAME alone.")
            word.value.append(Word.unknown)
            at += 2
        default:
            doubt("\"$\" without a name", Self.singleQuotes)
            word.value.append(.dollar)
            at += 1
        }
    }

    /// The rest of `${…}`.
    private mutating func readBraces(quoted: Bool) {
        var word = Word()
        while let next = byte() {
            switch next {
            case .closeBrace:
                at += 1
                return
            case .singleQuote where quoted: at += 1
            default: readByte(&word)
            }
        }
    }

    private mutating func readAnsiQuotes(_ word: inout Word) {
        word.isQuoted = true
        at += 2
        while let next = byte(), next != .singleQuote {
            word.value.append(next == .backslash ? Word.unknown : next)
            at += next == .backslash ? 2 : 1
        }
        at += 1
    }

    /// Commands in backticks, where a backslash hides a backtick, a dollar sign and a backslash.
    private mutating func readBackticks(_ word: inout Word) {
        doubt("backticks", Self.separately)
        word.value.append(Word.unknown)
        at += 1
        var inner: [UInt8] = []
        while let next = byte(), next != .backtick {
            if next == .backslash, let escaped = byte(1), [.backtick, .dollar, .backslash].contains(escaped) { at += 1 }
            if at < bytes.count { inner.append(bytes[at]) }
            at += 1
        }
        at += 1
        absorb(ShellScanner(inner, depth: depth + 1))
    }

    /// The index behind an arithmetic expression whose first of two parentheses stands at `start`; nil where it is none.
    func arithmeticEnd(_ start: Int) -> Int? {
        var open = 0
        for index in start..<min(bytes.count, start + Self.maximumArithmetic) {
            switch bytes[index] {
            case .open: open += 1
            case .close:
                open -= 1
                if open == 1 { return index + 1 < bytes.count && bytes[index + 1] == .close ? index + 2 : nil }
            case .newline, .semicolon: return nil
            default: break
            }
        }
        return nil
    }

    /// Finds the substitutions in an arithmetic expression.
    mutating func readExpression(from start: Int, to end: Int) {
        at = start
        nested { scanner in
            var word = Word()
            while scanner.at < min(end, scanner.bytes.count) { scanner.quotedByte(&word) }
        }
    }

    // MARK: Here-documents

    /// Reads the delimiter and remembers the document, whose body begins behind this line.
    mutating func readDelimiter(_ operation: Redirection.Operation) -> Redirection {
        let start = at
        let word = readWord()
        let raw = bytes[start..<min(at, bytes.count)]
        let name = raw.dropFirst().dropLast()
        let isQuotedName = [.singleQuote, .doubleQuote].contains(raw.first) && raw.first == raw.last
            && !name.isEmpty && name.allSatisfy(\.isNameByte)
        // csh ends the body at the delimiter as it is written, fish has no here-documents.
        if !isQuotedName || operation == .hereDocumentLessTabs {
            doubt("a here-document other than <<'NAME'", Self.stdin)
        }
        documents.append([])
        pending.append(
            HereDocument(
                index: documents.count - 1, delimiter: word.value, stripsTabs: operation == .hereDocumentLessTabs,
                expands: !word.isQuoted))
        return Redirection(operation: operation, target: word, document: documents.count - 1)
    }

    /// Reads the bodies of the line that has just ended.
    mutating func readHereDocuments() {
        guard !pending.isEmpty else { return }
        let documents = pending
        pending = []
        for document in documents { read(document) }
    }

    private mutating func read(_ document: HereDocument) {
        let start = at
        var end = bytes.count
        var closed = false
        while at < bytes.count, !closed {
            let lineStart = at
            while let next = byte(), next != .newline { at += 1 }
            let line = bytes[lineStart..<at]
            let text = document.stripsTabs ? line.drop { $0 == .tab } : line
            if text.elementsEqual(document.delimiter) {
                end = lineStart
                closed = true
            } else if text.filter({ !$0.isBlank && $0 != .singleQuote && $0 != .doubleQuote }) == document.delimiter[...]
            {
                doubt("a line of a here-document that some shells take for its end", Self.stdin)
            }
            if at < bytes.count { at += 1 }
        }
        if !closed { doubt("a here-document without its end", Self.stdin) }
        let body = Array(bytes[start..<end])
        self.documents[document.index] = body
        if document.expands {
            if depth < Self.maximumDepth {
                absorb(ShellScanner(hereDocument: body, depth: depth + 1))
            } else {
                isTooDeep = true
            }
        }
    }
}
