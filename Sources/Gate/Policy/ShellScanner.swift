internal import IPC

/// Reads a command line as a POSIX shell does (XCU chapter 2), to find every simple command in it: those of lists,
/// pipelines, groups, loops, functions, substitutions and here-documents that expand.
///
/// It never fails. If the line hides what would run, or if shells that can be `/bin/sh` read it differently, it keeps a
/// `doubt` and reads on in the way that finds most commands. If it can no longer know what is quoted, the line
/// `isUnreadable`. It works on bytes: for Swift's strings an operator with a combining mark after it is no operator,
/// for a shell it is one. Its time grows with the length of the line; its recursion is bounded.
///
/// This file reads words and quotes, `ShellExpansions.swift` expansions and here-documents, `ShellGrammar.swift`
/// commands.
struct ShellScanner {
    /// Bytes of the longest line that can run: it is one argument, which execve(2) bounds by MAX_ARG_STRLEN.
    static let maximumLength = 128 * 1024
    /// How many levels of substitutions within substitutions, and of command lines within arguments, are followed.
    static let maximumDepth = 12

    let bytes: [UInt8]
    /// Index of the next byte.
    var at = 0
    /// How many levels deep the reading is.
    var depth: Int
    var grammar = Grammar()

    /// The simple commands, in the order in which they end.
    var commands: [ShellCommand] = []
    /// Bodies of here-documents; a `Redirection` has the index of its own.
    var documents: [[UInt8]] = []
    /// The first thing for which a strict reader refuses the line.
    private(set) var doubt: ShellDoubt?
    /// Whether it is unknown where a word, a quotation or a group ends.
    private(set) var isUnreadable = false

    /// Here-documents whose bodies have not been read yet.
    var pending: [HereDocument] = []

    struct HereDocument {
        var index: Int
        var delimiter: [UInt8]
        var stripsTabs: Bool
        var expands: Bool
    }

    /// Scans a line that stands `depth` levels deep in another one.
    init(_ line: some Sequence<UInt8>, depth: Int = 0) {
        bytes = Array(line)
        self.depth = depth
        guard bytes.count <= Self.maximumLength, depth <= Self.maximumDepth else {
            doubt = depth > 0 ? .nesting : .length
            isUnreadable = true
            return
        }
        list(inSubstitution: false)
        if !pending.isEmpty { unreadable(.openHereDocument) }
    }

    /// Scans the body of a here-document that expands.
    init(hereDocument body: [UInt8], depth: Int) {
        bytes = body
        self.depth = depth
        var text = Word()
        while at < bytes.count { quotedByte(&text, inDocument: true) }
    }

    mutating func doubt(_ found: ShellDoubt) {
        if doubt == nil { doubt = found }
    }

    mutating func unreadable(_ found: ShellDoubt) {
        doubt(found)
        isUnreadable = true
    }

    /// The byte at `offset` from the next one; nil beyond the end.
    func byte(_ offset: Int = 0) -> UInt8? { at + offset < bytes.count ? bytes[at + offset] : nil }

    /// Runs `body` one level deeper, or gives up on the rest of the line if that is too deep.
    mutating func nested(_ body: (inout Self) -> Void) {
        guard depth < Self.maximumDepth else {
            unreadable(.nesting)
            at = bytes.count
            return
        }
        depth += 1
        body(&self)
        depth -= 1
    }

    /// Reads commands up to the closing parenthesis. What they print becomes part of a word. `at` is after the opening
    /// parenthesis.
    mutating func substitution(in word: inout Word) {
        word.value.append(Word.unknown)
        let before = commands.count
        nested { scanner in
            let (outer, waiting) = (scanner.grammar, scanner.pending.count)
            scanner.grammar = Grammar()
            scanner.list(inSubstitution: true)
            scanner.grammar = outer
            if scanner.pending.count > waiting { scanner.unreadable(.openHereDocument) }
        }
        if commands.count > before, let last = commands.last { word.printed += printed(by: last) }
    }

    /// Takes over what the scanner of a text within this one found.
    mutating func absorb(_ inner: Self) {
        let (first, count) = (documents.count, commands.count)
        commands += inner.commands.map { command in
            var command = command
            command.source = command.source.map { $0 + count }
            for index in command.redirections.indices {
                command.redirections[index].document = command.redirections[index].document.map { $0 + first }
            }
            return command
        }
        documents += inner.documents
        if let found = inner.doubt { doubt(found) }
        isUnreadable = isUnreadable || inner.isUnreadable
    }

    // MARK: Words

    /// Reads the word that begins here; it is empty if an operator or a comment begins here.
    mutating func readWord() -> Word {
        var word = Word()
        if byte() == .hash { return word }
        while let next = byte() {
            switch next {
            case .less where byte(1) == .open, .greater where byte(1) == .open:
                doubt(.processSubstitution)
                at += 2
                substitution(in: &word)
            case .open:
                guard readParenthesis(&word), word.nameLength == nil else { return word }
            case _ where next.endsWord: return word
            default: readByte(&word)
            }
        }
        return word
    }

    /// Reads one byte, quotation or expansion of a word.
    mutating func readByte(_ word: inout Word) {
        let next = bytes[at]
        switch next {
        case .singleQuote: readSingleQuotes(&word)
        case .doubleQuote: readDoubleQuotes(&word)
        case .backslash: readEscape(&word)
        case .dollar: readDollar(&word, quoted: false)
        case .backtick: readBackticks(&word, quoted: false)
        default:
            switch next {
            case .equals where !word.hasEquals: noteName(&word)
            case .star, .question, .openBrace, .closeBrace: word.isPattern = word.isPattern || !isReservedBrace(word)
            case .openBracket: word.isPattern = word.isPattern || !word.value.isEmpty || byte(1)?.endsWord != true
            default: noteControl(next)
            }
            word.value.append(next)
            at += 1
        }
    }

    /// Whether the brace stands alone: then it is a reserved word and no pattern.
    private func isReservedBrace(_ word: Word) -> Bool {
        (byte() == .openBrace || byte() == .closeBrace) && word == Word() && byte(1)?.endsWord != false
    }

    private mutating func noteControl(_ byte: UInt8) {
        if byte == 0x0D {
            doubt(.carriageReturn)
        } else if byte < 0x20 || byte == 0x7F {
            doubt(.controlCharacter)
        }
    }

    /// Notes that the word is an assignment if a name stands before the `=`. bash's `NAME+=` and `NAME[…]=` count, with
    /// a doubt.
    private mutating func noteName(_ word: inout Word) {
        word.hasEquals = true
        guard !word.isQuoted else { return }
        var name = word.value[...]
        if name.last == .plus { name.removeLast() }
        if name.last == .closeBracket, let bracket = name.firstIndex(of: .openBracket) { name = name[..<bracket] }
        guard name.isName else { return }
        if name.count != word.value.count { doubt(.bashAssignment) }
        word.nameLength = name.count
    }

    /// Reads a parenthesis within a word: the list of an array, or a pattern of ksh. Returns false if it is no part of
    /// the word.
    private mutating func readParenthesis(_ word: inout Word) -> Bool {
        if word.value.last == .equals, word.nameLength != nil {
            doubt(.array)
            at += 1
            nested { $0.readArray() }
        } else if let last = word.value.last, [.question, .star, .plus, .at, .bang].contains(last), byte(1) != .close {
            doubt(.parenthesesInWord)
            word.isPattern = true
            readGroup(&word)
        } else {
            return false
        }
        word.value.append(Word.unknown)
        return true
    }

    private mutating func readArray() {
        while let next = byte() {
            if next == .close {
                at += 1
                return
            }
            if next == .hash { skipComment() } else if next.endsWord { at += 1 } else { _ = readWord() }
        }
        unreadable(.openArray)
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
        unreadable(.openParentheses)
    }

    mutating func skipComment() {
        while let next = byte(), next != .newline { at += 1 }
    }

    // MARK: Quotes

    private mutating func readSingleQuotes(_ word: inout Word) {
        word.isQuoted = true
        at += 1
        while let next = byte(), next != .singleQuote {
            noteControl(next == .newline || next == .tab ? .space : next)
            word.value.append(next)
            at += 1
        }
        if byte() == nil { unreadable(.openQuote) }
        at += 1
    }

    private mutating func readDoubleQuotes(_ word: inout Word) {
        word.isQuoted = true
        at += 1
        while let next = byte(), next != .doubleQuote { quotedByte(&word) }
        if byte() == nil { unreadable(.openQuote) }
        at += 1
    }

    /// Reads one byte, escape or expansion between double quotes or in a here-document.
    mutating func quotedByte(_ word: inout Word, inDocument: Bool = false) {
        let next = bytes[at]
        switch next {
        case .dollar: readDollar(&word, quoted: true)
        case .backtick: readBackticks(&word, quoted: !inDocument)
        case .backslash:
            noteBackslash()
            let escaped = byte(1)
            switch escaped {
            case .newline:
                // The shell joins the lines, so that a "$" may become an expansion.
                doubt(.continuedLine)
            case .dollar, .backtick, .backslash, .doubleQuote: word.value.append(escaped ?? next)
            case let other?: word.value += [next, other]
            case nil: word.value.append(next)
            }
            at += 2
        default:
            noteControl(next == .newline || next == .tab ? .space : next)
            word.value.append(next)
            at += 1
        }
    }

    /// Keeps a doubt after a byte that is not ASCII: in GBK, Big5 and Shift JIS the backslash can be the second byte of
    /// a character.
    private mutating func noteBackslash() {
        if at > 0, bytes[at - 1] >= 0x80 { doubt(.backslashBehindLetter) }
    }

    private mutating func readEscape(_ word: inout Word) {
        noteBackslash()
        guard let escaped = byte(1) else {
            doubt(.backslashAtEnd)
            at += 1
            return
        }
        if escaped == .newline {
            doubt(.continuedWord)
        } else {
            noteControl(escaped)
            word.isQuoted = true
            word.value.append(escaped)
        }
        at += 2
    }
}
