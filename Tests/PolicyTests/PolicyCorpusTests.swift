import IPC
import Foundation
import TestSupport
import Testing

@testable import Policy
@testable import Tools

@Suite("The corpus of commands", .timeLimit(.minutes(3)))
struct PolicyCorpusTests {
    @Test func `every case gets its verdict, and a refusal names rule, key and host`() throws {
        let cases = try PolicyCorpus.cases()
        #expect(cases.count > 1000)
        let unique = Set(cases.map { "\($0.judge) \($0.command)" })
        #expect(unique.count == cases.count)
        for entry in cases {
            let refusal = PolicyCorpus.refusal(entry.judge, entry.command)
            #expect((refusal == nil) == (entry.verdict == .pass), "\(entry) \(refusal?.sentence ?? "passed")")
            guard let refusal else { continue }
            let (rule, key) =
                entry.judge == .delete
                ? ("allow_delete", "safeguards.allow_delete") : ("exec_allowlist", "hosts.prod.exec_allowlist")
            #expect(refusal.rule.name == rule && refusal.sentence.contains(key) && refusal.sentence.contains("prod"))
        }
    }

    /// A directory where programs of some names only write down that they ran.
    private final class Stage {
        private let directory: TemporaryDirectory
        private var path: String { directory.path }

        init(_ programs: [String]) throws {
            let files = FileManager.default
            directory = try TemporaryDirectory()
            try files.createDirectory(atPath: path + "/bin", withIntermediateDirectories: false)
            let stub = "#!/bin/sh\nprintf '%s\\n' \"${0##*/}\" >>\(path)/ran\n[ \"$1\" != fetch ]\n"
            let program = try directory.writeProgram("run.sh", stub)
            for name in programs {
                try files.linkItem(atPath: program, toPath: "\(path)/bin/\(name)")
            }
            for file in ["patch", "a b", "x", "in"] { _ = files.createFile(atPath: "\(path)/\(file)", contents: nil) }
        }

        /// The programs that ran, and the shell's complaints.
        func run(_ command: String, _ shell: LocalShell) async throws -> (programs: Set<String>, errors: String) {
            try? FileManager.default.removeItem(atPath: path + "/ran")
            let run = try await LocalRun.of(
                "/bin/sh",
                ["-c", "cd \"$0\" && PATH=$0/bin exec \"$@\"", path, shell.path] + shell.applet + ["-c", command])
            let ran = (try? String(contentsOfFile: path + "/ran", encoding: .utf8)) ?? ""
            return (Set(ran.split(separator: "\n").map(String.init)), String(decoding: run.stderr, as: UTF8.self))
        }
    }

    private static let listed: Set<String> = ["git", "make", "systemctl", "ls", "run.sh", "rake"]

    @Test(arguments: LocalShell.asSh)
    func `what an allowlist lets pass runs nothing else in any shell`(shell: LocalShell) async throws {
        let stage = try Stage(Self.listed + ["id"])
        for entry in try PolicyCorpus.cases() where entry.judge == .allow && entry.verdict == .pass {
            let (programs, errors) = try await stage.run(entry.command, shell)
            #expect(
                programs.isSubset(of: Self.listed) && !errors.contains("not found"), "\(entry) \(programs) \(errors)")
        }
    }

    /// Lines that a random cut and join of the corpus' lines makes.
    private static func splices(_ lines: [String], _ count: Int, seed: UInt64) -> [String] {
        let glue = [
            "", " ", ";", "\n", "'", "\"", "\\", "$", "(", ")", "`", "|", "&", "<", ">", "#", "{", "}", "\nE\n", "<<E ",
            "id",
        ]
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in
            var line: [UInt8] = []
            for _ in 0..<Int.random(in: 2...3, using: &random) {
                let bytes = Array((lines.randomElement(using: &random) ?? "").utf8)
                let cuts = [
                    Int.random(in: 0...bytes.count, using: &random), Int.random(in: 0...bytes.count, using: &random),
                ]
                line += bytes[(cuts.min() ?? 0)..<(cuts.max() ?? 0)]
                line += Array((glue.randomElement(using: &random) ?? "").utf8)
            }
            return String(decoding: line, as: UTF8.self)
        }
    }

    /// Lines of random tokens.
    private static func tokens(_ words: [String], _ count: Int, seed: UInt64) -> [String] {
        let syntax = [
            " ", " ", " ", ";", "\n", "\n", "'", "\"", "\\", "$", "$(", "(", ")", "`", "|", "&", "&&", "||", "<", ">",
            "#", "{ ", "}",
            "<<E", "<<'E'", "<<-E", "\nE\n", "E", "if ", "then ", "fi", "for i in ", "for i", " do ", "done",
            "case a in ", "a) ", ";;",
            "esac", "!", "x=", "2>&1", ">/dev/null", "</dev/null", "<<<", "$'", "${", "a", "$((", "((", "))", "\\\n",
            "[ ", " ]", "1",
            "time ", "&>", "|&", "*", "é",
        ]
        var random = SeededGenerator(seed: seed &+ 1 << 32)
        return (0..<count).map { _ in
            (0..<Int.random(in: 3...14, using: &random)).map { _ in
                (Int.random(in: 0..<3, using: &random) == 0 ? words : syntax).randomElement(using: &random) ?? ""
            }.joined()
        }
    }

    /// These lines with something in each that a shell may not read, such as a comment, and that could hide the rest of the line
    /// from a reader that does.
    private static func hidden(_ lines: [String], _ count: Int, seed: UInt64) -> [String] {
        let coats: [(String, String)] = [
            (" #'\n", "#'"), ("\t#\"\n", "#\""), (" #`\n", "#`"), (" #$(\n", "#)"), (" #${\n", "#}"), (" #\\\n", ""),
            (" #<<E\n", "\nE\n"), (" #(\n", "#)"), ("<<E #'\nE\n", "#'"), (" \\\n#'\n", "#'"), ("; #'\n", "#'"),
        ]
        var random = SeededGenerator(seed: seed &+ 2 << 32)
        return (0..<count).map { _ in
            let line = Array((lines.randomElement(using: &random) ?? "").utf8)
            let blanks = line.indices.filter { [0x20, 0x09, 0x0A, 0x3B].contains(line[$0]) } + [line.count]
            let at = blanks.randomElement(using: &random) ?? 0
            let coat = coats[Int.random(in: 0..<coats.count, using: &random)]
            let (before, after) = (line[..<at], line[at...])
            return String(decoding: before, as: UTF8.self) + coat.0 + String(decoding: after, as: UTF8.self)
                + [" ", "\n", ";", ""][Int.random(in: 0..<4, using: &random)] + coat.1
        }
    }

    private static let rounds = Int(ProcessInfo.processInfo.environment["POLICY_ROUNDS"] ?? "") ?? 1

    @Test func `of random splices too, what an allowlist lets pass runs nothing else`() async throws {
        let stage = try Stage(Self.listed + ["id"])
        let lines = try PolicyCorpus.cases().filter { $0.judge == .allow }.map(\.command)
        let loops = [
            "for x in a; do id; done", "for x\nin a b\ndo\nid\ndone", "{ id; }", "if ls; then id; fi", "ls | id",
            "(id)",
        ]
        for round in 0..<Self.rounds {
            var random = SeededGenerator(seed: UInt64(round))
            let splices =
                (Self.splices(lines, 4_000, seed: UInt64(round))
                + Self.tokens(["git ", "git log ", "ls ", "id ", "id"], 4_000, seed: UInt64(round))
                + Self.hidden(lines, 4_000, seed: UInt64(round)) + Self.hidden(loops, 1_000, seed: UInt64(round)))
                // They would not end.
                .filter { !$0.contains("while") && !$0.contains("until") }
                .filter { PolicyCorpus.refusal(.allow, $0) == nil }
            #expect(splices.count > 10)
            for (index, splice) in splices.shuffled(using: &random).prefix(100).enumerated() {
                let shell = LocalShell.asSh[index % LocalShell.asSh.count]
                let (programs, errors) = try await stage.run(splice, shell)
                #expect(
                    programs.isSubset(of: Self.listed) && !errors.contains("not found"),
                    "seed \(round), \(shell): \(splice.debugDescription) \(programs) \(errors)")
            }
        }
    }

    @Test func `of random splices without variables, what passes without allow_delete deletes nothing`() async throws {
        let stage = try Stage(["rm", "ls", "cat", "grep", "sudo"])
        // The grammars of csh and fish are not read.
        let shells = LocalShell.login.filter { !["tcsh", "fish"].contains($0.description) }
        let lines = try PolicyCorpus.cases().filter { $0.judge == .delete }.map(\.command).filter { line in
            ![
                "/bin", "/???", "${", "$x", "$f", "$B", "$U", "$L", "$i", "$1", "$rm", "while", "until", "x=", "alias",
                "[ ", "--help", "--version",
            ].contains {
                line.contains($0)
            }
        }
        for round in 0..<Self.rounds {
            var random = SeededGenerator(seed: UInt64(round))
            let splices =
                (Self.splices(lines, 400, seed: UInt64(round))
                + Self.tokens(["rm ", "rm x", "ls ", "echo ", "sh -c ", "eval ", "cat "], 400, seed: UInt64(round)))
                // `eval *` runs what a directory holds.
                .filter { $0.contains("rm") && !$0.contains("*") }
                // A cut can make a variable of a name.
                .filter { !$0.contains(/\$[A-Za-z_]/) }
                .filter { PolicyCorpus.refusal(.delete, $0) == nil }
            #expect(splices.count > 10)
            for (index, splice) in splices.shuffled(using: &random).prefix(100).enumerated() {
                let shell = shells[index % shells.count]
                let programs = try await stage.run(splice, shell).programs
                #expect(!programs.contains("rm"), "seed \(round), \(shell): \(splice.debugDescription)")
            }
        }
    }
}
