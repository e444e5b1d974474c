/// What a worker writes to its standard error, as log lines. The text is hostile: lines are bounded, and so is the whole.
struct WorkerLog {
    private static let maximumLine = 4096
    /// Bytes that one worker may put into the log.
    private static let maximumTotal = 256 * 1024

    private var pending: [UInt8] = []
    private var total = 0

    /// Takes a chunk and returns whole lines; nil when this worker has said enough.
    mutating func append(_ chunk: ArraySlice<UInt8>) -> [String]? {
        total += chunk.count
        guard total <= Self.maximumTotal else { return nil }
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
