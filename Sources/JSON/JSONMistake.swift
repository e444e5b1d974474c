/// Why `JSONReader` refuses a text.
public struct JSONMistake: Error, Equatable, Sendable {
    /// Where the mistake is, in bytes from the start of the text.
    public let offset: Int
    /// What is wrong there, as a clause.
    public let what: String

    /// A mistake at this place.
    public init(offset: Int, what: String) {
        self.offset = offset
        self.what = what
    }

    /// Where the mistake is, for a person: the line and the byte in that line, both counted from 1.
    public func position(in text: [UInt8]) -> (line: Int, column: Int) {
        let before = text[..<min(offset, text.count)]
        let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return (before.count { $0 == UInt8(ascii: "\n") } + 1, before.count - start + 1)
    }
}
