/// What a write does with a file that exists.
public enum WritePolicy: Equatable, Sendable {
    /// Leave it alone and fail with `.exists`. Of two writers at once, one wins.
    case createOnly
    /// Put the new content in its place.
    case replace
}

/// How a file was written.
public enum WriteMethod: Equatable, Sendable {
    /// It is new.
    case created
    /// A temporary file took its place in one step.
    case replaced
    /// It was overwritten where it is, so that others could see it half written, for the reason told.
    case inPlace(reason: String)
}

/// A file that was written.
public struct WriteResult: Equatable, Sendable {
    /// How.
    public let method: WriteMethod
    /// The file that was written, symlinks resolved.
    public let path: [UInt8]
    /// Its size.
    public let size: UInt64
    /// Hexadecimal, where it was asked for.
    public var sha256: String? = nil
}

/// How to write.
public struct WriteOptions: Sendable {
    /// What to do with a file that exists.
    public var policy: WritePolicy
    /// Permission bits, at most 0777; nil keeps those of a file that exists, and leaves a new one to the host's umask.
    public var mode: UInt32?
    /// Make the directories above it that are missing.
    public var createDirectories: Bool
    /// Fail with `.changed` unless this is what the file contains just before it is replaced.
    public var expected: [UInt8]?
    /// Read back what was written before it takes its place, and fail with `.differs` unless its SHA-256 is that of what
    /// was sent.
    public var verifies = false
    /// Called with the bytes that the host has taken so far and those that were read back, on no particular thread.
    public var progress: @Sendable (UInt64) -> Void = { _ in }

    /// Options of a write.
    public init(
        policy: WritePolicy, mode: UInt32? = nil, createDirectories: Bool = false, expected: [UInt8]? = nil
    ) {
        self.policy = policy
        self.mode = mode.map { $0 & 0o777 }
        self.createDirectories = createDirectories
        self.expected = expected
    }
}

extension RemoteFiles {
    /// Writes a file, see `upload`.
    public func write(
        _ path: [UInt8], _ bytes: [UInt8], _ options: WriteOptions
    ) async throws(SFTPError) -> WriteResult {
        try await upload(to: path, options) { offset, most async throws(SFTPError) in
            bytes.dropFirst(Int(clamping: offset)).prefix(most)
        }
    }

    /// Writes what `source` gives, in constant memory, so that nothing is lost on the way. The content goes into a
    /// temporary sibling, made with CREAT|EXCL, and its size is compared with what was sent. Then it gets the name of a new
    /// file by a hard link, which never takes the place of anything, or with its mode and owner replaces an existing one.
    /// Whatever fails before that removes the sibling; where the connection is gone for good it stays behind, whole or not.
    ///
    /// Where no sibling can take its place, a file that exists is overwritten as it lies, and the result says so; a new one
    /// is made with CREAT|EXCL under its own name. Hard links, ACLs and extended attributes of a replaced file stay behind:
    /// version 3 does not show them.
    public func upload(
        to path: [UInt8], _ options: WriteOptions, from source: @escaping ByteSource
    ) async throws(SFTPError) -> WriteResult {
        try await channel.use { client async throws(SFTPError) in
            let writer = Writer(files: self, client: client, asked: path, options: options, source: source)
            // Between looking and making it, somebody else may have made or removed it.
            for _ in 0..<2 {
                do throws(SFTPError) {
                    return try await writer.write()
                } catch .exists where options.policy == .replace {
                    continue
                }
            }
            return try await writer.write()
        }
    }
}

/// One write; how content gets its name is in RemoteStage.swift.
struct Writer {
    /// Where it goes.
    private struct Spot {
        let target: [UInt8]
        /// Of the file that is there.
        let existing: SFTPAttributes?
    }

    let files: RemoteFiles
    let client: SFTPClient
    let asked: [UInt8]
    let options: WriteOptions
    let source: ByteSource

    func write() async throws(SFTPError) -> WriteResult {
        let spot = try await locate()
        guard let existing = spot.existing else {
            guard options.expected == nil else { throw .changed(path: asked) }
            return try await create(spot.target)
        }
        guard existing.type == .regular else { throw .notRegular(existing.type, path: asked) }
        return try await replace(spot.target, existing)
    }

    private func locate() async throws(SFTPError) -> Spot {
        guard asked.last != UInt8(ascii: "/"), let parts = RemotePath.split(asked) else {
            throw .notRegular(.directory, path: asked)
        }
        let base = files.base
        let parent = Resolution(client, asked, base: base, parent: true, always: true)
        let whole = Resolution(client, asked, base: base, parent: false, always: true)
        let link = client.send(.lstat(asked))
        let file = client.send(.stat(asked))
        let type: FileType
        do throws(SFTPError) {
            let target = try await parent.path()
            do throws(SFTPError) {
                type = try await link.attributes().type
            } catch .refused(.noSuchFile, _, _, _) {
                guard options.createDirectories else { return Spot(target: target, existing: nil) }
                try await files.makeDirectories(parts.directory, client)
                let made = Resolution(client, asked, base: base, parent: true, always: true)
                return Spot(target: try await made.path(), existing: nil)
            }
        } catch .refused(.noSuchFile, call: "REALPATH", _, _) where options.createDirectories {
            try await files.makeDirectories(parts.directory, client)
            let made = Resolution(client, asked, base: base, parent: true, always: true)
            return Spot(target: try await made.path(), existing: nil)
        }
        guard options.policy == .replace else { throw .exists(type, path: asked) }
        let target = try await whole.path()
        do throws(SFTPError) {
            return Spot(target: target, existing: try await file.attributes())
        } catch .refused(.noSuchFile, _, _, _) where type == .symlink {
            // It points to what does not exist, so that is what is made.
            return Spot(target: target, existing: nil)
        }
    }

    // MARK: In place

    /// Between this and what follows it, a writer of somebody else can still come: version 3 has no lock.
    func expectUnchanged(_ target: [UInt8]) async throws(SFTPError) {
        guard let expected = options.expected else { return }
        let files = RemoteFiles(channel: files.channel)
        guard try await files.read(target, .head(expected.count + 1)).bytes == expected else {
            throw .changed(path: asked)
        }
    }

    /// Writes over the file as it lies. What goes beyond its present end is written first: where the disk is full, that is
    /// taken back and nothing is lost.
    func overwrite(_ target: [UInt8], reason: String) async throws(SFTPError) -> WriteResult {
        let turn = try await files.channel.replacing.wait(for: target)
        defer { withExtendedLifetime(turn) {} }
        try await expectUnchanged(target)
        let flags: SFTPRequest.OpenFlags = options.verifies ? [.read, .write] : .write
        let handle = try await client.send(.open(target, flags, SFTPAttributes()), about: asked).handle()
        let existing = try await client.send(.fstat(handle.bytes), about: asked).attributes()
        guard existing.type == .regular else { throw .notRegular(existing.type, path: asked) }
        let old = existing.size ?? 0
        var pump = WritePump(client, handle, source: source, progress: options.progress)
        let end: UInt64
        do throws(SFTPError) {
            end = try await pump.send(from: old, to: .max)
            try await pump.drain()
            // A shell takes bytes before they are written; what it answers next tells whether they are.
            _ = try await client.send(.fstat(handle.bytes), about: asked).attributes()
        } catch {
            let error = await diagnosed(error, target)
            let restoring = HostOperation.$current.withValue(HostOperation(client.patience)) {
                client.send(.fsetstat(handle.bytes, SFTPAttributes(size: old)), about: asked)
            }
            _ = await Task { try? await restoring.done() }.value
            throw error
        }
        // From here on a call that is cancelled would leave half of both, so it is not any more.
        let finishing = Task { [pump, end] in await overwriteBeginning(handle, pump, old: old, end: end) }
        let (size, sha256) = try await finishing.value.get()
        return WriteResult(method: .inPlace(reason: reason), path: target, size: size, sha256: sha256)
    }

    private func overwriteBeginning(
        _ handle: SFTPHandle, _ pump: WritePump, old: UInt64, end: UInt64
    ) async -> Result<(size: UInt64, sha256: String?), SFTPError> {
        var pump = pump
        do throws(SFTPError) {
            let reached = try await pump.send(from: 0, to: old)
            let size = end == old ? reached : end
            return .success((size, try await finish(handle, &pump, size)))
        } catch {
            return .failure(damage(error))
        }
    }

    /// What went wrong with a file that is half of both now.
    private func damage(_ error: SFTPError) -> SFTPError {
        switch error {
        case .refused(let status, let call, _, let message):
            .damaged(path: asked, detail: "\(call): \(message.isEmpty ? "\(status)" : message)")
        case .local(let detail): .damaged(path: asked, detail: detail)
        case .differs: .damaged(path: asked, detail: "what was read back is not what was sent")
        default: error
        }
    }

    /// Cuts the file to its new size and judges what the host has of it.
    private func finish(
        _ handle: SFTPHandle, _ pump: inout WritePump, _ size: UInt64
    ) async throws(SFTPError) -> String? {
        var attributes = SFTPAttributes(size: size)
        attributes.permissions = options.mode
        let setting = client.send(.fsetstat(handle.bytes, attributes), about: asked)
        let sync = synchronize(handle)
        let fstat = client.send(.fstat(handle.bytes), about: asked)
        try await pump.drain()
        try await setting.done()
        try await settled(sync)
        // It was not sent from its beginning to its end, so the source is read once more.
        let sha256 = options.verifies ? try await digestOfSource() : nil
        try await check(handle, try await fstat.attributes(), size: size, sha256: sha256)
        try await handle.close().done()
        return sha256
    }

    private func digestOfSource() async throws(SFTPError) -> String {
        var digest = SHA256()
        var offset: UInt64 = 0
        while true {
            let bytes = try await source(offset, SFTPClient.Limits.longest)
            if bytes.isEmpty { return digest.finish() }
            digest.update(bytes)
            offset += UInt64(bytes.count)
        }
    }

    // MARK: Parts of all

    /// Throws unless the host's file is what was sent, as far as it tells.
    func check(
        _ handle: SFTPHandle, _ attributes: SFTPAttributes, size: UInt64, sha256: String?
    ) async throws(SFTPError) {
        guard attributes.size ?? size == size else { throw .differs(path: asked) }
        guard let sha256 else { return }
        let back = try await client.sha256(of: handle, size: size) { options.progress(size + $0) }
        guard back == sha256 else { throw .differs(path: asked) }
    }

    func synchronize(_ handle: SFTPHandle) -> PendingReply? {
        client.offers(.fsync) ? client.send(.fsync(handle.bytes), about: asked) : nil
    }

    func settled(_ sync: PendingReply?) async throws(SFTPError) {
        do throws(SFTPError) {
            try await sync?.done()
        } catch .refused(.unsupported, _, _, _), .refused(.badMessage, _, _, _) {
            // File systems that cannot, fsync(2) EINVAL.
            return
        }
    }

    /// OpenSSH has no code of its own for a full disk, so the file system is asked.
    func diagnosed(_ error: SFTPError, _ target: [UInt8]) async -> SFTPError {
        guard case .refused(.failure, _, _, _) = error, client.offers(.statvfs),
            let directory = RemotePath.split(target)?.directory,
            let reply = try? await client.send(.statvfs(directory)).extended()
        else { return error }
        var reader = WireReader(reply)
        // f_bsize, f_frsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree, f_favail: OpenSSH PROTOCOL section 4.4.
        var values: [UInt64] = []
        while values.count < 8, let value = try? reader.number64() { values.append(value) }
        guard values.count == 8 else { return error }
        let full = values[2] > 0 && values[4] == 0 || values[5] > 0 && values[7] == 0
        return full ? .noSpace(path: asked) : error
    }

    /// Removes what this write made, also when its task is cancelled or its time is over, and over a new connection where
    /// this one is lost. A host that has just been silent is not waited for once more.
    func remove(_ path: [UInt8]) async {
        let channel = files.channel
        let operation = HostOperation(client.patience)
        let removing = HostOperation.$current.withValue(operation) { client.send(.remove(path)) }
        let again = await Task { () -> Task<Void, Never>? in
            do throws(SFTPError) {
                try await removing.done()
                return nil
            } catch .refused {
                return nil
            } catch {
                let trying = Task {
                    _ = try? await channel.use { client async throws(SFTPError) in
                        try await client.send(.remove(path)).done()
                    }
                }
                if case .silent = error { return nil }
                return trying
            }
        }.value
        await again?.value
    }
}
