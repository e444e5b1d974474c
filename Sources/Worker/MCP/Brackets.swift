/// The open brackets of a text. Each takes one bit, because hostile text may open very many.
struct Brackets: Equatable, Sendable {
    /// How many brackets may be open: 1 MiB of bits.
    private static let most = 1 << 23

    private var words: [UInt64] = []
    private(set) var count = 0

    /// Whether the innermost bracket is that of an object.
    var isObject: Bool {
        guard count > 0 else { return false }
        return words[(count - 1) >> 6] >> UInt64((count - 1) & 63) & 1 == 1
    }

    /// Opens a bracket.
    /// - Returns: false if there are too many.
    mutating func push(isObject: Bool) -> Bool {
        guard count < Self.most else { return false }
        if count & 63 == 0 { words.append(0) }
        let bit = 1 << UInt64(count & 63) as UInt64
        if isObject { words[count >> 6] |= bit } else { words[count >> 6] &= ~bit }
        count += 1
        return true
    }

    /// Closes the innermost bracket.
    mutating func pop() {
        count -= 1
        if count & 63 == 0 { words.removeLast() }
    }
}
