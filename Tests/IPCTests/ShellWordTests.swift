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

    @Test(arguments: LocalShell.login)
    func `an encoded word passes any login shell, and printf gives it back`(shell: LocalShell) async throws {
        let words = Self.everyByte + Self.nasty
        let script = #"for a do v=$(printf %bx "$a"); printf "%s\0" "${v%x}"; done"#
        let line = "exec /bin/sh -c '\(script)' sh " + words.map(ShellWord.encoded).joined(separator: " ")
        #expect(line.utf8.count < 128 * 1024)
        #expect(try await shell.run(line).stdout == bytes(words))
    }

    @Test(arguments: LocalShell.posix)
    func `every shell's own printf gives an encoded word back`(shell: LocalShell) async throws {
        let words = Self.everyByte + Self.nasty
        let line =
            #"for a in "# + words.map(ShellWord.encoded).joined(separator: " ")
            + #"; do v=$(printf %bx "$a"); printf '%s\0' "${v%x}"; done"#
        #expect(try await shell.run(line).stdout == bytes(words))
    }

    @Test func `an encoded word has nothing in it that shells read differently`() {
        for word in Self.everyByte + Self.nasty {
            let encoded = ShellWord.encoded(word)
            #expect(encoded.utf8.first == UInt8(ascii: "'") && encoded.utf8.last == UInt8(ascii: "'"))
            let inner = encoded.utf8.dropFirst().dropLast()
            #expect(!inner.contains { $0 < 0x20 || $0 >= 0x7F || $0 == UInt8(ascii: "'") || $0 == UInt8(ascii: "!") })
            // Backslashes only as the start of an octal number: a shell that drops one, or doubles it, has none to meet.
            #expect(!encoded.contains("\\\\") && !encoded.contains("\\'"))
        }
    }
}
