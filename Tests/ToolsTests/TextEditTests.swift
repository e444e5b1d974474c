import JSON
import TestSupport
import Testing
import Threads

@testable import Tools

@Suite("Exact edits", .timeLimit(.minutes(1)))
struct TextEditTests {
    private func apply(_ edits: [TextEdit], to text: [UInt8]) -> Result<(text: [UInt8], count: Int), FileFailure> {
        Result { () throws(FileFailure) in try TextEdit.apply(edits, to: text) }
    }

    private func failure(_ edits: [TextEdit], to text: [UInt8]) -> String? {
        guard case .failure(let failure) = apply(edits, to: text) else { return nil }
        return failure.sentence
    }

    @Test func `every occurrence is found that a plain search finds`() throws {
        let seed: UInt64 = 14
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<20_000 {
            func text(_ count: Int) -> String {
                String((0..<count).map { _ in Character(["a", "b"][Int.random(in: 0...1, using: &generator)]) })
            }
            let old = text(Int.random(in: 1...6, using: &generator))
            let new = text(Int.random(in: 0...3, using: &generator))
            let whole = text(Int.random(in: 0...40, using: &generator))
            let count = whole.ranges(of: old).count
            let edited = apply([TextEdit(old: old, new: new, all: true)], to: Array(whole.utf8))
            guard count > 0 else {
                #expect((try? edited.get()) == nil, "seed \(seed)")
                continue
            }
            #expect(
                try edited.get().text == Array(whole.replacing(old, with: new).utf8), "seed \(seed): \(old) in \(whole)"
            )
            #expect(try edited.get().count == count)
        }
    }

    @Test func `what would become too large is refused before it is made`() throws {
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: 4 << 20)
        let long = String(repeating: "b", count: 1024)
        let said = try #require(failure([TextEdit(old: "a", new: long, all: true)], to: text))
        #expect(said.contains("4194304 places") && said.contains("4294967296 bytes") && said.contains("8388608"))
        #expect(said.contains("Nothing was written"))
        // Exactly the limit, and one byte more.
        let limit = TextEdit.maximumSize
        let one = Array("x".utf8) + [UInt8](repeating: UInt8(ascii: "a"), count: 9)
        let rest = String(repeating: "y", count: limit - 9)
        #expect(try apply([TextEdit(old: "x", new: rest, all: false)], to: one).get().text.count == limit)
        #expect(failure([TextEdit(old: "x", new: rest + "y", all: false)], to: one) != nil)
        // Nor between two edits, where the second would take it back.
        let back = TextEdit(old: long, new: "", all: true)
        #expect(failure([TextEdit(old: "a", new: long, all: true), back], to: text)?.hasPrefix("edits[0]") == true)
        #expect(try apply([TextEdit(old: "a", new: "bc", all: true)], to: text).get().text.count == limit)
    }

    @Test func `a text that nearly matches everywhere is looked for in one pass`() throws {
        // In the square, this is 2^44 comparisons.
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: 8 << 20)
        let half = String(repeating: "a", count: 4 << 20)
        #expect(failure([TextEdit(old: half + "b", new: "", all: true)], to: text)?.contains("does not occur") == true)
        #expect(failure([TextEdit(old: "b" + half, new: "", all: true)], to: text)?.contains("does not occur") == true)
        #expect(try apply([TextEdit(old: half, new: "", all: true)], to: text).get().count == 2)
    }

    @Test func `edits that would search too much are refused with how many are possible`() throws {
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: 8 << 20)
        let edits = [TextEdit](repeating: TextEdit(old: "aa", new: "aa", all: true), count: 10_000)
        let said = try #require(failure(edits, to: text))
        #expect(said.contains("too many edits") && said.contains("128"))
    }

    @Test func `an old text longer than the file does not occur`() {
        #expect(
            failure([TextEdit(old: "abc", new: "", all: true)], to: Array("ab".utf8))?.contains("not occur") == true)
        #expect(failure([TextEdit(old: "abc", new: "", all: true)], to: [])?.contains("not occur") == true)
    }
}

/// Lines of edits end as those of the file do.
struct LineEndingTests {
    private struct Case: Sendable {
        let text: String
        let old: String
        let new: String
        /// nil where the text is not found, or found too often.
        let edited: String?
        var all = false
    }

    private static let cases: [Case] = [
        // The file's own line ends, in the old text and in the new one.
        Case(text: "one\r\ntwo\r\nthree\r\n", old: "one\ntwo", new: "1\n2\n2a", edited: "1\r\n2\r\n2a\r\nthree\r\n"),
        Case(text: "one\r\ntwo\r\n", old: "one\r\ntwo", new: "1\n2", edited: "1\r\n2\r\n"),
        Case(text: "one\r\ntwo\r\n", old: "two", new: "two\nthree", edited: "one\r\ntwo\r\nthree\r\n"),
        Case(text: "one\ntwo\n", old: "one\r\ntwo", new: "1\r\n2\r\n3", edited: "1\n2\n3\n"),
        Case(text: "one\ntwo\n", old: "two", new: "two\r\nthree", edited: "one\ntwo\nthree\n"),
        // An edit of nothing but line ends means them.
        Case(text: "a\r\nb\r\n", old: "\r\n", new: "\n", edited: "a\nb\n", all: true),
        Case(text: "a\nb\n", old: "\n", new: "\r\n", edited: "a\r\nb\r\n", all: true),
        Case(text: "a\r\nb\r\n", old: "a\r\nb", new: "a\nb", edited: "a\nb\r\n"),
        // Mixed: as it is written, else as it occurs; what is added ends as its neighbours, or as most.
        Case(text: "a\r\nb\nc\r\n", old: "a\nb", new: "x\ny", edited: "x\r\ny\nc\r\n"),
        Case(text: "a\r\nb\nc\r\n", old: "b\nc", new: "b\nx\nc", edited: "a\r\nb\nx\nc\r\n"),
        Case(text: "a\r\nb\nc\r\n", old: "c", new: "c\nd", edited: "a\r\nb\nc\r\nd\r\n"),
        // The end of the last line.
        Case(text: "a\nlast", old: "last\n", new: "new\n", edited: "a\nnew"),
        Case(text: "a\r\nlast", old: "a\nlast\n", new: "b\nnew\n", edited: "b\r\nnew"),
        Case(text: "a\nlast", old: "last", new: "last\nmore", edited: "a\nlast\nmore"),
        Case(text: "last", old: "last\n", new: "a\nb\n", edited: "a\nb"),
        Case(text: "a\nlast", old: "none\n", new: "x\n", edited: nil),
        // A byte order mark.
        Case(text: "\u{FEFF}a\r\nb", old: "a\n", new: "c\n", edited: "\u{FEFF}c\r\nb"),
        Case(text: "\u{FEFF}a\nb", old: "\u{FEFF}a", new: "c", edited: "\u{FEFF}c\nb"),
        Case(text: "\u{FEFF}a\nb", old: "a", new: "\u{FEFF}c", edited: "\u{FEFF}c\nb"),
        Case(text: "\u{FEFF}a\nb", old: "\u{FEFF}", new: "", edited: "a\nb"),
        Case(text: "a\nb", old: "a", new: "\u{FEFF}a", edited: "\u{FEFF}a\nb"),
        Case(text: "a\r\na\r\n", old: "a\n", new: "b\n", edited: nil),
        Case(text: "a\r\na\r\n", old: "a\n", new: "b\n", edited: "b\r\nb\r\n", all: true),
    ]

    @Test(arguments: cases.indices)
    func `line ends, a byte order mark and a last line without an end stay as the file has them`(index: Int) {
        let test = Self.cases[index]
        let edited = Result { () throws(FileFailure) in
            try TextEdit.apply([TextEdit(old: test.old, new: test.new, all: test.all)], to: Array(test.text.utf8)).text
        }
        #expect((try? edited.get()) == test.edited.map { Array($0.utf8) }, "\(test)")
    }

    @Test func `later edits follow what an edit of line ends has made`() throws {
        let edits = [
            TextEdit(old: "\r\n", new: "\n", all: true), TextEdit(old: "a\nb", new: "x\ny\nz", all: false),
        ]
        let edited = try TextEdit.apply(edits, to: Array("a\r\nb\r\n".utf8))
        #expect(edited.text == Array("x\ny\nz\n".utf8))
    }
}
