/// Cuts what a worker or a file broker writes to its standard error into lines. The text is hostile: a line is bounded here, and
/// `LogShare` bounds all lines together.
struct WorkerLog {
    private static let maximumLine = 4096

    private var pending: [UInt8] = []

    /// Takes bytes, and returns the lines that they complete.
    mutating func append(_ chunk: ArraySlice<UInt8>) -> [String] {
        var lines: [String] = []
        for byte in chunk {
            if byte == UInt8(ascii: "\n") || pending.count >= Self.maximumLine { lines += flush() }
            if byte != UInt8(ascii: "\n") { pending.append(byte) }
        }
        return lines
    }

    /// Returns the last line, whose end has not come.
    mutating func flush() -> [String] {
        defer { pending = [] }
        return pending.isEmpty ? [] : [String(decoding: pending, as: UTF8.self)]
    }
}
