extension RemoteFiles {
    /// Most entries that a directory may have, and most bytes of their names together.
    static let mostEntries = 1_000_000
    static let mostNameBytes = 256 << 20
    /// Most bytes of names and targets in a page that has more than one entry.
    static let mostPageBytes = 1 << 20

    /// Lists at most `limit` entries whose names come after `after`: fewer if their names and targets have more than 1
    /// MiB. The whole directory is read each time, and only the page is kept.
    ///
    /// - Throws: `.tooManyEntries` if there are more than a million entries or 256 MiB of names.
    public func list(
        _ path: [UInt8], after: [UInt8]? = nil, limit: Int, targets: Bool = true
    ) async throws(SFTPError) -> ListResult {
        try await channel.use { client async throws(SFTPError) in
            let plain = try await withoutParents(path, client)
            let resolution = Resolution(client, plain, base: base, parent: false)
            let target = try await resolution.path()
            let guess = client.nextHandle()
            let opening = client.send(.opendir(target), about: path)
            var early = guess.map { NamePump(client, handle: $0, path: path) }
            let handle: SFTPHandle
            do throws(SFTPError) {
                handle = try await opening.handle()
            } catch .refused(let status, let call, let path, let message) {
                early = nil
                // OpenSSH has one code for a path that is missing and for one that is no directory.
                let type = try await client.send(.stat(target), about: path).attributes().type
                guard type == .directory else { throw .notRegular(type, path: path) }
                throw .refused(status, call: call, path: path, message: message)
            }
            if handle.bytes != guess { early = nil }
            var pump = early ?? NamePump(client, handle: handle.bytes, path: path)
            var page = Page(after: after, limit: max(0, limit))
            while let names = try await pump.next() { try page.append(names) }
            withExtendedLifetime(handle) {}
            var entries = page.finish()
            try await complete(&entries, in: target, targets: targets, client)
            let fitting = Self.fitting(entries)
            return ListResult(
                entries: Array(fitting), hasMore: page.hasMore || fitting.count < entries.count, total: page.total)
        }
    }

    /// The first entries whose names and targets fit into a page, and at least one.
    private static func fitting(_ entries: [RemoteEntry]) -> ArraySlice<RemoteEntry> {
        var bytes = 0
        let count = entries.prefix { entry in
            bytes += entry.name.count + (entry.target?.count ?? 0)
            return bytes <= mostPageBytes
        }.count
        return entries.prefix(max(1, count))
    }

    /// Asks for what READDIR did not tell. Entries that have vanished meanwhile stay as they are.
    private func complete(
        _ entries: inout [RemoteEntry], in directory: [UInt8], targets: Bool, _ client: SFTPClient
    ) async throws(SFTPError) {
        let unknown = entries.indices.filter { entries[$0].attributes.permissions == nil }
        try await each(unknown, client, ask: { client.send(.lstat(RemotePath.join(directory, entries[$0].name))) }) {
            index, answer async throws(SFTPError) in
            entries[index].attributes = try await answer.attributes()
        }
        guard targets else { return }
        let links = entries.indices.filter { entries[$0].attributes.type == .symlink }
        var kept = 0
        try await each(links, client, ask: { client.send(.readlink(RemotePath.join(directory, entries[$0].name))) }) {
            index, answer async throws(SFTPError) in
            // Entries after so many bytes are not on the page.
            guard kept <= Self.mostPageBytes else { return }
            let target = try await answer.name()
            kept += target.count
            entries[index].target = target
        }
    }

    /// Asks for each entry, for up to 64 at a time. An entry whose request is refused stays as it is.
    private func each(
        _ indices: [Int], _ client: SFTPClient, ask: (Int) -> PendingReply,
        take: (Int, PendingReply) async throws(SFTPError) -> Void
    ) async throws(SFTPError) {
        var start = 0
        while start < indices.count {
            let count = client.hasRoom(for: 64 * SFTPRequest.costOfPath) ? 64 : 1
            let batch = indices[start..<min(start + count, indices.count)]
            start += batch.count
            for (index, answer) in zip(batch, batch.map(ask)) {
                do throws(SFTPError) {
                    try await take(index, answer)
                } catch .refused {
                    continue
                }
            }
        }
    }
}

/// Reads the names of an open directory with several READDIRs under way.
struct NamePump {
    private let client: SFTPClient
    private let handle: [UInt8]
    private let path: [UInt8]
    private var queue: [PendingReply] = []
    private var depth = 4

    init(_ client: SFTPClient, handle: [UInt8], path: [UInt8]) {
        self.client = client
        self.handle = handle
        self.path = path
        fill()
    }

    /// The next names; nil at the end of the directory.
    mutating func next() async throws(SFTPError) -> [SFTPName]? {
        guard let names = try await queue.removeFirst().names() else { return nil }
        depth = min(16, depth + 1)
        fill()
        return names
    }

    private mutating func fill() {
        while queue.count < depth, queue.isEmpty || client.hasRoom(for: SFTPRequest.costOfNames) {
            queue.append(client.send(.readdir(handle), about: path))
        }
    }
}

/// Keeps the smallest names after a cursor.
private struct Page {
    private let after: [UInt8]?
    private let limit: Int
    private var kept: [RemoteEntry] = []
    /// Names from this one on are neither on the page nor the first one after it; nil if that is not known yet.
    private var largest: [UInt8]?
    /// Bytes of all names, and of those that are kept.
    private var nameBytes = 0
    private var keptBytes = 0
    private(set) var total = 0
    private(set) var hasMore = false

    init(after: [UInt8]?, limit: Int) {
        self.after = after
        self.limit = min(limit, RemoteFiles.mostEntries)
    }

    mutating func append(_ names: [SFTPName]) throws(SFTPError) {
        for name in names {
            if name.name == [0x2E] || name.name == [0x2E, 0x2E] { continue }
            guard RemotePath.isName(name.name) else {
                throw .broken(detail: "a directory entry whose name is no name")
            }
            total += 1
            nameBytes += name.name.count
            guard total <= RemoteFiles.mostEntries, nameBytes <= RemoteFiles.mostNameBytes else {
                throw .tooManyEntries(limit: RemoteFiles.mostEntries)
            }
            if let after, !precedes(after, name.name) { continue }
            if let largest, !precedes(name.name, largest) { continue }
            kept.append(RemoteEntry(name: name.name, attributes: name.attributes, target: nil))
            keptBytes += name.name.count
            if kept.count > 2 * (limit + 1) || keptBytes > 4 * RemoteFiles.mostPageBytes { cut() }
        }
    }

    /// Drops what cannot be on the page, but for one entry after it.
    /// - Returns: how many of the entries are on the page: at most the limit, and no more than have a page's bytes of
    ///   names, but at least one.
    @discardableResult
    private mutating func cut() -> Int {
        kept.sort { precedes($0.name, $1.name) }
        var bytes = 0
        let fitting = kept.prefix(limit).prefix { entry in
            bytes += entry.name.count
            return bytes <= RemoteFiles.mostPageBytes
        }.count
        let most = min(limit, max(1, fitting))
        if kept.count > most + 1 {
            kept.removeSubrange((most + 1)...)
            largest = kept.last?.name
        }
        keptBytes = kept.reduce(0) { $0 + $1.name.count }
        return most
    }

    mutating func finish() -> [RemoteEntry] {
        let most = cut()
        hasMore = kept.count > most
        return Array(kept.prefix(most))
    }
}
