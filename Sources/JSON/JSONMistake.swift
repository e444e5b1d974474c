/// Why a text is not one JSON value that this server takes.
public struct JSONMistake: Error, Equatable, Sendable {
    /// Where, in bytes from the start of the text.
    public let offset: Int
    /// What is wrong there.
    public let what: String

    /// A mistake at a place.
    public init(offset: Int, what: String) {
        self.offset = offset
        self.what = what
    }

    /// Where, for a person: the line, and the byte within it, both from 1.
    public func position(in text: [UInt8]) -> (line: Int, column: Int) {
        let before = text[..<min(offset, text.count)]
        let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return (before.count { $0 == UInt8(ascii: "\n") } + 1, before.count - start + 1)
    }
}
