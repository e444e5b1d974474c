/// Programs and builtins that run another program, which their arguments name.
struct ProgramRunner {
    /// Letters of the options whose value is a word of its own.
    private let valued: String.UTF8View
    /// Long options of that kind.
    private let long: Set<String>
    /// Words between the options and the program.
    private let operands: Int
    /// The words are joined and read as a command line.
    let joins: Bool
    /// The value of `-c` is a command line.
    let takesLine: Bool
    /// Without a program a shell starts, which reads commands from its input.
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

    /// By name. Options as in sudo(8), env(1), coreutils, util-linux, POSIX and bash(1).
    static let named: [String: ProgramRunner] = [
        "sudo": ProgramRunner(
            "CDghpRrTtUu",
            [
                "--user", "--group", "--chdir", "--chroot", "--host", "--prompt", "--role", "--type", "--other-user",
                "--close-from", "--command-timeout",
            ], startsShell: true),
        "doas": ProgramRunner("uC", startsShell: true), "pkexec": ProgramRunner("", ["--user"], startsShell: true),
        "su": ProgramRunner("gGsw", operands: .max, takesLine: true, startsShell: true),
        "runuser": ProgramRunner("uggGsw", ["--user", "--group", "--supp-group"], takesLine: true, startsShell: true),
        "gosu": ProgramRunner(operands: 1), "su-exec": ProgramRunner(operands: 1),
        "setuidgid": ProgramRunner(operands: 1),
        "env": ProgramRunner("uC", ["--unset", "--chdir"]),
        "nice": ProgramRunner("n", ["--adjustment"]), "nohup": ProgramRunner(), "setsid": ProgramRunner(),
        "ionice": ProgramRunner("cnpPu", ["--class", "--classdata"]), "chrt": ProgramRunner("TPD", operands: 1),
        "taskset": ProgramRunner(operands: 1), "numactl": ProgramRunner("CNmip"), "prlimit": ProgramRunner(),
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
        "busybox": ProgramRunner(), "toybox": ProgramRunner(),
        "chroot": ProgramRunner(operands: 1, startsShell: true), "unshare": ProgramRunner("SGRw", startsShell: true),
        "nsenter": ProgramRunner("tSGWw", ["--target", "--setuid", "--setgid"], startsShell: true),
        "setpriv": ProgramRunner("", ["--reuid", "--regid", "--groups"]), "setarch": ProgramRunner(operands: 1),
        "flock": ProgramRunner("wE", ["--timeout", "--wait"], operands: 1, takesLine: true),
        "script": ProgramRunner("ITOBEmo", operands: .max, takesLine: true),
        "systemd-run": ProgramRunner(
            "puMHE",
            ["--unit", "--property", "--uid", "--gid", "--slice", "--setenv", "--working-directory", "--description"]),
        "strace": ProgramRunner("aebEIoOpPsSuUX"), "ltrace": ProgramRunner("aenopsuFAl"), "fakeroot": ProgramRunner(),
        "torsocks": ProgramRunner(), "proxychains": ProgramRunner("f"), "proxychains4": ProgramRunner("f"),
        "unbuffer": ProgramRunner(), "chronic": ProgramRunner(), "ifne": ProgramRunner(), "eatmydata": ProgramRunner(),
        "systemd-inhibit": ProgramRunner(), "dbus-run-session": ProgramRunner(), "xvfb-run": ProgramRunner("nefs"),
        "caffeinate": ProgramRunner("tw"), "cgexec": ProgramRunner("g"), "firejail": ProgramRunner(),
        // Of zsh and fish.
        "-": ProgramRunner(), "and": ProgramRunner(), "or": ProgramRunner(), "not": ProgramRunner(),
        "begin": ProgramRunner(),
        // Behind `time` or `coproc` stands a pipeline.
        "{": ProgramRunner(), "!": ProgramRunner(), "if": ProgramRunner(), "while": ProgramRunner(),
        "until": ProgramRunner(),
        "then": ProgramRunner(), "do": ProgramRunner(), "else": ProgramRunner(),
    ]

    /// Shells, whose `-c` is a command line and whose input else is one.
    static let shells: Set<String> = [
        "sh", "bash", "dash", "ash", "ksh", "ksh93", "mksh", "zsh", "yash", "csh", "tcsh", "fish", "rbash", "hush",
        "posh",
    ]

    /// Long options of shells whose value is a word of its own.
    static let valuedOfShells: Set<String> = ["--rcfile", "--init-file"]

    /// What is left of the words behind the options, the assignments and the operands.
    func program(in words: ArraySlice<Word>) -> ArraySlice<Word> {
        var rest = words
        var mayBeOption = true
        var left = operands
        while let word = rest.first {
            let value = word.value
            if mayBeOption, value.first == .hyphen, !value.elementsEqual("-".utf8) {
                rest.removeFirst()
                if value.elementsEqual("--".utf8) { mayBeOption = false }
                if takesNext(value) { rest = rest.dropFirst() }
            } else if value.elementsEqual("-".utf8) || word.hasEquals && word.nameLength != nil {
                rest.removeFirst()
            } else if left > 0 {
                left -= 1
                rest.removeFirst()
            } else {
                return rest
            }
        }
        return rest
    }

    private func takesNext(_ option: [UInt8]) -> Bool {
        if option.starts(with: "--".utf8) { return long.contains(String(decoding: option, as: UTF8.self)) }
        // A letter that takes a value takes the rest of the word, where there is one.
        guard let first = option.dropFirst().firstIndex(where: { valued.contains($0) }) else { return false }
        return first == option.count - 1
    }
}
