/// Cuts a byte stream into lines, MCP stdio transport: one message a line, `\n` or `\r\n`. Memory is bounded by the limit.
struct LineFramer {
    /// A line is longer than the limit; the stream cannot be followed any further.
    struct LineTooLong: Error, Equatable {
        /// The limit in bytes.
        let limit: Int
    }

    private let limit: Int
    /// The line that has no end yet; the beginning of it, at most `limit` bytes, where it was too long.
    private(set) var pending: [UInt8] = []

    init(limit: Int) {
        self.limit = limit
    }

    /// Takes the next bytes and returns the lines that they complete, empty ones left out.
    mutating func append(_ chunk: ArraySlice<UInt8>) throws(LineTooLong) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var rest = chunk
        while let newline = rest.firstIndex(of: UInt8(ascii: "\n")) {
            guard pending.count + (newline - rest.startIndex) <= limit else { throw tooLong(rest) }
            var line: [UInt8] = []
            swap(&line, &pending)
            line.append(contentsOf: rest[..<newline])
            rest = rest[(newline + 1)...]
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            if !line.isEmpty { lines.append(line) }
        }
        guard pending.count + rest.count <= limit else { throw tooLong(rest) }
        pending.append(contentsOf: rest)
        return lines
    }

    private mutating func tooLong(_ rest: ArraySlice<UInt8>) -> LineTooLong {
        pending.append(contentsOf: rest.prefix(limit - pending.count))
        return LineTooLong(limit: limit)
    }
}
