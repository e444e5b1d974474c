import TestSupport
import Testing

@testable import Exec

@Suite("Words for the script around a command", .timeLimit(.minutes(1)))
struct EncodedWordTests {
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

    private static let decode =
        #"case $a in e*) v=$(printf %bx "${a#e}"); v=${v%x};; *) v=${a#p};; esac; printf "%s\0" "$v""#

    @Test(arguments: LocalShell.login)
    func `a word passes any login shell, and a POSIX shell reads it back`(shell: LocalShell) async throws {
        let words = Self.everyByte + Self.nasty
        let line =
            "exec /bin/sh -c 'for a do \(Self.decode); done' sh "
            + words.map(EncodedWord.of).joined(separator: " ")
        #expect(line.utf8.count < 128 * 1024)
        #expect(try await shell.run(line).stdout == bytes(words))
    }

    @Test(arguments: LocalShell.posix)
    func `every shell's own printf gives a word back`(shell: LocalShell) async throws {
        let words = Self.everyByte + Self.nasty
        let line = "for a in " + words.map(EncodedWord.of).joined(separator: " ") + "; do \(Self.decode); done"
        #expect(try await shell.run(line).stdout == bytes(words))
    }

    @Test func `a word has nothing in it that shells read differently`() {
        for word in Self.everyByte + Self.nasty {
            let encoded = EncodedWord.of(word)
            #expect(encoded.utf8.first == UInt8(ascii: "'") && encoded.utf8.last == UInt8(ascii: "'"))
            let inner = encoded.utf8.dropFirst().dropLast()
            #expect(!inner.contains { $0 < 0x20 || $0 >= 0x7F || $0 == UInt8(ascii: "'") || $0 == UInt8(ascii: "!") })
            // Backslashes only as the start of an octal number: a shell that drops one, or doubles it, has none to meet.
            #expect(!encoded.contains("\\\\") && !encoded.contains("\\'"))
        }
    }

    @Test func `a plain word costs the host no decoding`() {
        #expect(EncodedWord.of("ls -la /etc") == "'pls -la /etc'" && EncodedWord.of("") == "'p'")
        #expect(EncodedWord.of("it's") == #"'eit\0047s'"#)
    }
}
