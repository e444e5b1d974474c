import Foundation
import Glibc
import TestSupport
import Testing

@testable import Exec
@testable import SSH

@Suite("Observer", .timeLimit(.minutes(2)))
struct ObserverTests {
    /// Whether a process of this machine has this argument.
    private static func isArgument(_ word: String) -> Bool {
        let ids = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return ids.contains { id in
            let line = FileManager.default.contents(atPath: "/proc/\(id)/cmdline") ?? Data()
            return line.split(separator: 0).contains { $0.elementsEqual(word.utf8) }
        }
    }

    @Test(arguments: LocalShell.posix)
    func `streams are kept apart and the exit status is told`(interpreter: LocalShell) async throws {
        let run = try await ObservedRun.of(
            "echo out; echo err >&2; printf 'no newline'; exit 3", interpreter: interpreter)
        #expect(run.stdout == "out\nno newline")
        #expect(run.stderr == "err\n")
        #expect(run.preamble == "")
        #expect(run.marks.started && run.marks.ended && !run.marks.signalled && !run.marks.directoryFailed)
        #expect(run.marks.exitStatus == 3)
        #expect((run.marks.processID ?? 0) > 1)
        #expect(run.status == 3)
    }

    @Test(arguments: 0..<4)
    func `every exit status from 0 to 255 comes back`(quarter: Int) async throws {
        for status in (quarter * 64)..<(quarter * 64 + 64) {
            let run = try await ObservedRun.of("exit \(status)")
            #expect(run.marks.exitStatus == status && run.marks.ended && !run.marks.signalled)
            #expect(run.status == status)
        }
    }

    @Test(arguments: LocalShell.posix)
    func `in every shell the odd exit statuses come back, and are not taken for signals`(interpreter: LocalShell)
        async throws
    {
        for status in [0, 1, 2, 126, 127, 128, 129, 137, 143, 255] {
            let run = try await ObservedRun.of("exit \(status)", interpreter: interpreter)
            #expect(run.marks.exitStatus == status && !run.marks.signalled, "\(status)")
        }
        #expect(try await ObservedRun.of("/nonexistent/program", interpreter: interpreter).marks.exitStatus == 127)
    }

    @Test(arguments: LocalShell.posix)
    func `a death by signal is told from an exit, and the shell's remark on it is not shown`(interpreter: LocalShell)
        async throws
    {
        for (name, number) in [("KILL", 9), ("TERM", 15), ("SEGV", 11), ("HUP", 1)] {
            let run = try await ObservedRun.of("echo before; kill -\(name) $$; echo after", interpreter: interpreter)
            #expect(run.marks.exitStatus == 128 + number, "\(name)")
            // bash says nothing of a signal within a command substitution, so there the exit status is all that is told.
            #expect(run.marks.signalled == !interpreter.isBash, "\(name)")
            #expect(run.stdout == "before\n" && run.stderr == "", "\(name): \(run.stderr)")
        }
    }

    @Test(arguments: LocalShell.posix)
    func `the observer outlives signals to its whole group, the command has their default action`(
        interpreter: LocalShell
    ) async throws {
        for name in ["TERM", "HUP", "INT"] {
            let ignoring = try await ObservedRun.of(
                "trap '' \(name); kill -\(name) 0; echo still; exit 7", interpreter: interpreter)
            #expect(ignoring.stdout == "still\n" && ignoring.marks.exitStatus == 7, "\(name)")
            let dying = try await ObservedRun.of("kill -\(name) 0; echo still", interpreter: interpreter)
            #expect(dying.stdout == "" && dying.marks.ended && (dying.marks.exitStatus ?? 0) > 128, "\(name)")
        }
    }

    @Test(arguments: LocalShell.posix)
    func `the process id leads the session and group of the command`(interpreter: LocalShell) async throws {
        // The fields behind the program's name: state, parent, group, session, proc(5).
        let command = #"read -r x < /proc/self/stat; set -- ${x##*) }; echo "$3 $4""#
        let run = try await ObservedRun.of(command, interpreter: interpreter)
        let id = try #require(run.marks.processID)
        #expect(run.stdout == "\(id) \(id)\n")
    }

    @Test(arguments: LocalShell.posix.filter { !$0.description.hasPrefix("k") && !$0.description.hasPrefix("mk") })
    func `no process stands between the observer and the command`(interpreter: LocalShell) async throws {
        let run = try await ObservedRun.of("echo $PPID", interpreter: interpreter)
        #expect(run.stdout == "\(try #require(run.marks.processID))\n")
    }

    @Test(arguments: LocalShell.posix)
    func `the watchdog ends with the command, also where nobody takes the mark of its end`(interpreter: LocalShell)
        async throws
    {
        let limit = Int.random(in: 1_000_000...9_999_999)
        let line = interpreter.interpreting(
            Observer.line(
                nonce: "abc123", command: "while echo x; do :; done", directory: "", environment: [:], within: limit - 1
            ))
        // The observer gets no mark out when the reader has ended.
        let reader = "while read -r y; do [ \"$y\" = x ] && break; done"
        _ = try await LocalRun.of("/bin/sh", ["-c", "{ \(line); } 2>&1 | { \(reader); }"])
        #expect(comesToHold { !Self.isArgument("\(limit)") })
    }

    @Test(arguments: LocalShell.posix)
    func `standard input is the command's, to its end`(interpreter: LocalShell) async throws {
        #expect(
            try await ObservedRun.of("cat", interpreter: interpreter, input: "a\n\u{1E}b\n\nc").stdout
                == "a\n\u{1E}b\n\nc")
        #expect(try await ObservedRun.of("cat; echo end", interpreter: interpreter).stdout == "end\n")
        #expect(try await ObservedRun.of("exit 5", interpreter: interpreter, input: "unread").marks.exitStatus == 5)
    }

    @Test(arguments: LocalShell.login)
    func `every login shell runs the line and then the command`(login: LocalShell) async throws {
        let run = try await ObservedRun.of("echo 'a  b' \"c\"; exit 9", login: login)
        #expect(run.stdout == "a  b c\n")
        #expect(run.marks.exitStatus == 9 && run.marks.started)
    }

    @Test(arguments: LocalShell.login)
    func `each shell is told by the line whether it takes export, and runs nothing where it does not`(login: LocalShell)
        async throws
    {
        let isPOSIX = !["tcsh", "fish"].contains(login.description)
        #expect(try await ObservedRun.of("true", login: login).marks.exports == isPOSIX)
        let values = ["EMPTY": "", "QUOTES": "'\"`!$HOME \\", "FEEDS": "\na\n\n", "PATHS": "~:a:b c"]
        let names = values.keys.sorted()
        let command = "printf '%s|' " + names.map { "\"$\($0)\"" }.joined(separator: " ") + "; env; exit 9"
        let run = try await ObservedRun.of(command, login: login, directory: "/tmp", variables: values, exports: true)
        guard run.marks.started || isPOSIX else {
            #expect(run.stdout == "" && run.marks == .init())
            return
        }
        #expect(run.stdout.hasPrefix(names.map { (values[$0] ?? "") + "|" }.joined()), "\(run)")
        #expect(run.marks.exitStatus == 9 && run.marks.exports == isPOSIX && !run.stdout.contains("csd_"), "\(run)")
    }

    @Test(arguments: LocalShell.posix)
    func `a command may be anything that its shell understands`(interpreter: LocalShell) async throws {
        let commands = [
            #"printf '%s|' "a'b" 'c"d' "\\" '$HOME' '!' '!!' "%s" '\n'"#: #"a'b|c"d|\|$HOME|!|!!|%s|\n|"#,
            "echo one\necho two\n\n# end": "one\ntwo\n", "cat <<'E'\n$x `y` \\z\nE\n": "$x `y` \\z\n",
            "printf 'é漢🙂'": "é漢🙂",
            "x=$(echo inner); echo \"$x\"": "inner\n", "echo =5": "=5\n", "printf '\\036abc123x\\n'": "\u{1E}abc123x\n",
        ]
        for (command, output) in commands {
            let run = try await ObservedRun.of(command, interpreter: interpreter)
            #expect(run.stdout == output, "\(command)")
            #expect(run.marks.exitStatus == 0 && !run.marks.signalled, "\(command): \(run.stderr)")
        }
    }

    @Test(arguments: LocalShell.posix)
    func `variables arrive as they are, also with a directory`(interpreter: LocalShell) async throws {
        let values = [
            "EMPTY": "", "PLAIN": "x", "QUOTES": "'\"`", "LINES": "\na\n\nb\n\n", "DOLLAR": "$HOME $(id) ${x} \\n \\",
            "PERCENT": "%s%n%%",
            "BANG": "!x!!", "UNICODE": "é漢🙂\u{7F}\u{1E}", "EQUALS": "a=b=c", "DASH": "-n", "GLOB": "* ? [a] ~",
        ]
        let names = values.keys.sorted()
        let command = "printf '%s|' " + names.map { "\"$\($0)\"" }.joined(separator: " ") + "; pwd"
        for directory in ["", "/tmp"] {
            let run = try await ObservedRun.of(
                command, interpreter: interpreter, directory: directory, variables: values)
            let expected = names.map { (values[$0] ?? "") + "|" }.joined()
            #expect(run.stdout.hasPrefix(expected), "\(run.stdout.debugDescription)")
            if !directory.isEmpty { #expect(run.stdout == expected + "/tmp\n") }
        }
    }

    @Test(arguments: LocalShell.posix)
    func `variables may have the names that the observer uses itself`(interpreter: LocalShell) async throws {
        let names = ["c", "d", "e", "m", "n", "s", "v"]
        let values = Dictionary(uniqueKeysWithValues: names.map { ($0, "value of \($0)") })
        let command = "printf '%s|' " + names.map { "\"$\($0)\"" }.joined(separator: " ")
        let run = try await ObservedRun.of(command, interpreter: interpreter, variables: values)
        #expect(run.stdout == names.map { "value of \($0)|" }.joined())
        #expect(run.marks.exitStatus == 0)
    }

    @Test(arguments: LocalShell.posix)
    func `what the observer works with is not in the command's environment`(interpreter: LocalShell) async throws {
        let run = try await ObservedRun.of("/usr/bin/env -0", interpreter: interpreter, variables: ["MINE": "1"])
        let names = Set(
            run.stdout.split(separator: "\0").compactMap { $0.split(separator: "=").first.map(String.init) })
        #expect(names.contains("MINE") && names.contains("SHELL"))
        #expect(names.isDisjoint(with: ["c", "d", "e", "m", "n", "s", "v", "u"]))
        #expect(!names.contains { $0.hasPrefix("csd_") }, "\(names)")
    }

    @Test(arguments: LocalShell.posix)
    func `of its words and of the script's none stands in the observer's arguments`(interpreter: LocalShell)
        async throws
    {
        let run = try await ObservedRun.of(
            "tr '\\0' '|' </proc/$PPID/cmdline; : OWNWORD", interpreter: interpreter, directory: "/tmp",
            variables: ["MINE": "OTHERWORD"])
        #expect(run.stdout.hasSuffix("-c|eval \"$csd_s\"|sh|abc123||3601|1|\\\\\\|"), "\(run.stdout)")
    }

    @Test(arguments: LocalShell.posix)
    func `the command runs in its directory, whatever its name`(interpreter: LocalShell) async throws {
        let base = try TemporaryDirectory()
        for name in ["plain", "with space", "it's \"q\" $HOME `x` \\ !", "new\nline", "end\n", "-dash", "é漢", "*"] {
            let path = base.path + "/" + name
            #expect(mkdir(path, 0o700) == 0)
            let run = try await ObservedRun.of("touch here; pwd", interpreter: interpreter, directory: path)
            #expect(
                run.marks.exitStatus == 0 && run.stdout.hasSuffix(name + "\n"), "\(name): \(run.preamble) \(run.stderr)"
            )
            #expect(unlink(path + "/here") == 0 && rmdir(path) == 0)
        }
    }

    @Test(arguments: LocalShell.posix)
    func `a directory that cannot be entered is told, and nothing runs`(interpreter: LocalShell) async throws {
        for directory in ["/nonexistent/a b", "/etc/passwd", "/nonexistent/-"] {
            let run = try await ObservedRun.of("echo ran", interpreter: interpreter, directory: directory)
            #expect(run.marks == .init(directoryFailed: true))
            #expect(run.stdout == "" && run.stderr == "")
            #expect(run.preamble.contains(directory), "the shell's own words: \(run.preamble)")
        }
    }

    @Test(arguments: LocalShell.posix)
    func `a directory must lie in its tree when symlinks are followed, or nothing runs`(interpreter: LocalShell)
        async throws
    {
        let files = FileManager.default
        let place = try TemporaryDirectory()
        let base = place.path
        for name in ["tree/in side\n", "tree2"] {
            try files.createDirectory(atPath: "\(base)/\(name)", withIntermediateDirectories: true)
        }
        for (name, target) in [
            ("link", "tree"), ("tree/inner", "in side\n"), ("tree/out", "/tmp"), ("tree/beside", "../tree2"),
            ("tree/up", ".."),
        ] { try files.createSymbolicLink(atPath: "\(base)/\(name)", withDestinationPath: target) }
        let cases: [(tree: String, directory: String, isInside: Bool)] = [
            ("tree", "tree", true), ("tree", "tree/in side\n", true), ("tree", "tree/inner", true),
            ("link", "tree", true),
            ("link", "link/inner", true), ("tree", "link", true), ("tree/", "tree/../tree", true),
            ("tree/inner", "tree/in side\n", true),
            ("tree", "tree/out", false), ("tree", "tree/beside", false), ("tree", "tree/up", false),
            ("tree", "tree2", false),
            ("tree/inner", "tree", false), ("missing", "tree", false), ("tree", "tree/inner/../..", false),
        ]
        for (tree, directory, isInside) in cases {
            let run = try await ObservedRun.of(
                "echo ran", interpreter: interpreter, directory: "\(base)/\(directory)", tree: "\(base)/\(tree)")
            #expect(run.stdout == (isInside ? "ran\n" : ""), "\(tree) \(directory): \(run.preamble) \(run.stderr)")
            if !isInside { #expect(run.marks == .init(directoryOutside: true)) }
        }
        // The root directory confines nothing, whatever it is called.
        try files.createSymbolicLink(atPath: "\(base)/all", withDestinationPath: "/")
        for (tree, directory) in [("/", base), ("/", "/"), ("\(base)/all", base), ("/proc/self/root", base)] {
            let run = try await ObservedRun.of(
                "echo ran", interpreter: interpreter, directory: directory, tree: tree)
            #expect(run.stdout == "" && run.marks == .init(directoryOutside: true), "\(tree) \(directory)")
        }
    }

    @Test(arguments: LocalShell.login)
    func `where it must, /bin/sh runs the command and not the login shell`(login: LocalShell) async throws {
        let command = "echo \"$0\"; x=$'a'; echo \"$x\""
        let run = try await ObservedRun.of(command, login: login, inPOSIXShell: true)
        #expect(run.stdout == (try await LocalRun.of("/bin/sh", ["-c", command]).text))
    }

    @Test func `the longest line is one that the kernel takes as an argument`() async throws {
        func line(_ count: Int) -> String {
            Observer.line(
                nonce: "abc123", command: ": " + String(repeating: "x", count: count), directory: "", environment: [:])
        }
        let room = Observer.maximumLine - line(0).utf8.count
        #expect(line(room).utf8.count == Observer.maximumLine)
        let run = try await ObservedRun.of(": " + String(repeating: "x", count: room))
        #expect(run.marks.exitStatus == 0)
    }
}
