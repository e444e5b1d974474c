internal import CLinux

/// Finds the last lines of a file that is read backwards in blocks. It looks at each byte once, and gives other tasks their turn
/// after each part.
struct LineTail {
    /// How many bytes make a part. Even if each is a line feed, they take only some milliseconds in a debug build.
    private static let part = 128 << 10

    private let count: Int
    /// The blocks so far, the last of the file first.
    private var blocks: [[UInt8]] = []
    /// How many line feeds were found. One at the very end of the file does not count, because it ends the last line.
    private var feeds = 0
    /// How many bytes the blocks have.
    private(set) var total = 0
    /// How many bytes before the end of the file the wanted lines begin; nil if that is not known yet.
    private(set) var begin: Int?

    init(count: Int) {
        self.count = count
        if count == 0 { begin = 0 }
    }

    /// Adds the block before the blocks that are there.
    mutating func prepend(_ block: [UInt8]) async {
        var end = blocks.isEmpty && block.last == 0x0A ? block.count - 1 : block.count
        while begin == nil, end > 0 {
            let start = max(0, end - Self.part)
            while end > start, begin == nil {
                guard let feed = Self.lastFeed(in: block, start..<end) else { break }
                feeds += 1
                if feeds == count { begin = total + block.count - feed - 1 }
                end = feed
            }
            if begin == nil { end = start }
            await OtherTasks.first()
        }
        blocks.append(block)
        total += block.count
    }

    /// The lines, or the last `limit` bytes of them, and whether the lines have more bytes than that.
    func bytes(limit: Int) -> (bytes: [UInt8], isCut: Bool) {
        let wanted = begin ?? total
        var bytes: [UInt8] = []
        bytes.reserveCapacity(min(wanted, limit))
        var left = total
        for block in blocks.reversed() {
            // The bytes of this block that come before the lines are left out.
            bytes += block.dropFirst(max(0, left - min(wanted, limit)))
            left -= block.count
        }
        return (bytes, wanted > limit)
    }

    /// How many lines the bytes have. A last one without a line feed counts.
    static func lines(in bytes: [UInt8]) async -> Int {
        var lines = 0
        for start in stride(from: 0, to: bytes.count, by: part) {
            lines += LineFeeds.end(of: .max, in: bytes[start..<min(start + part, bytes.count)]).found
            await OtherTasks.first()
        }
        return lines + (bytes.isEmpty || bytes.last == 0x0A ? 0 : 1)
    }

    private static func lastFeed(in bytes: [UInt8], _ range: Range<Int>) -> Int? {
        bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress,
                let found = csd_memrchr(base + range.lowerBound, 0x0A, range.count)
            else { return nil }
            return base.distance(to: found)
        }
    }
}
