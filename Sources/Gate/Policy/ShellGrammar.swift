internal import IPC

/// Reads lists, pipelines, groups and loops in one flat pass: where a command can begin, a word is a reserved word or a
/// program.
extension ShellScanner {
    /// What is open in the list that is being read.
    struct Grammar {
        enum Group {
            case parenthesis
            /// The outer parenthesis of `((…))`.
            case arithmetic
            /// A `case` whose `esac` has not come yet.
            case cases
        }

        var groups: [Group] = []
        var command = ShellCommand()
        /// Whether the next word is a pattern of a `case`.
        var expectsPattern = false
        /// How many `((` are open.
        var arithmetic = 0
    }

    /// Reads commands to the end of the text, or to the parenthesis that closes the substitution.
    mutating func list(inSubstitution: Bool) {
        while true {
            skipBlanks()
            guard let next = byte() else { break }
            if grammar.expectsPattern {
                pattern(next)
                continue
            }
            switch next {
            case .newline:
                at += 1
                // The line may end after a pipe. Then the next command reads from the pipe.
                let source = grammar.command.isEmpty ? grammar.command.source : nil
                endCommand()
                grammar.command.source = source
                readHereDocuments()
            case .hash: skipComment()
            case .semicolon: semicolons()
            case .pipe:
                let isOr = byte(1) == .pipe
                at += isOr || byte(1) == .ampersand ? 2 : 1
                endCommand()
                if !isOr, !commands.isEmpty { grammar.command.source = commands.count - 1 }
            case .ampersand where byte(1) != .greater:
                at += byte(1) == .ampersand ? 2 : 1
                endCommand()
            case .open: open()
            case .close:
                endCommand()
                at += 1
                if close(inSubstitution: inSubstitution) { return }
            case .ampersand: redirection()
            case .less, .greater:
                if byte(1) == .open { take(readWord()) } else { redirection() }
            default: take(readWord())
            }
        }
        endCommand()
        if inSubstitution || !grammar.groups.isEmpty { unreadable(.openGroup) }
    }

    private mutating func skipBlanks() {
        while let next = byte() {
            if next.isBlank { at += 1 } else if next == .backslash, byte(1) == .newline { at += 2 } else { return }
        }
    }

    private mutating func endCommand() {
        if !grammar.command.isEmpty { commands.append(grammar.command) }
        grammar.command = ShellCommand()
    }

    private mutating func semicolons() {
        at += 1
        endCommand()
        guard byte() == .semicolon || byte() == .ampersand else { return }
        guard grammar.groups.last == .cases else { return doubt(.loneOperator) }
        at += byte() == .semicolon && byte(1) == .ampersand ? 2 : 1
        grammar.expectsPattern = true
    }

    private mutating func open() {
        at += 1
        let words = grammar.command.words
        if grammar.command.isEmpty {
            if byte() == .open {
                doubt(.arithmeticCommand)
                grammar.groups.append(.arithmetic)
                grammar.arithmetic += 1
                at += 1
            }
        } else if words.count == 1, grammar.command.redirections.isEmpty, skipEmptyParentheses() {
            doubt(.function)
            grammar.command = ShellCommand()
            return
        } else {
            doubt(.strayParenthesis)
            endCommand()
        }
        grammar.groups.append(.parenthesis)
    }

    /// Returns whether the closing parenthesis follows the opening one that was just read, and skips it if so.
    private mutating func skipEmptyParentheses() -> Bool {
        skipBlanks()
        guard byte() == .close else { return false }
        at += 1
        return true
    }

    /// Closes the innermost group. Returns whether the substitution ends here.
    private mutating func close(inSubstitution: Bool) -> Bool {
        while grammar.groups.last == .cases {
            unreadable(.openCase)
            grammar.groups.removeLast()
        }
        grammar.command.isTail = true
        switch grammar.groups.popLast() {
        case .arithmetic: grammar.arithmetic -= 1
        case nil where inSubstitution: return true
        case nil: unreadable(.unopenedParenthesis)
        case .parenthesis, .cases: break
        }
        return false
    }

    /// Takes a word that was read: it is a reserved word, the descriptor of a redirection, an assignment or a word of
    /// the command.
    private mutating func take(_ word: Word) {
        if grammar.command.isEmpty, !word.isQuoted, word.isLiteral, reserved(word) { return }
        if let next = byte(), next == .less || next == .greater {
            if word.isBare, word.value.allSatisfy(\.isDigit) {
                // ksh treats this word as a program.
                if word.value.count > 1 { doubt(.longDescriptor) }
                return
            }
            // In bash, {name}>file stores the number of the new descriptor in a variable.
            if word.value.last == .closeBrace { doubt(.redirectionIntoVariable) }
        }
        if grammar.command.words.isEmpty, word.nameLength != nil {
            grammar.command.assignments.append(word)
        } else {
            grammar.command.words.append(word)
        }
    }

    /// Takes a reserved word and what belongs to it. Returns false if the word is not one.
    private mutating func reserved(_ word: Word) -> Bool {
        switch word.text {
        case "if", "then", "elif", "else", "while", "until", "do", "{", "!": break
        case "fi", "done", "}": grammar.command.isTail = true
        case "esac":
            if grammar.groups.last == .cases { grammar.groups.removeLast() } else { doubt(.unopenedCase) }
            grammar.command.isTail = true
        case "for": loop()
        case "select":
            // dash treats this word as a program.
            doubt(.select)
            loop()
        case "case":
            doubt(.caseCommand)
            skipBlanks()
            _ = readWord()
            guard nextWord("in") else { break }
            grammar.groups.append(.cases)
            grammar.expectsPattern = true
        case "function":
            doubt(.function)
            skipBlanks()
            _ = readWord()
            skipBlanks()
            if byte() == .open {
                at += 1
                _ = skipEmptyParentheses()
            }
        default: return false
        }
        return true
    }

    /// Reads the rest of `for NAME in WORD…` or `select NAME in WORD…`, up to what ends the words.
    private mutating func loop() {
        skipBlanks()
        if byte() == .open { return }
        var name = readWord()
        name.nameLength = name.value.count
        if !name.isBare || !name.value.isName { doubt(.namelessLoop) }
        commands.append(ShellCommand(assignments: [name]))
        guard nextWord("in") else { return }
        while true {
            skipBlanks()
            guard let next = byte(), next != .hash,
                !next.endsWord || byte(1) == .open && (next == .less || next == .greater)
            else { return }
            _ = readWord()
        }
    }

    /// Skips blanks, comments and newlines, and then the next word if it is `wanted`. Returns whether it was.
    private mutating func nextWord(_ wanted: String) -> Bool {
        while skipEmptyLine() {}
        let start = at
        if readWord() == Word(value: Array(wanted.utf8)) { return true }
        at = start
        return false
    }

    private mutating func skipEmptyLine() -> Bool {
        skipBlanks()
        if byte() == .hash { skipComment() }
        guard byte() == .newline else { return false }
        at += 1
        readHereDocuments()
        return true
    }

    /// Reads one part of the patterns before a branch of a `case`.
    private mutating func pattern(_ next: UInt8) {
        switch next {
        case .newline: _ = skipEmptyLine()
        case .hash: skipComment()
        case .open, .pipe: at += 1
        case .close:
            at += 1
            grammar.expectsPattern = false
        case _ where next.endsWord:
            unreadable(.caseWithoutPatterns)
            grammar.expectsPattern = false
        default:
            guard readWord() == Word(value: Array("esac".utf8)) else { return }
            grammar.groups.removeLast()
            grammar.expectsPattern = false
            grammar.command.isTail = true
        }
    }

    private mutating func redirection() {
        let rest = bytes[at...].prefix(3)
        guard let operation = Redirection.Operation.bySize.first(where: { rest.starts(with: $0.rawValue.utf8) }) else {
            at += 1
            return
        }
        at += operation.rawValue.utf8.count
        skipBlanks()
        let before = at
        switch operation {
        case .hereDocument, .hereDocumentLessTabs:
            // In arithmetic, "<<" is a shift and has no body.
            if grammar.arithmetic > 0 { unreadable(.hereDocumentInArithmetic) }
            grammar.command.redirections.append(readDelimiter(operation))
        default: grammar.command.redirections.append(Redirection(operation: operation, target: readWord()))
        }
        if at == before { doubt(.redirectionWithoutFile) }
    }
}
