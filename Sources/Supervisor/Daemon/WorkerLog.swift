/// What a worker writes to its standard error, as lines. The text is hostile: each line is bounded here, and `LogShare` bounds
/// all of them together.
struct WorkerLog {
    private static let maximumLine = 4096

    private var pending: [UInt8] = []

    /// Takes a chunk and returns whole lines.
    mutating func append(_ chunk: ArraySlice<UInt8>) -> [String] {
        var lines: [String] = []
        for byte in chunk {
            if byte == UInt8(ascii: "\n") || pending.count >= Self.maximumLine { lines += flush() }
            if byte != UInt8(ascii: "\n") { pending.append(byte) }
        }
        return lines
    }

    /// The last line, which had no end.
    mutating func flush() -> [String] {
        defer { pending = [] }
        return pending.isEmpty ? [] : [String(decoding: pending, as: UTF8.self)]
    }
}
