import TestSupport
import IPC
import Testing

@testable import Policy
@testable import Tools

@Suite("Scanner of shell commands", .timeLimit(.minutes(2)))
struct ShellScannerTests {
    private func words(_ line: String) -> [[String]] {
        ShellScanner(line.utf8).commands.map { ($0.assignments + $0.words).map(\.text) }
    }

    @Test func `words, quotes and operators are those of a shell`() {
        #expect(words(#"a 'b c' "d e" f\ g h'i'"j"k; l"#) == [["a", "b c", "d e", "f g", "hijk"], ["l"]])
        #expect(words("A=1 B='x y' c d=e") == [["A=1", "B=x y", "c", "d=e"]])
        #expect(words("a|b&&c||d&e;f\ng") == [["a"], ["b"], ["c"], ["d"], ["e"], ["f"], ["g"]])
        #expect(words("a 2>&1 >f <g b") == [["a", "b"]])
        #expect(words("if a; then b; fi; for x in 1 2; do c $x; done") == [["a"], ["b"], ["x"], ["c", "?"]])
        #expect(words("echo $(a b) \"`c`\"") == [["a", "b"], ["c"], ["echo", "?", "?"]])
        #expect(words("a # b\nc#d") == [["a"], ["c#d"]])
        #expect(words("cat <<E\n'$(a)\nE\nb") == [["cat"], ["a"], ["b"]])
        #expect(words("\"\" a") == [["", "a"]])
    }

    @Test func `a pipe's reader knows its writer, here-documents their bodies`() {
        let scanner = ShellScanner("a <<X | b <<-'Y' |\n1\nX\n\t2\n\tY\n c\nd || e".utf8)
        #expect(scanner.commands.map(\.source) == [nil, 0, 1, nil, nil])
        #expect(scanner.documents.map { String(decoding: $0, as: UTF8.self) } == ["1\n", "\t2\n"])
    }

    /// What opens something, over and over.
    private static let hostile = [
        "(", ")", "$(", "$((", "((", "`", "\"", "'", "\\", "\"$(", "${", "${x:-", "\"${", "<<a", "<<a\n", "<<a <<b\n",
        "<(", ">(",
        "if ", "case x in ", "case x in (", "for x in ", "for ", "{ ", "[[ ", "a=(", "x=", "=", "a=b=", "-=", "+(",
        "+((", "$'",
        "$'\\'", "$[", "$", "&", "|", ";", ";;", "!", "#", "# ", "\n", "\r", "\t", "<", ">", "<<<", "1>", "f()",
        "function ", "{a,",
        "[", "*", "*?", "\u{0}", "é\\", "\\\n", "$\\\n", "sudo ", "env ", "sh -c ", "sh -c '", "eval ", "eval \"",
        "find -exec ",
        "find -exec sh -c ", "xargs ", "echo x|sh|", "sh <<<", "time ! ", "parallel ::: ", "$x ", "/bin/*r*r*r*r",
        "\\`", "trap ",
        "$((1+", "\"`", "`\"", "<<\"", "<<'a'\na\n", "if if if ", "$(<<a\n", "git ", "git clean ", "-", "su -c x ",
    ]

    @Test(arguments: hostile)
    func `much of it ends, and is refused under an allowlist`(piece: String) {
        let text = String(repeating: piece, count: ShellScanner.maximumLength / 16 / piece.utf8.count)
        let search = DeletionSearch((text + "\nrm x").utf8, input: text.utf8)
        #expect(search.found != nil || !search.isUnreadable, "found, or read to the end")
        #expect(PolicyCorpus.refusal(.allow, text + ";id") != nil)
    }

    @Test(arguments: ["(", "$(", "\"", "<<a", "if if if "])
    func `a megabyte is too long to run: only names are looked for`(piece: String) {
        let text = String(repeating: piece, count: (1 << 20) / piece.utf8.count)
        #expect(ShellScanner(text.utf8).isUnreadable)
        #expect(PolicyCorpus.refusal(.delete, text) == nil && PolicyCorpus.refusal(.delete, text + " rm x") != nil)
        #expect(PolicyCorpus.refusal(.allow, text)?.sentence.contains("more than 131072 bytes") == true)
    }

    @Test func `commands that read one another's input end`() {
        for line in ["sh", "sh;bash -s;", "sh <<E\n$(sh <<F\nsh\nF\n)\nE", "eval sh", "echo sh|sh|sh"] {
            let text = String(repeating: line + "\n", count: 2_000)
            #expect(DeletionSearch(text.utf8, input: (text + "rm x").utf8).found == "rm")
            #expect(DeletionSearch(text.utf8, input: text.utf8).found == nil)
        }
    }

    @Test func `random bytes and random pieces of syntax never trap`() {
        var random = SeededGenerator(seed: 20_261_126)
        for round in 0..<4_000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...24, using: &random) {
                switch round % 3 {
                case 0: bytes.append(UInt8.random(in: .min ... .max, using: &random))
                case 1: bytes.append(UInt8.random(in: 0x20...0x7E, using: &random))
                default: bytes += Array((Self.hostile.randomElement(using: &random) ?? "").utf8)
                }
            }
            _ = ShellScanner(bytes)
            _ = DeletionSearch(bytes, input: bytes)
            _ = PolicyCorpus.refusal(.allow, String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test func `every beginning and every end of the corpus' commands is judged`() throws {
        for entry in try PolicyCorpus.cases() {
            let bytes = Array(entry.command.utf8)
            for cut in stride(from: 0, through: bytes.count, by: 3) {
                for part in [bytes[..<cut], bytes[cut...]] {
                    _ = DeletionSearch(part, input: [])
                    _ = PolicyCorpus.refusal(.allow, String(decoding: part, as: UTF8.self))
                }
            }
        }
    }
}
