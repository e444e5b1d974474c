internal import CLinux
internal import Dispatch
internal import Glibc

extension RemoteFiles {
    /// Reads a part of a regular file: two round trips where it is small. Keeps at most the wanted bytes and what is
    /// under way, 4 MiB.
    ///
    /// - Throws: `.notRegular` for directories, FIFOs, sockets and devices, which are not opened.
    public func read(_ path: [UInt8], _ range: ReadRange) async throws(SFTPError) -> ReadResult {
        try await channel.use { client async throws(SFTPError) in
            var file = try await open(path, client) { handle, size in
                let (start, end) = Self.bounds(range)
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

    private static func bounds(_ range: ReadRange) -> (start: UInt64, end: UInt64) {
        switch range {
        case .head(let most): return (0, UInt64(max(0, most)))
        case .offset(let start, let most):
            let (end, overflow) = start.addingReportingOverflow(UInt64(max(0, most)))
            return (start, overflow ? .max : end)
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
            while !window.isDone, let data = try await file.asked.next() {
                window.append(data)
                // What is there already would be counted in one go, however much it is.
                await OtherTasks.first()
            }
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
        var tail = LineTail(count: count)
        await tail.prepend(bytes)
        while tail.begin == nil && start > 0 && tail.total <= limit {
            block = min(block * 2, 1 << 20)
            let from = start - min(start, UInt64(block))
            var pump = ReadPump(client, handle: file.handle.bytes, path: path, from: from, to: start, size: start)
            var before: [UInt8] = []
            while let data = try await pump.next() { before += data }
            // What was read before is no longer its end.
            guard pump.position == start else { return nil }
            await tail.prepend(before)
            start = from
        }
        withExtendedLifetime(file.handle) {}
        let (kept, isCut) = tail.bytes(limit: limit)
        return LinesResult(
            bytes: kept, offset: end - UInt64(kept.count), attributes: file.attributes,
            size: file.size(seen: file.asked.seen), count: await LineTail.lines(in: kept),
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
        if skip > 0 {
            let (end, found) = behindFeed(skip, in: rest)
            skip -= found
            offset += UInt64(end - rest.startIndex)
            guard skip == 0 else { return }
            rest = rest[end...]
        }
        let (end, found) = behindFeed(count - feeds, in: rest)
        let room = limit - bytes.count
        guard end - rest.startIndex > room else {
            bytes += rest[..<end]
            feeds += found
            return
        }
        bytes += rest.prefix(room)
        feeds += behindFeed(.max, in: rest.prefix(room)).found
        isCut = true
    }
}

/// The last lines of a file that is read backwards in blocks. Each byte is looked at once, in parts after which other tasks
/// have their turn.
private struct LineTail {
    /// Bytes that are looked at in one go: some milliseconds, also where each is a line feed and in a debug build.
    private static let part = 128 << 10

    private let count: Int
    /// From the end of the file to its beginning.
    private var blocks: [[UInt8]] = []
    /// Line feeds in them, but for one at the very end of the file, which ends the last line.
    private var feeds = 0
    private(set) var total = 0
    /// How many bytes from the end the lines begin; nil where the blocks have fewer line feeds than that takes.
    private(set) var begin: Int?

    init(count: Int) {
        self.count = count
        if count == 0 { begin = 0 }
    }

    /// Adds what is in front of what is there.
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

    /// The lines, or the last `limit` bytes of them, and whether they were more.
    func bytes(limit: Int) -> (bytes: [UInt8], isCut: Bool) {
        let wanted = begin ?? total
        var bytes: [UInt8] = []
        bytes.reserveCapacity(min(wanted, limit))
        var left = total
        for block in blocks.reversed() {
            // Of this block, what is not before the lines.
            bytes += block.dropFirst(max(0, left - min(wanted, limit)))
            left -= block.count
        }
        return (bytes, wanted > limit)
    }

    static func lines(in bytes: [UInt8]) async -> Int {
        var lines = 0
        for start in stride(from: 0, to: bytes.count, by: part) {
            lines += behindFeed(.max, in: bytes[start..<min(start + part, bytes.count)]).found
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

/// The index behind the line feed of this number, 1 is the first, or the end of the bytes; and how many there are before it.
private func behindFeed(_ number: Int, in bytes: ArraySlice<UInt8>) -> (index: Int, found: Int) {
    bytes.withUnsafeBytes { buffer in
        guard let base = buffer.baseAddress else { return (bytes.startIndex, 0) }
        var (offset, found) = (0, 0)
        while found < number {
            guard let feed = memchr(base + offset, 0x0A, buffer.count - offset) else {
                return (bytes.endIndex, found)
            }
            found += 1
            offset = base.distance(to: feed) + 1
        }
        return (bytes.startIndex + offset, found)
    }
}

/// Lets the tasks that wait have their turn. `Task.yield()` is not for this worker: it goes past its own threads to Dispatch's
/// pool, which ends a confined process, see `Worker/TaskThreads.swift`.
private enum OtherTasks {
    private static let queue = DispatchQueue(label: "yield")

    static func first() async {
        await withCheckedContinuation { continuation in queue.async { continuation.resume() } }
    }
}
