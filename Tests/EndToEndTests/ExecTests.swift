import Foundation
import Testing
import TestSupport

/// `ssh_exec` through the daemon, a confined worker, a real ControlMaster and a real sshd.
@Suite struct ExecTests {
    @Test("every exit code from 0 to 255 comes back as it is")
    func exitCodes() throws {
        try withDaemon { _, client in
            let calls = try (0...255).map { try client.beginTool("ssh_exec", ["command": .string("exit \($0)")]) }
            for (code, call) in calls.enumerated() {
                let result = try call.waitForTool(timeout: .seconds(60))
                #expect(result["exit_code"] == .int(code), "\(result)")
                #expect(result["signal"] == nil)
                #expect(!result.isError)
            }
        }
    }

    @Test(
        "death by a signal is told with its name",
        arguments: [("KILL", 137), ("TERM", 143), ("SEGV", 139), ("ABRT", 134), ("HUP", 129), ("USR1", 138)])
    func signals(name: String, code: Int) throws {
        try withDaemon { _, client in
            // The shell itself and a program that takes its place. (Of one that it waits for, a shell gives a status only.)
            for command in ["kill -\(name) $$", "exec /bin/sh -c 'kill -\(name) $$'"] {
                let result = try client.callTool("ssh_exec", ["command": .string(command)])
                #expect(result["exit_code"] == .int(code), "\(command): \(result)")
                #expect(result["signal"] == .string("SIG\(name)"), "\(command): \(result)")
            }
        }
    }

    @Test("stdout and stderr are kept apart, and the call is echoed")
    func streams() throws {
        try withDaemon { _, client in
            let command = "echo out; echo err >&2; echo out2; printf 'no newline' >&2"
            let result = try client.callTool("ssh_exec", ["command": .string(command)])
            #expect(result["stdout"] == "out\nout2\n")
            #expect(result["stderr"] == "err\nno newline")
            #expect(result["command"] == .string(command))
            #expect(result["cwd"] == "")
            #expect(result["timed_out"] == false)
            #expect((result["duration_ms"]?.int ?? -1) >= 0)
            #expect(result["stdout_truncated"] == nil)
            let text = try JSON(parsing: Data(result.text.utf8))
            #expect(text.object == result.structured)
        }
    }

    @Test("a hundred calls at once are all answered rightly, within the sessions of sshd")
    func concurrency() throws {
        try withRemote(PrivateSSHD.Options(maxSessions: 10)) { remote in
            try withDaemon(on: remote) { _, client in
                let calls = try (0..<100).map {
                    try client.beginTool("ssh_exec", ["command": .string("echo \($0); exit \($0)")])
                }
                for (number, call) in calls.enumerated() {
                    let result = try call.waitForTool(timeout: .seconds(60))
                    #expect(result["stdout"] == .string("\(number)\n"), "\(result)")
                    #expect(result["exit_code"] == .int(number))
                }
            }
        }
    }

    @Test("an sshd with fewer sessions than the budget refuses, and the calls wait and succeed")
    func refusedSessions() throws {
        try withRemote(PrivateSSHD.Options(maxSessions: 2)) { remote in
            try withDaemon(on: remote) { _, client in
                let calls = try (0..<12).map { try client.beginTool("ssh_exec", ["command": .string("echo \($0)")]) }
                for (number, call) in calls.enumerated() {
                    let result = try call.waitForTool(timeout: .seconds(60))
                    #expect(result["stdout"] == .string("\(number)\n"), "\(result)")
                }
            }
        }
    }

    @Test("ten megabytes are counted in full and kept in part, head and tail")
    func longOutput() throws {
        try withDaemon { _, client in
            let command = "echo HEAD; head -c 10000000 /dev/zero | tr '\\0' x; echo; echo TAIL; echo short >&2"
            let result = try client.callTool("ssh_exec", ["command": .string(command)], timeout: .seconds(60))
            let stdout = try #require(result["stdout"]?.string)
            #expect(result["stdout_truncated"] == true)
            #expect(result["stdout_bytes"] == 10_000_011)
            #expect(stdout.hasPrefix("HEAD\nxxx"))
            #expect(stdout.hasSuffix("xxx\nTAIL\n"))
            #expect(stdout.contains("bytes left out"))
            #expect(stdout.utf8.count < 1_100_000)
            #expect(result["stderr"] == "short\n")
            #expect(result["stderr_truncated"] == nil)
        }
    }

    @Test("with the limit raised, ten megabytes come whole")
    func wholeOutput() throws {
        try withDaemon(["limits": ["max_output_bytes": 16_000_000]]) { _, client in
            let command = "head -c 10000000 /dev/zero | tr '\\0' y"
            let result = try client.callTool("ssh_exec", ["command": .string(command)], timeout: .seconds(60))
            #expect(result["stdout"]?.string?.utf8.count == 10_000_000)
            #expect(result["stdout_truncated"] == nil)
        }
    }

    @Test("variables reach the command, with cwd too, whatever is in them")
    func environment() throws {
        try withDaemon { _, client in
            let values = [
                "A": "it's \"quoted\"", "B": "two\nlines\n", "C": "$HOME `id` $(id) \\n \\0101",
                "D": "!! é 日本 \u{1F600}",
                "E": "", "_F": " spaces  ", "G": "%s%n%b", "H": "-n",
            ]
            let names = values.keys.sorted()
            let command = names.map { "printf '%s|' \"$\($0)\"" }.joined(separator: "; ") + "; pwd"
            for cwd in ["", "/usr"] {
                let result = try client.callTool(
                    "ssh_exec",
                    [
                        "command": .string(command), "cwd": .string(cwd),
                        "env": .object(values.mapValues { .string($0) }),
                    ])
                let home = try Remote.shared().sshd.loginUser.home
                let expected = names.map { values[$0, default: ""] + "|" }.joined() + "\(cwd.isEmpty ? home : cwd)\n"
                #expect(result["stdout"] == .string(expected), "\(result)")
            }
        }
    }

    @Test("no variable can stand in for the command or the shell")
    func variableNames() throws {
        try withDaemon { _, client in
            let names = ["a", "c", "d", "e", "m", "n", "s", "u", "v", "w", "OPTIND", "IFS", "SHELL"]
            let command = names.map { "printf '%s ' \"$\($0)\"" }.joined(separator: "; ")
            // dash takes a number alone for OPTIND, and does not start with another.
            let values = Dictionary(
                uniqueKeysWithValues: names.map { ($0, JSON.string($0 == "OPTIND" ? "7" : "is-\($0)")) })
            let result = try client.callTool("ssh_exec", ["command": .string(command), "env": .object(values)])
            let shown = result["stdout"]?.string?.split(separator: " ").map(String.init) ?? []
            // A shell sets its own IFS and OPTIND when it starts.
            for name in names where name != "IFS" && name != "OPTIND" {
                #expect(shown.contains("is-\(name)"), "\(result)")
            }
            #expect(result["exit_code"] == 0)
        }
    }

    @Test("a working directory may have any name; one that cannot be entered runs nothing")
    func workingDirectory() throws {
        try withDaemon { _, client in
            let base = try TemporaryDirectory()
            try runSuccessfully("/bin/chmod", ["777", base.path])
            for name in ["two words", "it's", "\"x\"", "-n", "$(id)", "a\nb", "back\\slash", "é!"] {
                let directory = base.file(name)
                try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
                let result = try client.callTool("ssh_exec", ["command": "pwd", "cwd": .string(directory)])
                #expect(result["stdout"] == .string(directory + "\n"), "\(result)")
                #expect(result["cwd"] == .string(directory))
            }
            let trace = base.file("trace")
            let result = try client.callTool(
                "ssh_exec", ["command": .string("touch \(trace)"), "cwd": .string(base.file("missing"))])
            #expect(result.isError)
            #expect(result.text.contains("cannot be entered"), "\(result)")
            #expect(!FileManager.default.fileExists(atPath: trace))
        }
    }

    @Test("a megabyte of standard input arrives whole; without any, input is empty")
    func standardInput() throws {
        try withDaemon { _, client in
            let input = String(repeating: "0123456789abcde\n", count: 65_536)
            let result = try client.callTool(
                "ssh_exec", ["command": "cat | (read x; echo $x; wc -c)", "stdin": .string(input)],
                timeout: .seconds(60))
            #expect(result["stdout"]?.string?.hasPrefix("0123456789abcde\n") == true, "\(result)")
            let counted = try client.callTool("ssh_exec", ["command": "wc -c", "stdin": .string(input)])
            #expect(counted["stdout"] == "1048576\n", "\(counted)")
            let empty = try client.callTool("ssh_exec", ["command": "wc -c"])
            #expect(empty["stdout"] == "0\n")
            let ignored = try client.callTool("ssh_exec", ["command": "exit 3", "stdin": .string(input)])
            #expect(ignored["exit_code"] == 3)
        }
    }

    @Test("invalid UTF-8 and control characters never break the answer")
    func binaryOutput() throws {
        try withDaemon { _, client in
            let result = try client.callTool("ssh_exec", ["command": "printf 'a\\377\\376b\\000c\\033[31m\\r\\n\\303'"])
            #expect(result["stdout"] == "a\u{FFFD}\u{FFFD}b\0c\u{1B}[31m\r\n\u{FFFD}", "\(result)")
            // The marks around a command begin with this character.
            let separators = try client.callTool(
                "ssh_exec", ["command": "printf '\\036x+\\n\\036\\036'; printf '\\036-' >&2"])
            #expect(separators["stdout"] == "\u{1E}x+\n\u{1E}\u{1E}")
            #expect(separators["stderr"] == "\u{1E}-")
        }
    }

    @Test("a process left in the background does not hold the call")
    func background() throws {
        try withDaemon { _, client in
            let result = try client.callTool("ssh_exec", ["command": "sleep 300 & echo started"], timeout: .seconds(20))
            #expect(result["stdout"] == "started\n")
            #expect(result["exit_code"] == 0)
            #expect(result["background"] == true)
            #expect(result["timed_out"] == false)
        }
    }

    @Test("a command too long for the remote system is refused before it runs")
    func tooLong() throws {
        try withDaemon { _, client in
            let long = String(repeating: "x", count: 200_000)
            let result = try client.callTool("ssh_exec", ["command": .string("echo \(long)")])
            #expect(result.isError)
            #expect(result.text.contains("stdin"), "\(result)")
        }
    }

    @Test(
        "any login shell will do", .enabled(if: Account.canCreate, "only root can make accounts"),
        arguments: ["/bin/dash", "/bin/tcsh", "/usr/bin/fish", "/usr/bin/zsh"])
    func loginShells(shell: String) throws {
        try #require(FileManager.default.isExecutableFile(atPath: shell), "\(shell) is not installed")
        try withRemote(PrivateSSHD.Options(loginShell: shell)) { remote in
            try withDaemon(on: remote) { _, client in
                // Not a newline: csh itself cannot expand a variable with one inside quotes.
                let value = "it's !a \\0101\\\\ $y `z`"
                let result = try client.callTool(
                    "ssh_exec",
                    ["command": "printf '%s' \"$X\"; exit 7", "env": ["X": .string(value)], "cwd": "/usr"])
                #expect(result["stdout"] == .string(value), "\(result)")
                #expect(result["exit_code"] == 7)
            }
        }
    }
}
