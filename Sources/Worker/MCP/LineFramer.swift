internal import Glibc

/// Cuts a byte stream into lines, MCP stdio transport: one message a line, `\n` or `\r\n`. Memory is bounded by the limit.
struct LineFramer {
    /// A line is longer than the limit; no further one is taken.
    struct LineTooLong: Error, Equatable {
        /// The limit in bytes.
        let limit: Int
    }

    private let limit: Int
    /// The line that has no end yet.
    private var pending: [UInt8] = []
    /// The line that is too long, whose requests are still answered.
    private(set) var excess: ExcessLine?

    init(limit: Int) {
        self.limit = limit
    }

    /// Takes the next bytes and returns the lines that they complete, empty ones left out.
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

    /// Where the first newline is; long lines are walked quickly.
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

/// A line that is too long to be kept. Only its ids are kept, as far as the line comes.
struct ExcessLine {
    /// Bytes that are read of it after the limit, so that a line without an end ends as well.
    static let most = 64 << 20

    private var line = UnreadableLine(most: UnreadableLine.maximumBatch)
    private var left = most
    /// Its end has come, or its rest is not read any more.
    private(set) var isOver = false

    /// Its ids, when no more of it comes.
    var end: UnreadableLine {
        var line = line
        line.finish()
        return line
    }

    mutating func take(_ part: ArraySlice<UInt8>) {
        guard !isOver else { return }
        let end = part.firstIndex(of: UInt8(ascii: "\n"))
        let own = part[..<(end ?? part.endIndex)]
        line.take(own)
        left -= own.count
        isOver = end != nil || left <= 0
    }
}
