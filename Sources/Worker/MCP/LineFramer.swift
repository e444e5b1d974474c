/// Cuts a byte stream into lines, MCP stdio transport: one message a line, `\n` or `\r\n`. Memory is bounded by the limit.
struct LineFramer {
    /// A line is longer than the limit; the stream cannot be followed any further.
    struct LineTooLong: Error, Equatable {
        /// The limit in bytes.
        let limit: Int
    }

    private let limit: Int
    private var pending: [UInt8] = []

    init(limit: Int) {
        self.limit = limit
    }

    /// Takes the next bytes and returns the lines that they complete, empty ones left out.
    mutating func append(_ chunk: ArraySlice<UInt8>) throws(LineTooLong) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var rest = chunk
        while let newline = rest.firstIndex(of: UInt8(ascii: "\n")) {
            guard pending.count + (newline - rest.startIndex) <= limit else { throw LineTooLong(limit: limit) }
            var line: [UInt8] = []
            swap(&line, &pending)
            line.append(contentsOf: rest[..<newline])
            rest = rest[(newline + 1)...]
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            if !line.isEmpty { lines.append(line) }
        }
        guard pending.count + rest.count <= limit else { throw LineTooLong(limit: limit) }
        pending.append(contentsOf: rest)
        return lines
    }
}
