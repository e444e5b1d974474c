internal import IPC

/// Reads expansions and here-documents.
extension ShellScanner {
    /// How many bytes are searched for the end of an arithmetic expression.
    private static let maximumArithmetic = 1024

    /// Reads the expansion that begins with the `$` here, or only the `$` if none does.
    mutating func readDollar(_ word: inout Word, quoted: Bool) {
        switch byte(1) {
        case .open:
            if byte(2) == .open, let end = arithmeticEnd(at + 1) {
                doubt(.arithmeticExpansion)
                nested { scanner in
                    scanner.at += 3
                    var text = Word()
                    while scanner.at < min(end, scanner.bytes.count) { scanner.quotedByte(&text) }
                }
                word.value.append(Word.unknown)
            } else {
                doubt(.commandSubstitution)
                at += 2
                substitution(in: &word)
            }
        case .openBrace:
            at += 2
            let start = at
            while let next = byte(), next.isNameByte { at += 1 }
            if byte() == .closeBrace, bytes[start..<at].isName {
                at += 1
            } else {
                // Its pattern, subscript or default may run commands. In bash a subscript also runs those in a
                // variable's value.
                doubt(.longExpansion)
                nested { $0.readBraces(quoted: quoted) }
            }
            word.value.append(Word.unknown)
        case .singleQuote where !quoted:
            doubt(.dollarSingleQuotes)
            readAnsiQuotes(&word)
        case .doubleQuote where !quoted:
            doubt(.dollarDoubleQuotes)
            at += 1
        case .openBracket:
            doubt(.dollarBrackets)
            word.value.append(Word.unknown)
            at += 2
        case .backslash:
            doubt(.dollarBeforeBackslash)
            word.value.append(.dollar)
            at += 1
        case let next? where next.isNameByte && !next.isDigit:
            at += 1
            while let next = byte(), next.isNameByte { at += 1 }
            word.value.append(Word.unknown)
        case let next? where next.isDigit || [.question, .dollar, .hash, .at, .star, .bang, .hyphen].contains(next):
            word.value.append(Word.unknown)
            at += 2
        default:
            word.value.append(.dollar)
            at += 1
        }
    }

    /// Reads the rest of `${…}`.
    private mutating func readBraces(quoted: Bool) {
        var word = Word()
        while let next = byte() {
            if next == .closeBrace {
                at += 1
                return
            }
            if quoted, next == .singleQuote { at += 1 } else { readByte(&word) }
        }
        unreadable(.openExpansion)
    }

    /// Reads `$'…'` of bash and ksh. dash reads a `$` and a text in single quotes instead, which ends elsewhere if the
    /// text contains an escaped quote.
    private mutating func readAnsiQuotes(_ word: inout Word) {
        word.isQuoted = true
        at += 2
        while let next = byte(), next != .singleQuote {
            if next == .backslash, byte(1) == .singleQuote { unreadable(.escapedQuote) }
            word.value.append(next == .backslash ? Word.unknown : next)
            at += next == .backslash ? 2 : 1
        }
        if byte() == nil { unreadable(.openQuote) }
        at += 1
    }

    /// Reads commands in backticks. A backslash there escapes a backtick, a dollar sign and a backslash, and within
    /// double quotes also a double quote.
    mutating func readBackticks(_ word: inout Word, quoted: Bool) {
        doubt(.backticks)
        word.value.append(Word.unknown)
        at += 1
        var inner: [UInt8] = []
        while let next = byte(), next != .backtick {
            if next == .backslash, let escaped = byte(1),
                [.backtick, .dollar, .backslash].contains(escaped) || quoted && escaped == .doubleQuote
            {
                at += 1
            }
            inner.append(bytes[at])
            at += 1
        }
        if byte() == nil { unreadable(.openBackticks) }
        at += 1
        let scanner = ShellScanner(inner, depth: depth + 1)
        word.printed += scanner.commands.last.map { scanner.printed(by: $0) } ?? []
        absorb(scanner)
    }

    /// Returns the index after an arithmetic expression whose first of two parentheses is at `start`; nil if it is not
    /// one.
    private func arithmeticEnd(_ start: Int) -> Int? {
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

    // MARK: Here-documents

    /// Reads the delimiter and remembers the document. Its body begins after this line.
    mutating func readDelimiter(_ operation: Redirection.Operation) -> Redirection {
        let word = readWord()
        if !word.isLiteral || !word.value.isName { doubt(.hereDocumentEnd) }
        documents.append([])
        pending.append(
            HereDocument(
                index: documents.count - 1, delimiter: word.value, stripsTabs: operation == .hereDocumentLessTabs,
                expands: !word.isQuoted))
        return Redirection(operation: operation, target: word, document: documents.count - 1)
    }

    /// Reads the bodies of the documents that the line before began.
    mutating func readHereDocuments() {
        let documents = pending
        pending = []
        for document in documents { read(document) }
    }

    private mutating func read(_ document: HereDocument) {
        let start = at
        while at < bytes.count {
            let lineStart = at
            skipComment()
            let line = bytes[lineStart..<at]
            at = min(at + 1, bytes.count)
            let text = document.stripsTabs ? line.drop { $0 == .tab } : line
            if document.expands, text.last == .backslash, document.delimiter.starts(with: text.dropLast()) {
                // The shell joins this line with the next one, and both together may be the delimiter.
                unreadable(.continuedLine)
            }
            guard text.elementsEqual(document.delimiter) else { continue }
            let body = Array(bytes[start..<lineStart])
            documents[document.index] = body
            guard document.expands else { return }
            nested { $0.absorb(ShellScanner(hereDocument: body, depth: $0.depth)) }
            return
        }
        unreadable(.openHereDocument)
    }
}

/// Tells what commands read and print, as far as the line itself shows.
extension ShellScanner {
    /// How many programs of a pipeline are followed that only pass on what they read.
    private static let maximumPipes = 8

    /// What the command reads: its here-documents and here-strings, else what is piped into it. nil if it reads the
    /// standard input of the whole line.
    func input(of command: ShellCommand) -> [[UInt8]]? {
        var command = command
        for _ in 0..<Self.maximumPipes {
            let own = documents(of: command)
            if !own.isEmpty { return own }
            guard let source = command.source else { return nil }
            command = commands[source]
            if !passesOn(command) { return documents(of: command) + text(of: command) }
        }
        return []
    }

    /// What the command prints.
    func printed(by command: ShellCommand) -> [[UInt8]] {
        passesOn(command) ? input(of: command) ?? [] : text(of: command)
    }

    private func documents(of command: ShellCommand) -> [[UInt8]] {
        command.redirections.compactMap { redirection in
            redirection.operation == .hereString
                ? redirection.target.value : redirection.document.map { documents[$0] }
        }
    }

    /// Whether the command prints what it reads: `tee`, and `cat` without a file.
    private func passesOn(_ command: ShellCommand) -> Bool {
        switch name(of: command) {
        case "tee": true
        case "cat": command.words.dropFirst().allSatisfy { $0.value.first == .hyphen }
        default: false
        }
    }

    /// The lines that echo and printf write, or the name that `which`, `type` and `command -v` look for.
    private func text(of command: ShellCommand) -> [[UInt8]] {
        let words = command.words.dropFirst()
        switch name(of: command) {
        case "echo", "printf":
            let text = words.filter { $0.value.first != .hyphen }.map(\.value).joined(separator: [.space])
            let lines = String(decoding: Array(text), as: UTF8.self)
            return lines.split(separator: #"\n"#, omittingEmptySubsequences: true).map { Array($0.utf8) }
        case "which", "command", "type": return words.last.map { [$0.value] } ?? []
        default: return []
        }
    }

    private func name(of command: ShellCommand) -> String {
        String(decoding: command.words.first?.lastComponent ?? [], as: UTF8.self)
    }
}
