/// An entry of a directory.
public struct RemoteEntry: Equatable, Sendable {
    /// Any bytes but slash and zero.
    public let name: [UInt8]
    /// Of the entry itself, symlinks not followed.
    public var attributes: SFTPAttributes
    /// Where a symlink points, as it is written; nil for everything else and where it cannot be read.
    public var target: [UInt8]?
}

/// A page of a directory.
public struct ListResult: Equatable, Sendable {
    /// In the order of their names' bytes.
    public let entries: [RemoteEntry]
    /// Entries come behind these.
    public let hasMore: Bool
    /// Of the whole directory, `.` and `..` not counted.
    public let total: Int
}

extension RemoteFiles {
    /// Entries that a directory may have, and bytes of their names.
    static let mostEntries = 1_000_000
    static let mostNameBytes = 256 << 20
    /// Bytes of names and targets in a page.
    static let mostPageBytes = 1 << 20

    /// Lists at most `limit` entries whose names come behind `after`, and fewer where their names and targets are more
    /// than a megabyte. All of the directory is read each time, and only the page is kept.
    ///
    /// - Throws: `.tooManyEntries` above a million entries or 256 MiB of names.
    public func list(
        _ path: [UInt8], after: [UInt8]? = nil, limit: Int, targets: Bool = true
    ) async throws(SFTPError) -> ListResult {
        try await channel.use { client async throws(SFTPError) in
            let resolution = Resolution(client, path, base: base, parent: false)
            let target = try await resolution.path()
            let guess = client.nextHandle()
            let opening = client.send(.opendir(target), about: path)
            var early = guess.map { NamePump(client, handle: $0, path: path) }
            let handle: SFTPHandle
            do throws(SFTPError) {
                handle = try await opening.handle()
            } catch .refused(let status, let call, let path, let message) {
                early = nil
                // OpenSSH has one code for what is missing and what is no directory.
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

    /// The first entries that are not too large together, and at least one.
    private static func fitting(_ entries: [RemoteEntry]) -> ArraySlice<RemoteEntry> {
        var bytes = 0
        let count = entries.prefix { entry in
            bytes += entry.name.count + (entry.target?.count ?? 0)
            return bytes <= mostPageBytes
        }.count
        return entries.prefix(max(1, count))
    }

    /// Asks for what READDIR did not tell. Entries that vanished meanwhile stay as they are.
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
            // What is behind so many is not on the page.
            guard kept <= Self.mostPageBytes else { return }
            let target = try await answer.name()
            kept += target.count
            entries[index].target = target
        }
    }

    /// Up to 64 requests at a time. A refusal leaves its entry out.
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
private struct NamePump {
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

/// The smallest names behind a cursor.
private struct Page {
    private let after: [UInt8]?
    private let limit: Int
    private var kept: [RemoteEntry] = []
    /// The largest name that can still be on the page or the first behind it.
    private var largest: [UInt8]?
    /// Of all names, and of those that are kept.
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

    /// Leaves what can be on the page and one entry behind it.
    /// - Returns: how many of them can be on the page: at most the limit, and no more than a page's bytes of names, but one.
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
