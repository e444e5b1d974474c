import TestSupport
import Testing

@testable import IPC

@Suite("Words for shells", .timeLimit(.minutes(1)))
struct ShellWordTests {
    /// Every byte that UTF-8 text can have but NUL: each of ASCII in a word of its own, and words of scalars with every
    /// lead and continuation byte.
    private static let everyByte: [String] =
        (1...0x7F).map { String(UnicodeScalar(UInt8($0))) }
        + stride(from: 0x80, to: 0x800, by: 64).map { text($0..<$0 + 64) }
        + [text((0x8...0x10F).map { $0 << 12 | 0xABC })]

    private static func text(_ scalars: some Sequence<Int>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars.compactMap { UnicodeScalar($0) })
        return String(view)
    }

    private static let nasty = [
        "", " ", "'", "''", "\"", "a'b\"c", "\\", "\\\\", "\\n", "\\'", "'\\''", "\n", "\n\n", "a\n", "\na", "\r\n",
        "\t", "!", "!!", "!$", "\\!", "'!'",
        "$", "$HOME", "${HOME}", "$(id)", "`id`", "*", "?", "[a]", "~", "~root", "#", "a#b", "=", "=ls", "%", "%s%n",
        "%b", "\\0101", "\\x41", "\\c",
        "-n", "--", "-", "+x", "a b  c", "&", ";", "|", "<", ">", "(", ")", "{a,b}", "^", "@", ":", ",", "/", ".", "_",
        "x\u{1E}y", "\u{7F}", "é漢🙂",
        "e\u{301}", "'\u{301}", "\\\u{301}", "!\u{301}", String(repeating: "'\\!\n", count: 500),
    ]

    private func bytes(_ words: [String]) -> [UInt8] { words.flatMap { Array($0.utf8) + [0] } }

    @Test(arguments: LocalShell.posix)
    func `a quoted word is one word to a POSIX shell`(shell: LocalShell) async throws {
        // That one has a test of its own.
        let words = Self.everyByte.filter { $0.utf8.count == 1 } + Self.nasty.filter { $0 != "'\u{301}" }
        let line = #"printf '%s\0' "# + words.map(ShellWord.quoted).joined(separator: " ")
        #expect(try await shell.run(line).stdout == bytes(words))
    }

    @Test func `a quote with a combining mark behind it is a quote`() {
        #expect(Array(ShellWord.quoted("'\u{301}").utf8) == Array("''\\''\u{301}'".utf8))
    }

    @Test func `a safe word is not quoted, an empty one is`() {
        #expect(
            ShellWord.quoted("/run/user/1000/ssh-ctrl_u@h:22,x+y%z.sock") == "/run/user/1000/ssh-ctrl_u@h:22,x+y%z.sock"
        )
        #expect(ShellWord.quoted("") == "''")
        #expect(ShellWord.quoted("a b") == "'a b'")
        #expect(ShellWord.quoted("it's") == #"'it'\''s'"#)
        #expect(ShellWord.quoted("é") == "'é'")
    }
}
