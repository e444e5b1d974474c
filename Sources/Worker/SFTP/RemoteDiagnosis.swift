/// What a host shows of a path that it does not let us use, or of a directory above it.
public struct Standing: Equatable, Sendable {
    /// The path.
    public let path: [UInt8]
    /// Its owner and mode.
    public let attributes: SFTPAttributes
}

/// Finds out why a host refused a request, as far as it lets that be known: version 3 has few codes for it.
extension RemoteFiles {
    /// The error with its cause, if the host tells that. `writes` says whether the call was to change something.
    public func explained(_ error: SFTPError, _ path: [UInt8], writes: Bool) async -> SFTPError {
        switch error {
        case .leaves(let temporary, let inner):
            return .leaves(temporary, await explained(inner, path, writes: writes))
        case .kept(let copy, let inner):
            return .kept(copy, await explained(inner, path, writes: writes))
        case .refused(.permissionDenied, _, _, _):
            let seen = try? await channel.use { client async throws(SFTPError) in await standings(path, client) }
            return .denied(path: path, seen ?? [])
        case .refused(let status, let call, _, let message) where status == .failure || status == .badMessage:
            if let told = SFTPError.told(by: message, path: path) { return told }
            let changes = writes && !Self.looks.contains(call)
            return
                (try? await channel.use { client async throws(SFTPError) in
                    await cause(of: status, path, changes: changes, client)
                }) ?? error
        default: return error
        }
    }

    /// Why a write could not replace the file; nil if it could. Nothing of the file is changed. If it cannot be opened for
    /// writing, a temporary file is made beside it for a moment, because one could take its place.
    public func obstacle(toWriting path: [UInt8]) async -> SFTPError? {
        do throws(SFTPError) {
            try await channel.use { client async throws(SFTPError) in
                let plain = try await withoutParents(path, client)
                let target = try await Resolution(client, plain, base: base, parent: false, always: true).path()
                do throws(SFTPError) {
                    try await client.send(.open(target, .write, SFTPAttributes()), about: path).handle().close().done()
                } catch .refused(let status, let call, let asked, let message) {
                    guard try await canReplace(target, client) else {
                        throw .refused(status, call: call, path: asked, message: message)
                    }
                }
            }
            return nil
        } catch {
            return await explained(error, path, writes: true)
        }
    }

    /// Whether a file can be made beside the target that belongs to the same owner.
    private func canReplace(_ target: [UInt8], _ client: SFTPClient) async throws(SFTPError) -> Bool {
        guard client.offers(.posixRename), let temporary = RemotePath.temporary(beside: target) else { return false }
        let mine = SFTPAttributes(permissions: 0o600)
        do throws(SFTPError) {
            let existing = client.send(.stat(target))
            let handle = try await client.send(.open(temporary, [.write, .create, .exclusive], mine)).handle()
            let made = try? await client.send(.fstat(handle.bytes)).attributes()
            _ = try? await handle.close().done()
            try await client.send(.remove(temporary)).done()
            guard let owner = made?.owner else { return false }
            return try await existing.attributes().owner == owner
        } catch .refused {
            return false
        }
    }

    /// Requests that change nothing.
    private static let looks: Set<String> = [
        "LSTAT", "STAT", "FSTAT", "READ", "OPENDIR", "READDIR", "REALPATH", "READLINK",
    ]

    /// The path and the directories above it that may be asked about, the longest first, at most `lookahead` of them.
    private func prefixes(_ path: [UInt8], _ client: SFTPClient) async -> [[UInt8]] {
        guard let plain = try? await withoutParents(path, client) else { return [] }
        let ends = RemotePath.ends(plain).filter { end in base.map { RemotePath.lies(plain[..<end], in: $0) } ?? true }
        let below = ends.suffix(Self.lookahead).reversed().map { Array(plain[..<$0]) }
        return base == nil && ends.count <= Self.lookahead ? below + [[UInt8(ascii: "/")]] : below
    }

    /// What the host resolves a path to that lies in the base; nil if it does not tell that.
    private func resolved(_ path: [UInt8], _ client: SFTPClient) async -> [UInt8]? {
        try? await Resolution(client, path, base: base, parent: false).path()
    }

    /// The path itself, if the host shows it, and the nearest directory above it that it shows.
    private func standings(_ path: [UInt8], _ client: SFTPClient) async -> [Standing] {
        var seen: [Standing] = []
        for (index, prefix) in await prefixes(path, client).enumerated() {
            guard let target = await resolved(prefix, client),
                let attributes = try? await client.send(.stat(target)).attributes()
            else { continue }
            seen.append(Standing(path: prefix, attributes: attributes))
            if index > 0 { break }
        }
        return seen
    }

    private func cause(
        of status: SFTPStatus, _ path: [UInt8], changes: Bool, _ client: SFTPClient
    ) async -> SFTPError? {
        let space = await space(of: path, client)
        let longest = RemotePath.names(path).map(\.count).max() ?? 0
        let most = space?.longestName ?? 255
        if longest > most { return .nameTooLong(path: path, bytes: longest, most: most) }
        guard changes, let space else { return nil }
        if space.isReadOnly { return .readOnly(path: path) }
        return space.isFull ? .noSpace(path: path) : nil
    }

    /// What the file system of a path tells of itself; nil if the host cannot say that.
    func space(of path: [UInt8], _ client: SFTPClient) async -> RemoteSpace? {
        guard client.offers(.statvfs) else { return nil }
        for prefix in await prefixes(path, client) {
            guard let target = await resolved(prefix, client),
                let reply = try? await client.send(.statvfs(target)).extended()
            else { continue }
            return RemoteSpace(reply)
        }
        return nil
    }
}

/// What statvfs@openssh.com tells of a file system, OpenSSH PROTOCOL section 4.4.
struct RemoteSpace {
    /// No block or no inode is left for this user.
    let isFull: Bool
    /// SSH2_FXE_STATVFS_ST_RDONLY.
    let isReadOnly: Bool
    /// Bytes of the longest name; nil if it is not told.
    let longestName: Int?

    /// Reads the reply; nil if it is too short.
    init?(_ reply: ArraySlice<UInt8>) {
        var reader = WireReader(reply)
        // f_bsize, f_frsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree, f_favail, f_fsid, f_flag, f_namemax.
        var values: [UInt64] = []
        while values.count < 11, let value = try? reader.number64() { values.append(value) }
        guard values.count == 11 else { return nil }
        isFull = values[2] > 0 && values[4] == 0 || values[5] > 0 && values[7] == 0
        isReadOnly = values[9] & 1 != 0
        longestName = values[10] == 0 ? nil : Int(clamping: values[10])
    }
}

extension SFTPError {
    /// The error that the words of the system tell; nil if they tell none of those that have a case here.
    static func told(by message: String, path: [UInt8]) -> SFTPError? {
        if message.contains("ead-only file system") { return .readOnly(path: path) }
        if message.contains("o space left") { return .noSpace(path: path) }
        if message.contains("uota exceeded") { return .quota(path: path) }
        guard message.contains("ame too long") else { return nil }
        return .nameTooLong(path: path, bytes: RemotePath.names(path).map(\.count).max() ?? 0, most: nil)
    }
}
