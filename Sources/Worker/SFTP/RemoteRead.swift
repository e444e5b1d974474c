internal import Glibc

/// Which bytes of a file to read.
public enum ReadRange: Equatable, Sendable {
    /// The first bytes, at most so many.
    case head(Int)
    /// From an offset on, at most so many.
    case offset(UInt64, Int)
    /// The last bytes, at most so many. Of a file that says it is empty, as those of /proc do, the first.
    case tail(Int)
}

/// A part of a file.
public struct ReadResult: Equatable, Sendable {
    /// The bytes.
    public let bytes: [UInt8]
    /// Where in the file they begin.
    public let offset: UInt64
    /// As FSTAT told when the file was opened; 0 for most files of /proc, whatever they contain.
    public let attributes: SFTPAttributes
    /// Nothing was behind `bytes` when they were read.
    public let reachedEnd: Bool

    /// Bytes in the file, as FSTAT told or as were seen.
    public var size: UInt64 { max(attributes.size ?? 0, offset + UInt64(bytes.count)) }
}

/// Some lines of a file.
public struct LinesResult: Equatable, Sendable {
    /// The lines, with their line feeds.
    public let bytes: [UInt8]
    /// Where in the file they begin.
    public let offset: UInt64
    /// As FSTAT told when the file was opened.
    public let attributes: SFTPAttributes
    /// How many lines `bytes` has; a last one without a line feed counts.
    public let count: Int
    /// Nothing was behind `bytes` when they were read.
    public let reachedEnd: Bool
    /// There were more of the wanted lines than the limit of bytes allows: `bytes` begins (tail) or ends within a line.
    public let isCut: Bool

    /// Bytes in the file, as FSTAT told or as were seen.
    public var size: UInt64 { max(attributes.size ?? 0, offset + UInt64(bytes.count)) }
}

extension RemoteFiles {
    /// Reads a part of a regular file: two round trips where it is small. Keeps at most the wanted bytes and what is
    /// under way, 4 MiB.
    ///
    /// - Throws: `.notRegular` for directories, FIFOs, sockets and devices, which are not opened.
    public func read(_ path: [UInt8], _ range: ReadRange) async throws(SFTPError) -> ReadResult {
        try await channel.use { client async throws(SFTPError) in
            var file = try await open(path, client) { handle, size in
                let (start, end) = Self.bounds(range, size)
                return ReadPump(client, handle: handle, path: path, from: start, to: end, size: size)
            }
            let offset = file.asked.position
            var bytes: [UInt8] = []
            while let data = try await file.asked.next() { bytes += data }
            withExtendedLifetime(file.handle) {}
            let reachedEnd = file.asked.reachedEnd || offset + UInt64(bytes.count) == file.attributes.size
            return ReadResult(bytes: bytes, offset: offset, attributes: file.attributes, reachedEnd: reachedEnd)
        }
    }

    private static func bounds(_ range: ReadRange, _ size: UInt64) -> (start: UInt64, end: UInt64) {
        switch range {
        case .head(let most): return (0, UInt64(max(0, most)))
        case .offset(let start, let most):
            let (end, overflow) = start.addingReportingOverflow(UInt64(max(0, most)))
            return (start, overflow ? .max : end)
        case .tail(let most):
            // A size of 0 is what most files of /proc say: their only known end is the beginning.
            let most = UInt64(max(0, most))
            return size == 0 ? (0, most) : (size - min(size, most), size)
        }
    }

    /// Reads `count` lines from line `start` on, 1 is the first; at most `limit` bytes of them. What comes before is read
    /// and counted, not kept.
    public func lines(
        _ path: [UInt8], from start: Int, count: Int, limit: Int
    ) async throws(SFTPError) -> LinesResult {
        try await channel.use { client async throws(SFTPError) in
            // The first lines of a file are mostly in its first block.
            let first = start <= 1 ? 256 << 10 : 1 << 20
            var file = try await open(path, client) { handle, size in
                ReadPump(client, handle: handle, path: path, from: 0, to: .max, size: size, firstWindow: first)
            }
            var window = LineWindow(skip: max(0, start - 1), count: max(0, count), limit: max(0, limit))
            while !window.isDone, let data = try await file.asked.next() { window.append(data) }
            withExtendedLifetime(file.handle) {}
            let end = window.offset + UInt64(window.bytes.count)
            let reachedEnd = file.asked.reachedEnd ? file.asked.position == end : end == file.attributes.size
            return LinesResult(
                bytes: window.bytes, offset: window.offset, attributes: file.attributes, count: window.lines,
                reachedEnd: reachedEnd, isCut: window.isCut)
        }
    }

    /// Reads the last `count` lines, at most `limit` bytes of them, backwards in blocks: what is before them is not read.
    public func tailLines(_ path: [UInt8], count: Int, limit: Int) async throws(SFTPError) -> LinesResult {
        try await channel.use { client async throws(SFTPError) in
            let (count, limit) = (max(0, count), max(0, limit))
            // Lines of 128 bytes are a fair guess; blocks grow where they are longer.
            var block = max(4096, min(count.multipliedReportingOverflow(by: 128).partialValue, 128 << 10, limit))
            var file = try await open(path, client) { handle, size in
                // A file of /proc has no end to begin at.
                let start = size - min(size, UInt64(block))
                return ReadPump(
                    client, handle: handle, path: path, from: start, to: size == 0 ? UInt64(limit) + 1 : size,
                    size: size)
            }
            var start = file.asked.position
            var bytes: [UInt8] = []
            while let data = try await file.asked.next() { bytes += data }
            let end = start + UInt64(bytes.count)
            var tail = LineTail.begin(of: count, in: bytes)
            while tail == nil && start > 0 && bytes.count <= limit {
                block = min(block * 2, 1 << 20)
                let from = start - min(start, UInt64(block))
                var pump = ReadPump(client, handle: file.handle.bytes, path: path, from: from, to: start, size: start)
                var before: [UInt8] = []
                while let data = try await pump.next() { before += data }
                // It shrank: what was read before is no longer its end.
                guard from + UInt64(before.count) == start else { throw .changed(path: path) }
                bytes = before + bytes
                start = from
                tail = LineTail.begin(of: count, in: bytes)
            }
            withExtendedLifetime(file.handle) {}
            var kept = bytes[(tail ?? 0)...]
            let isCut = kept.count > limit
            kept = kept.suffix(limit)
            return LinesResult(
                bytes: Array(kept), offset: end - UInt64(kept.count), attributes: file.attributes,
                count: LineTail.lines(in: kept),
                reachedEnd: file.asked.reachedEnd || end == file.attributes.size, isCut: isCut)
        }
    }
}

/// The wanted lines out of a stream.
private struct LineWindow {
    private var skip: Int
    private let count: Int
    private let limit: Int
    private(set) var bytes: [UInt8] = []
    private(set) var offset: UInt64 = 0
    private(set) var isCut = false
    private var feeds = 0

    init(skip: Int, count: Int, limit: Int) {
        self.skip = skip
        self.count = count
        self.limit = limit
    }

    var isDone: Bool { isCut || (skip == 0 && feeds >= count) }

    /// Lines so far.
    var lines: Int { feeds + (bytes.isEmpty || bytes.last == 0x0A ? 0 : 1) }

    mutating func append(_ data: ArraySlice<UInt8>) {
        var rest = data
        while skip > 0 {
            guard let feed = firstFeed(in: rest) else {
                offset += UInt64(rest.count)
                return
            }
            offset += UInt64(feed + 1 - rest.startIndex)
            rest = rest[(feed + 1)...]
            skip -= 1
        }
        while feeds < count, !rest.isEmpty {
            let feed = firstFeed(in: rest)
            let line = feed.map { rest[...$0] } ?? rest
            let room = limit - bytes.count
            bytes += line.prefix(room)
            if line.count > room {
                isCut = true
                return
            }
            if feed != nil { feeds += 1 }
            rest = rest.dropFirst(line.count)
        }
    }
}

/// Lines counted from the end.
private enum LineTail {
    /// The index at which the last `count` lines begin; nil where the bytes have fewer line feeds than that takes.
    static func begin(of count: Int, in bytes: [UInt8]) -> Int? {
        guard count > 0 else { return bytes.count }
        // The line feed at the very end ends the last line.
        var end = bytes.last == 0x0A ? bytes.count - 1 : bytes.count
        for _ in 0..<count {
            guard let feed = lastFeed(in: bytes, before: end) else { return nil }
            end = feed
        }
        return end + 1
    }

    static func lines(in bytes: ArraySlice<UInt8>) -> Int {
        var lines = 0
        var rest = bytes
        while let feed = firstFeed(in: rest) {
            lines += 1
            rest = rest[(feed + 1)...]
        }
        return lines + (rest.isEmpty ? 0 : 1)
    }

    private static func lastFeed(in bytes: [UInt8], before end: Int) -> Int? {
        // Glibc's module does not show memrchr(3).
        bytes.withUnsafeBytes { $0[..<end].lastIndex(of: 0x0A) }
    }
}

private func firstFeed(in bytes: ArraySlice<UInt8>) -> Int? {
    bytes.withUnsafeBytes { buffer in
        guard let base = buffer.baseAddress, let found = memchr(base, 0x0A, buffer.count) else { return nil }
        return bytes.startIndex + base.distance(to: UnsafeRawPointer(found))
    }
}
