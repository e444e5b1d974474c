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
    /// Where in the file they begin; behind its end where that was asked for.
    public let offset: UInt64
    /// As FSTAT told when the file was opened; its size is 0 for most files of /proc, whatever they contain.
    public let attributes: SFTPAttributes
    /// Bytes in the file: as FSTAT told, or as many as were seen where those are more.
    public let size: UInt64
    /// Nothing was behind `bytes` when they were read.
    public let reachedEnd: Bool
}

/// Some lines of a file.
public struct LinesResult: Equatable, Sendable {
    /// The lines, with their line feeds.
    public let bytes: [UInt8]
    /// Where in the file they begin.
    public let offset: UInt64
    /// As FSTAT told when the file was opened.
    public let attributes: SFTPAttributes
    /// Bytes in the file: as FSTAT told, or as many as were seen where those are more.
    public let size: UInt64
    /// How many lines `bytes` has; a last one without a line feed counts.
    public let count: Int
    /// Nothing was behind `bytes` when they were read.
    public let reachedEnd: Bool
    /// There were more of the wanted lines than the limit of bytes allows: `bytes` begins (tail) or ends within a line.
    public let isCut: Bool
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
            let end = file.asked.position
            return ReadResult(
                bytes: bytes, offset: offset, attributes: file.attributes, size: file.size(seen: file.asked.seen),
                reachedEnd: file.asked.reachedEnd || end == file.attributes.size)
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
            let end = window.offset + UInt64(window.bytes.count)
            // Whether more follows is not known where the size does not tell it: what was asked for behind the lines does.
            if end == file.asked.position, end != file.attributes.size { _ = try await file.asked.next() }
            withExtendedLifetime(file.handle) {}
            let isLast = file.asked.reachedEnd || end == file.attributes.size
            return LinesResult(
                bytes: window.bytes, offset: window.offset, attributes: file.attributes,
                size: file.size(seen: file.asked.seen), count: window.lines,
                reachedEnd: end == file.asked.position && isLast, isCut: window.isCut)
        }
    }

    /// Reads the last `count` lines, at most `limit` bytes of them, backwards in blocks: what is before them is not read.
    ///
    /// - Throws: `.changed` where the file became shorter each time it was looked at.
    public func tailLines(_ path: [UInt8], count: Int, limit: Int) async throws(SFTPError) -> LinesResult {
        try await channel.use { client async throws(SFTPError) in
            let (count, limit) = (max(0, count), max(0, limit))
            // A log that is rotated while it is read is opened again, and then its new self is read.
            for _ in 0..<3 {
                if let lines = try await tail(path, count: count, limit: limit, client) { return lines }
            }
            throw .changed(path: path)
        }
    }

    /// - Returns: nil where the file became shorter while it was read.
    private func tail(
        _ path: [UInt8], count: Int, limit: Int, _ client: SFTPClient
    ) async throws(SFTPError) -> LinesResult? {
        // Lines of 128 bytes are a fair guess; blocks grow where they are longer.
        var block = max(4096, min(count.multipliedReportingOverflow(by: 128).partialValue, 128 << 10, limit))
        var file = try await open(path, client) { [block] handle, size in
            // A file of /proc has no end to begin at.
            let start = size - min(size, UInt64(block))
            return ReadPump(
                client, handle: handle, path: path, from: start, to: size == 0 ? UInt64(limit) + 1 : size, size: size)
        }
        let size = file.attributes.size ?? 0
        var start = file.asked.position
        var bytes: [UInt8] = []
        while let data = try await file.asked.next() { bytes += data }
        let end = file.asked.position
        guard size == 0 || end == size else { return nil }
        var tail = LineTail.begin(of: count, in: bytes)
        while tail == nil && start > 0 && bytes.count <= limit {
            block = min(block * 2, 1 << 20)
            let from = start - min(start, UInt64(block))
            var pump = ReadPump(client, handle: file.handle.bytes, path: path, from: from, to: start, size: start)
            var before: [UInt8] = []
            while let data = try await pump.next() { before += data }
            // What was read before is no longer its end.
            guard pump.position == start else { return nil }
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
            size: file.size(seen: file.asked.seen), count: LineTail.lines(in: kept),
            reachedEnd: file.asked.reachedEnd || end == file.attributes.size, isCut: isCut)
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
