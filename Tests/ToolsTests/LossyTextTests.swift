import Testing

@testable import Tools

/// What is text although a few bytes are not UTF-8.
struct LossyTextTests {
    private func text(_ bad: Int, of count: Int, _ byte: UInt8 = 0xE9) -> String? {
        var bytes = [UInt8](repeating: UInt8(ascii: "a"), count: count)
        for index in 0..<bad { bytes[index * (count / bad)] = byte }
        return LossyText.of(bytes[...])
    }

    @Test func `up to one byte in a hundred may be no UTF-8`() {
        #expect(text(1, of: 100)?.unicodeScalars.count { $0 == "\u{FFFD}" } == 1)
        #expect(text(10, of: 1000, 0xFF)?.unicodeScalars.count == 1000)
        #expect(text(1, of: 99) == nil)
        #expect(text(11, of: 1000) == nil)
        #expect(text(1, of: 1000, 0) == nil, "a NUL is in no text")
    }

    @Test func `bytes count, not characters that stand for them, and U+FFFD of the text itself counts as text`() {
        // Three bytes of a character of four, and one U+FFFD for them.
        let cut = Array(String(repeating: "a", count: 296).utf8) + [0xF0, 0x9F, 0x98] + [UInt8(ascii: "b")]
        #expect(LossyText.of(cut[...]) == String(repeating: "a", count: 296) + "\u{FFFD}b")
        #expect(LossyText.of(cut.dropFirst()) == nil)
        let own = Array(String(repeating: "\u{FFFD}", count: 50).utf8) + [0xFF]
        #expect(LossyText.of(own[...]) == String(repeating: "\u{FFFD}", count: 51))
    }

    @Test(arguments: ["é", "日", "\u{1F600}"])
    func `a character that is cut at the end is told by its bytes`(character: String) {
        let bytes = Array(character.utf8)
        for length in bytes.indices {
            #expect(LossyText.partialEnd([0x61] + bytes[..<length]) == length)
        }
        #expect(LossyText.partialEnd([0x61] + bytes) == 0)
        #expect(LossyText.partialEnd([]) == 0 && LossyText.partialEnd([0x80, 0x80, 0x80]) == 0)
    }
}
