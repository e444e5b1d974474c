extension RemoteFiles {
    /// Reads a part of a regular file, in two round trips if it is small. It keeps the wanted bytes and at most 4 MiB that are
    /// under way.
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

    /// Reads `count` lines from line `start` on (the first is 1), at most `limit` bytes of them. The lines before them are read
    /// and counted, and not kept.
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
                // Otherwise all bytes that have come already would be counted before other tasks have their turn.
                await OtherTasks.first()
            }
            let end = window.offset + UInt64(window.bytes.count)
            // If the size does not tell whether more follows, the READ after the lines, which is under way, does.
            if end == file.asked.position, end != file.attributes.size { _ = try await file.asked.next() }
            withExtendedLifetime(file.handle) {}
            let isLast = file.asked.reachedEnd || end == file.attributes.size
            return LinesResult(
                bytes: window.bytes, offset: window.offset, attributes: file.attributes,
                size: file.size(seen: file.asked.seen), count: window.lines,
                reachedEnd: end == file.asked.position && isLast, isCut: window.isCut)
        }
    }

    /// Reads the last `count` lines, at most `limit` bytes of them. It reads backwards in blocks, and stops before the first of
    /// these lines.
    ///
    /// - Throws: `.changed` if the file became shorter each of three times.
    public func tailLines(_ path: [UInt8], count: Int, limit: Int) async throws(SFTPError) -> LinesResult {
        try await channel.use { client async throws(SFTPError) in
            let (count, limit) = (max(0, count), max(0, limit))
            // A log may be rotated while it is read. Then the new file at its path is read.
            for _ in 0..<3 {
                if let lines = try await tail(path, count: count, limit: limit, client) { return lines }
            }
            throw .changed(path: path)
        }
    }

    /// Reads the last lines once.
    /// - Returns: nil if the file became shorter while it was read.
    private func tail(
        _ path: [UInt8], count: Int, limit: Int, _ client: SFTPClient
    ) async throws(SFTPError) -> LinesResult? {
        // The first block has room for lines of 128 bytes. If the lines are longer, the blocks grow.
        var block = max(4096, min(count.multipliedReportingOverflow(by: 128).partialValue, 128 << 10, limit))
        var file = try await open(path, client) { [block] handle, size in
            // A file of /proc says that it is empty, so it is read from its beginning.
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
            // The file has become shorter, so the bytes that were read before are not its end any more.
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
