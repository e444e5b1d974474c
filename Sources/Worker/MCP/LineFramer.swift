internal import Glibc

/// Cuts a byte stream into lines, which end in `\n` or `\r\n`, MCP stdio transport. It keeps at most one line of `limit` bytes.
struct LineFramer {
    /// A line is longer than the limit, and no further line is taken.
    struct LineTooLong: Error, Equatable {
        /// The limit in bytes.
        let limit: Int
    }

    private let limit: Int
    /// The beginning of a line whose end has not come.
    private var pending: [UInt8] = []
    /// The line that is too long. Its requests are still answered.
    private(set) var excess: ExcessLine?

    init(limit: Int) {
        self.limit = limit
    }

    /// Takes the next bytes, and returns the lines that they complete, without empty ones.
    mutating func append(_ chunk: ArraySlice<UInt8>) throws(LineTooLong) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var rest = chunk
        while let newline = Self.newline(in: rest) {
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

    /// The index of the first newline. memchr(3) is fast on long lines.
    private static func newline(in bytes: ArraySlice<UInt8>) -> Int? {
        bytes.withUnsafeBytes { buffer -> Int? in
            guard let start = buffer.baseAddress,
                let found = memchr(start, Int32(UInt8(ascii: "\n")), buffer.count)
            else { return nil }
            return bytes.startIndex + (UnsafeRawPointer(found) - start)
        }
    }

    private mutating func tooLong(_ rest: ArraySlice<UInt8>) -> LineTooLong {
        var excess = ExcessLine()
        excess.take(pending[...])
        excess.take(rest)
        self.excess = excess
        pending = []
        return LineTooLong(limit: limit)
    }
}
