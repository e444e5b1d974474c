/// Text of which a few bytes are not UTF-8, as logs have it.
enum LossyText {
    /// U+FFFD, which stands for what is not UTF-8.
    private static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]

    /// The bytes as text, with U+FFFD in the place of those that are not UTF-8; nil if those are more than one in a hundred, or if
    /// there is a NUL, which no text has.
    static func of(_ bytes: ArraySlice<UInt8>) -> String? {
        guard !bytes.contains(0) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        let replaced = count(in: Array(text.utf8)) - count(in: Array(bytes))
        let invalid = bytes.count - (text.utf8.count - replaced * replacement.count)
        return invalid * 100 <= bytes.count ? text : nil
    }

    private static func count(in text: [UInt8]) -> Int {
        var count = 0
        TextSearch(for: replacement).forEach(in: text) { _ in count += 1 }
        return count
    }

    /// How many of the last bytes are a character that is not all there.
    static func partialEnd(_ bytes: [UInt8]) -> Int {
        for length in 1...3 where bytes.count >= length {
            let byte = bytes[bytes.count - length]
            if byte & 0xC0 == 0x80 { continue }
            let needed = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
            return needed > length ? length : 0
        }
        return 0
    }
}
