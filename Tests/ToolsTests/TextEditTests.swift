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
