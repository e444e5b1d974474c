/// A program or builtin that runs another program, which its arguments name.
struct ProgramRunner {
    /// Letters of the short options that take a value: the rest of their word, else the next word.
    private let valued: String.UTF8View
    /// Long options whose value is the next word.
    private let long: Set<String>
    /// How many words stand between the options and the program; `.max` if the words name no program.
    private let operands: Int
    /// Whether it joins the words to a command line and runs that.
    let joins: Bool
    /// Whether the value of `-c` is a command line.
    let takesLine: Bool
    /// Whether it starts a shell, which reads commands from its input, if no program is named.
    let startsShell: Bool

    private init(
        _ valued: String = "", _ long: Set<String> = [], operands: Int = 0, joins: Bool = false,
        takesLine: Bool = false,
        startsShell: Bool = false
    ) {
        self.valued = valued.utf8
        self.long = long
        self.operands = operands
        self.joins = joins
        self.takesLine = takesLine
        self.startsShell = startsShell
    }

    /// The runners by name, with the options of sudo(8), env(1), coreutils, util-linux, POSIX, bash(1) and their own
    /// pages.
    static let named: [String: ProgramRunner] = [
        "sudo": ProgramRunner(
            "CDghpRrTtUu",
            [
                "--user", "--group", "--chdir", "--chroot", "--host", "--prompt", "--role", "--type", "--other-user",
                "--close-from", "--command-timeout",
            ], startsShell: true),
        "doas": ProgramRunner("uC", startsShell: true), "pkexec": ProgramRunner("", ["--user"], startsShell: true),
        "su": ProgramRunner("gGsw", operands: .max, takesLine: true, startsShell: true),
        "runuser": ProgramRunner("gGsw", operands: .max, takesLine: true, startsShell: true),
        "sg": ProgramRunner(operands: 1, joins: true, takesLine: true), "run0": ProgramRunner("uDg", startsShell: true),
        "gosu": ProgramRunner(operands: 1), "su-exec": ProgramRunner(operands: 1),
        "setuidgid": ProgramRunner(operands: 1),
        "env": ProgramRunner("uC", ["--unset", "--chdir"]),
        "nice": ProgramRunner("n", ["--adjustment"]), "nohup": ProgramRunner(), "setsid": ProgramRunner(),
        "ionice": ProgramRunner("cnpPu", ["--class", "--classdata"]), "chrt": ProgramRunner("TPD", operands: 1),
        "taskset": ProgramRunner(operands: 1), "prlimit": ProgramRunner(),
        "numactl": ProgramRunner(
            "CNmip", ["--cpunodebind", "--physcpubind", "--membind", "--interleave", "--preferred"]),
        "timeout": ProgramRunner("ks", ["--signal", "--kill-after"], operands: 1),
        "time": ProgramRunner("fo", ["--format", "--output"]),
        "stdbuf": ProgramRunner("ioe", ["--input", "--output", "--error"]),
        "command": ProgramRunner(), "builtin": ProgramRunner(), "exec": ProgramRunner("a"), "coproc": ProgramRunner(),
        "noglob": ProgramRunner(), "nocorrect": ProgramRunner(), "eval": ProgramRunner(joins: true),
        "xargs": ProgramRunner(
            "adEILnPsRJS",
            ["--arg-file", "--delimiter", "--max-args", "--max-procs", "--max-chars", "--process-slot-var"]),
        "parallel": ProgramRunner(
            "jaSNLICPs", ["--jobs", "--arg-file", "--colsep", "--delay", "--timeout"], joins: true),
        "watch": ProgramRunner("nq", ["--interval"], joins: true),
        "ssh": ProgramRunner("BbcDEeFIiJLlmOopQRSWw", operands: 1, joins: true, startsShell: true),
        "sshpass": ProgramRunner("fdpP"),
        "busybox": ProgramRunner(), "toybox": ProgramRunner(), "coreutils": ProgramRunner(),
        "chroot": ProgramRunner("", ["--userspec", "--groups"], operands: 1, startsShell: true),
        "unshare": ProgramRunner("SGRw", startsShell: true),
        "nsenter": ProgramRunner("tSGWw", ["--target", "--setuid", "--setgid"], startsShell: true),
        "setpriv": ProgramRunner("", ["--reuid", "--regid", "--groups"]), "setarch": ProgramRunner(operands: 1),
        "flock": ProgramRunner("wE", ["--timeout", "--wait"], operands: 1, takesLine: true),
        "script": ProgramRunner("ITOBEmo", operands: .max, takesLine: true),
        "systemd-run": ProgramRunner(
            "puMHE",
            [
                "--unit", "--property", "--uid", "--gid", "--slice", "--setenv", "--working-directory", "--description",
                "--on-active", "--on-calendar", "--machine",
            ]),
        "strace": ProgramRunner("aebEIoOpPsSuUX"), "ltrace": ProgramRunner("aenopsuFAl"), "fakeroot": ProgramRunner(),
        "torsocks": ProgramRunner(), "proxychains": ProgramRunner("f"), "proxychains4": ProgramRunner("f"),
        "unbuffer": ProgramRunner(), "chronic": ProgramRunner(), "ifne": ProgramRunner(), "eatmydata": ProgramRunner(),
        "systemd-inhibit": ProgramRunner(), "dbus-run-session": ProgramRunner(), "xvfb-run": ProgramRunner("nefs"),
        "caffeinate": ProgramRunner("tw"), "cgexec": ProgramRunner("g"), "firejail": ProgramRunner(),
        // Builtins and keywords of zsh and fish.
        "-": ProgramRunner(), "and": ProgramRunner(), "or": ProgramRunner(), "not": ProgramRunner(),
        "begin": ProgramRunner(),
        // A pipeline follows `time` and `coproc`, and it may begin with a reserved word.
        "{": ProgramRunner(), "!": ProgramRunner(), "if": ProgramRunner(), "while": ProgramRunner(),
        "until": ProgramRunner(),
        "then": ProgramRunner(), "do": ProgramRunner(), "else": ProgramRunner(),
    ]

    /// Shells. They run the command line that `-c` gives; without one and without a script they read commands from
    /// their input.
    static let shells: Set<String> = [
        "sh", "bash", "dash", "ash", "ksh", "ksh93", "mksh", "zsh", "yash", "csh", "tcsh", "fish", "rbash", "hush",
        "posh",
    ]

    /// Long options of shells whose value is the next word.
    static let valuedOfShells: Set<String> = ["--rcfile", "--init-file"]

    /// The words from the program on: the options, the operands and the assignments are left out.
    func program(in words: ArraySlice<Word>) -> ArraySlice<Word> { split(words).program }

    /// The command lines that `-c` gives before the program.
    func lines(in words: ArraySlice<Word>) -> [Word] { split(words).lines }

    private func split(_ words: ArraySlice<Word>) -> (lines: [Word], program: ArraySlice<Word>) {
        var rest = words
        var lines: [Word] = []
        var mayBeOption = true
        var left = operands
        while let word = rest.first {
            let value = word.value
            if mayBeOption, value.first == .hyphen, !value.elementsEqual("-".utf8) {
                rest.removeFirst()
                if value.elementsEqual("--".utf8) { mayBeOption = false }
                if takesLine, let line = line(in: word, before: rest) { lines.append(line) }
                if takesNext(value) { rest = rest.dropFirst() }
            } else if value.elementsEqual("-".utf8) {
                rest.removeFirst()
            } else if left > 0 {
                left -= 1
                rest.removeFirst()
            } else if !joins, value.contains(.equals) {
                // env(1) and sudo(8) read every word with `=` as an assignment, even a quoted one.
                rest.removeFirst()
            } else {
                break
            }
        }
        return (lines, rest)
    }

    /// The command line of an option `-c LINE`, `-cLINE`, `--command LINE`, `--command=LINE` or `--session-command`
    /// alike; nil for other options.
    private func line(in option: Word, before rest: ArraySlice<Word>) -> Word? {
        let value = option.value
        if value.starts(with: "--".utf8) {
            for name in ["--command", "--session-command"] {
                if value.elementsEqual(name.utf8) { return rest.first }
                if value.starts(with: "\(name)=".utf8) { return option.dropping(name.utf8.count + 1) }
            }
            return nil
        }
        guard let letter = value.firstIndex(where: { $0 == UInt8(ascii: "c") || valued.contains($0) }),
            value[letter] == UInt8(ascii: "c")
        else { return nil }
        return letter == value.count - 1 ? rest.first : option.dropping(letter + 1)
    }

    /// Whether the value of the option is the next word.
    private func takesNext(_ option: [UInt8]) -> Bool {
        if option.starts(with: "--".utf8) {
            let name = String(decoding: option, as: UTF8.self)
            return long.contains(name) || takesLine && ["--command", "--session-command"].contains(name)
        }
        // A letter that takes a value takes the rest of its word, if there is any.
        guard
            let first = option.dropFirst().firstIndex(where: {
                valued.contains($0) || takesLine && $0 == UInt8(ascii: "c")
            })
        else { return false }
        return first == option.count - 1
    }

    /// Finds `env -S 'LINE' WORD…`. env(1) splits LINE into words and reads them in place of the option.
    /// - Returns: LINE and the words after it; nil if there is no such option.
    func splitString(in words: ArraySlice<Word>) -> (line: [UInt8], rest: ArraySlice<Word>)? {
        var rest = words
        while let word = rest.popFirst(), word.value.first == .hyphen, !word.value.elementsEqual("--".utf8) {
            for name in ["--split-string=", "--split-string"] where word.value.starts(with: name.utf8) {
                let own = word.value.dropFirst(name.utf8.count)
                return own.isEmpty ? rest.popFirst().map { ($0.value, rest) } : (Array(own), rest)
            }
            let letters = word.value.dropFirst().prefix { !valued.contains($0) }
            if word.value.dropFirst().first != .hyphen, let letter = letters.firstIndex(of: UInt8(ascii: "S")) {
                let own = word.value[(letter + 1)...]
                return own.isEmpty ? rest.popFirst().map { ($0.value, rest) } : (Array(own), rest)
            }
            if takesNext(word.value) { rest = rest.dropFirst() }
        }
        return nil
    }
}
