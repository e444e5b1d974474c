/// Searches for a program that deletes, in every command of a line and in the commands that those run.
struct DeletionSearch {
    /// How many programs are followed of which each runs the next one (`sudo nice env …`).
    private static let maximumRunners = 24

    /// The first thing found that deletes, as a refusal shows it: a program, `> FILE`, `find -delete` or `git clean`.
    private(set) var found: String?
    /// Whether a part of the line could not be read, or was too long or too deeply nested to follow.
    private(set) var isUnreadable = false
    /// What the tool passes as standard input; empty once a shell has read it.
    private var input: [UInt8]
    /// How many more bytes may be scanned: lines within lines could otherwise be scanned again and again.
    private var budget = 4 * ShellScanner.maximumLength

    /// What a command reads. A shell takes it for commands.
    private enum Input {
        /// What the line itself shows: here-documents, here-strings and what is piped in.
        case texts([[UInt8]])
        /// The standard input that the tool passes.
        case tool
    }

    /// Searches a command line whose standard input is `input`.
    init(_ line: some Collection<UInt8>, input: some Collection<UInt8>) {
        self.input = Array(input)
        scan(Array(line), depth: 0)
        if isUnreadable, found == nil { found = Self.named(in: line) ?? Self.named(in: input) }
    }

    private mutating func scan(_ line: [UInt8], _ input: Input = .tool, depth: Int) {
        budget -= line.count
        guard budget >= 0 else {
            isUnreadable = true
            return
        }
        let scanner = ShellScanner(line, depth: depth)
        isUnreadable = isUnreadable || scanner.isUnreadable
        for command in scanner.commands where found == nil {
            if let truncation = Self.truncation(command) {
                found = truncation
            } else if !command.words.isEmpty {
                look(at: command.words[...], scanner.input(of: command).map(Input.texts) ?? input, depth: depth)
            }
        }
    }

    /// Returns the redirection that empties a file, if the command has no program that could then write to it.
    private static func truncation(_ command: ShellCommand) -> String? {
        guard !command.isTail, command.words.first.map({ [":", "true"].contains($0.text) }) ?? true else { return nil }
        let devices = ["/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty"]
        for redirection in command.redirections where !devices.contains(redirection.target.text) {
            switch redirection.operation {
            case .output, .overwrite, .both: return "\(redirection.operation.rawValue) \(redirection.target.text)"
            default: continue
            }
        }
        return nil
    }

    /// Searches one command, and the programs that it runs one after the other.
    private mutating func look(at words: ArraySlice<Word>, _ input: Input, depth: Int) {
        var rest = words
        for _ in 0..<Self.maximumRunners {
            guard let first = rest.first else { return }
            rest = rest.dropFirst()
            if let program = Self.deleting(first) {
                if !Self.asksForHelp(rest) { found = program }
                return
            }
            let name = String(decoding: first.programs.last ?? [], as: UTF8.self)
            if ProgramRunner.shells.contains(name) { return shell(rest, input, depth: depth) }
            switch name {
            case "find": return find(rest, ["-exec", "-execdir", "-ok", "-okdir"], input, depth: depth)
            case "fd", "fdfind": return find(rest, ["-x", "-X", "--exec", "--exec-batch"], input, depth: depth)
            case "git": return git(rest, input, depth: depth)
            case ".", "source": return script(rest.first, input, depth: depth)
            case "trap": return scan(rest.first { $0.value.first != .hyphen }?.value ?? [], depth: depth + 1)
            // It only tells where a program is.
            case "command"
            where rest.first?.text.hasPrefix("-") == true && rest.first?.text.lowercased().contains("v") == true:
                return
            case "env":
                guard let split = ProgramRunner.named[name]?.splitString(in: rest) else { break }
                budget -= split.line.count
                let own = ShellScanner(split.line, depth: depth + 1).commands.flatMap { $0.assignments + $0.words }
                rest = [first] + own + split.rest
                continue
            default: break
            }
            // In `$SUDO rm x` the variable may be empty, or hold a program that runs the rest.
            let isUnknown = !first.isQuoted && first.printed.isEmpty && first.value.allSatisfy { $0 == Word.unknown }
            // `runuser -u USER` takes a program, as sudo does. Without `-u`, runuser takes what su takes.
            let isLikeSudo =
                name == "runuser" && rest.contains { $0.text.hasPrefix("-u") || $0.text.hasPrefix("--user") }
            guard let runner = ProgramRunner.named[isUnknown || isLikeSudo ? "sudo" : name] else { return }
            for line in runner.lines(in: rest) { scan(line, input, depth: depth + 1) }
            rest = runner.program(in: rest)
            if name == "parallel", rest.first?.text.hasPrefix(":::") == true {
                return each(rest.dropFirst(), depth: depth)
            }
            if rest.isEmpty, runner.startsShell || name == "parallel" { return read(input, depth: depth) }
            if runner.joins { return scan(Self.joined(rest), input, depth: depth + 1) }
        }
        isUnreadable = true
    }

    /// Searches what `sh -c LINE`, `sh -s`, `sh` or `sh FILE` runs: the line, the input or the file.
    private mutating func shell(_ words: ArraySlice<Word>, _ input: Input, depth: Int) {
        var rest = words
        var (takesLine, takesInput) = (false, false)
        while let option = rest.first?.text, option.count > 1, option.hasPrefix("-") || option.hasPrefix("+") {
            rest.removeFirst()
            if option == "--" { break }
            if option.hasPrefix("--command=") { return scan(Array(option.utf8.dropFirst(10)), input, depth: depth + 1) }
            if option == "--command" { takesLine = true }
            if ProgramRunner.valuedOfShells.contains(option) { rest = rest.dropFirst() }
            guard !option.hasPrefix("--") else { continue }
            takesLine = takesLine || option.hasPrefix("-") && option.contains("c")
            takesInput = takesInput || option.hasPrefix("-") && option.contains("s")
            if option.hasSuffix("o") || option.hasSuffix("O") { rest = rest.dropFirst() }
        }
        if takesLine {
            if let line = rest.first { scan(line, input, depth: depth + 1) }
        } else if takesInput || rest.isEmpty || rest.first?.text == "-" {
            read(input, depth: depth)
        } else {
            script(rest.first, input, depth: depth)
        }
    }

    /// Searches a file of commands if it is the input or a process substitution; other files are not known.
    private mutating func script(_ file: Word?, _ input: Input, depth: Int) {
        if file?.text == "/dev/stdin" { read(input, depth: depth) }
        for text in file?.printed ?? [] where found == nil { scan(text, depth: depth + 1) }
    }

    /// Searches a word that a shell takes for a command line.
    private mutating func scan(_ word: Word, _ input: Input, depth: Int) {
        for line in word.lines where found == nil { scan(line, input, depth: depth) }
    }

    /// Joins words to one command line.
    private static func joined(_ words: ArraySlice<Word>) -> Word {
        Word(value: Array(words.map(\.value).joined(separator: [.space])), printed: words.flatMap(\.printed))
    }

    /// Searches what a shell reads as commands.
    private mutating func read(_ commands: Input, depth: Int) {
        switch commands {
        case .texts(let texts): for text in texts where found == nil { scan(text, depth: depth + 1) }
        case .tool:
            let text = input
            input = []
            scan(text, depth: depth + 1)
        }
    }

    /// Searches words of which each is a command line, as after `parallel :::`.
    private mutating func each(_ words: ArraySlice<Word>, depth: Int) {
        for word in words where found == nil { scan(word.value, depth: depth + 1) }
    }

    /// Searches `find … -delete`, and `find … -exec PROGRAM … ;` or fd's options of the same kind, which `runs` names.
    private mutating func find(_ words: ArraySlice<Word>, _ runs: Set<String>, _ input: Input, depth: Int) {
        var rest = words
        while found == nil, let word = rest.popFirst() {
            if word.text == "-delete", runs.contains("-exec") {
                found = "find -delete"
            } else if runs.contains(word.text) {
                let end = rest.firstIndex { $0.text == ";" || $0.text == "+" } ?? rest.endIndex
                guard depth < ShellScanner.maximumDepth else {
                    isUnreadable = true
                    return
                }
                look(at: rest[..<end], input, depth: depth + 1)
                rest = rest[end...].dropFirst()
            }
        }
    }

    /// Searches `git clean`, unless it only tells what it would do, `git submodule foreach` and `git bisect run`.
    private mutating func git(_ words: ArraySlice<Word>, _ input: Input, depth: Int) {
        var rest = words
        while let option = rest.first?.text, option.hasPrefix("-") {
            let isValued = ["-C", "-c", "--git-dir", "--work-tree", "--namespace"].contains(option)
            rest = rest.dropFirst(isValued ? 2 : 1)
        }
        switch (rest.popFirst()?.text, rest.first?.text) {
        case ("clean", _): if !Self.asksForHelp(rest), !Self.isDry(rest) { found = "git clean" }
        case ("submodule", "foreach"), ("bisect", "run"):
            let program = rest.dropFirst().drop { $0.value.first == .hyphen }
            scan(Self.joined(program), input, depth: depth + 1)
        default: return
        }
    }

    /// Whether `git clean` has `-n`, also among other letters. After `-e` and after `--` an `n` belongs to a pattern or
    /// a path.
    private static func isDry(_ words: ArraySlice<Word>) -> Bool {
        var rest = words
        while let option = rest.popFirst()?.text, option != "--" {
            if option == "--dry-run" { return true }
            guard option.hasPrefix("-"), !option.hasPrefix("--") else { continue }
            if option.prefix(while: { $0 != "e" }).contains("n") { return true }
            if option.hasSuffix("e") { rest = rest.dropFirst() }
        }
        return false
    }

    /// Whether the program is only asked for its help or version.
    private static func asksForHelp(_ words: ArraySlice<Word>) -> Bool {
        words.count == 1 && ["--help", "--version", "-h"].contains(words.first?.text)
    }
}

/// Recognises the names of programs that delete.
extension DeletionSearch {
    private static let programs = ["rm", "unlink", "truncate", "shred", "dd", "rmdir", "wipefs", "mkfs"]

    /// The deleting program that a word names, or that it can name by a pattern or by an expansion in it.
    private static func deleting(_ word: Word) -> String? {
        // In zsh, `=rm` is the path of rm. An expansion before it may be empty.
        let path = word.value.drop { $0 == Word.unknown }
        if path.first == .equals, !word.isQuoted { return deleting(named: path.dropFirst()) }
        if word.isLiteral { return deleting(named: word.lastComponent) }
        for name in word.programs { if let program = deleting(named: name) { return program } }
        // Each alternative in braces can be the program.
        for piece in word.value.split(whereSeparator: { [.openBrace, .comma, .closeBrace].contains($0) }) {
            if let program = deleting(named: piece.split(separator: .slash).last ?? []) { return program }
        }
        let name = word.lastComponent
        guard name.count <= 64, name.contains(where: \.isLetter) else { return nil }
        return programs.first { matches(name, Array($0.utf8)[...]) }
    }

    private static func deleting(named name: ArraySlice<UInt8>) -> String? {
        // The last word of a line that ends with CR LF has the CR.
        let text = String(decoding: name.last == 0x0D ? name.dropLast() : name, as: UTF8.self)
        if text.hasPrefix("mkfs.") { return text }
        return programs.contains(text) ? text : nil
    }

    /// Whether a file name pattern, in which an expansion matches any text, matches a name.
    private static func matches(_ pattern: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>) -> Bool {
        // The indices of `name` at which the pattern that was read so far can end.
        var ends: Set<Int> = [0]
        let name = Array(name)
        var rest = pattern
        while let next = rest.popFirst(), !ends.isEmpty {
            switch next {
            case .star, Word.unknown: ends = Set((ends.min() ?? 0)...name.count)
            case .openBracket where rest.contains(.closeBracket):
                rest = rest[(rest.firstIndex(of: .closeBracket) ?? rest.startIndex)...].dropFirst()
                ends = Set(ends.filter { $0 < name.count }.map { $0 + 1 })
            default:
                ends = Set(ends.filter { $0 < name.count && (next == .question || name[$0] == next) }.map { $0 + 1 })
            }
        }
        return ends.contains(name.count)
    }

    /// Returns a deleting program that stands as a word in a text that cannot be read.
    private static func named(in text: some Collection<UInt8>) -> String? {
        let words = text.split { byte in
            byte.endsWord || byte == .singleQuote || byte == .doubleQuote || byte == .backtick || byte == .slash
                || byte == .openBrace || byte == .backslash || byte == .dollar || byte == 0x0D
        }
        for word in words where word.count <= 64 {
            if let program = deleting(named: Array(word)[...]) { return program }
        }
        return nil
    }
}
