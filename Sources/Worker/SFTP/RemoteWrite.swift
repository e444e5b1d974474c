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
}

/// How to write.
public struct WriteOptions: Sendable {
    /// What to do with a file that exists.
    public var policy: WritePolicy
    /// Permission bits; nil keeps those of a file that exists, and leaves a new one to the host's umask.
    public var mode: UInt32?
    /// Make the directories above it that are missing.
    public var createDirectories: Bool
    /// Fail with `.changed` unless this is what the file contains just before it is replaced.
    public var expected: [UInt8]?
    /// Called with the bytes that the host has taken so far, on no particular thread.
    public var progress: @Sendable (UInt64) -> Void = { _ in }

    /// Options of a write.
    public init(
        policy: WritePolicy, mode: UInt32? = nil, createDirectories: Bool = false, expected: [UInt8]? = nil
    ) {
        self.policy = policy
        self.mode = mode.map { $0 & 0o7777 }
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

    /// Writes what `source` gives, in constant memory, so that nothing is lost on the way: a new file is made with
    /// CREAT|EXCL and removed again where it cannot be completed; an existing one is replaced by a temporary sibling of the
    /// same mode and owner, which is removed where that fails. Where no sibling can take its place the file is overwritten
    /// as it lies, and the result says so. Hard links, ACLs and extended attributes of a replaced file stay behind: version
    /// 3 does not show them.
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

/// One write.
private struct Writer {
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
        guard let parts = RemotePath.split(asked) else { throw .notRegular(.directory, path: asked) }
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

    // MARK: New files

    private func create(_ target: [UInt8]) async throws(SFTPError) -> WriteResult {
        let opening = client.send(
            .open(target, [.write, .create, .exclusive], SFTPAttributes(permissions: options.mode)), about: asked)
        let handle: SFTPHandle
        do throws(SFTPError) {
            handle = try await opening.handle()
        } catch .refused(.failure, let call, let path, let message) {
            // OpenSSH has no code of its own for a file that exists.
            if let type = try? await client.send(.lstat(target)).attributes().type { throw .exists(type, path: asked) }
            throw await diagnosed(.refused(.failure, call: call, path: path, message: message), target)
        }
        do throws(SFTPError) {
            var pump = WritePump(client, handle, source: source, progress: options.progress)
            let size = try await pump.send(from: 0, to: .max)
            let mode = options.mode.map {
                client.send(.fsetstat(handle.bytes, SFTPAttributes(permissions: $0)), about: asked)
            }
            let sync = synchronize(handle)
            let closing = handle.close()
            try await pump.drain()
            try await mode?.done()
            try await settled(sync)
            try await closing.done()
            return WriteResult(method: .created, path: target, size: size)
        } catch {
            let error = await diagnosed(error, target)
            await remove(target)
            throw error
        }
    }

    // MARK: Existing files

    private func replace(_ target: [UInt8], _ existing: SFTPAttributes) async throws(SFTPError) -> WriteResult {
        guard client.offers(.posixRename) else {
            return try await overwrite(target, reason: "the server does not offer posix-rename@openssh.com")
        }
        guard let temporary = RemotePath.temporary(beside: target) else { throw .notRegular(.directory, path: asked) }
        let handle: SFTPHandle
        do throws(SFTPError) {
            let mine = SFTPAttributes(permissions: 0o600)
            handle = try await client.send(.open(temporary, [.write, .create, .exclusive], mine), about: asked).handle()
        } catch .refused(let status, let call, let path, let message) {
            let error = await diagnosed(.refused(status, call: call, path: path, message: message), target)
            guard case .refused = error else { throw error }
            return try await overwrite(target, reason: "no file can be made beside it")
        }
        let reason: String
        do throws(SFTPError) {
            switch try await fill(handle, as: existing, target, temporary) {
            case .success(let size): return WriteResult(method: .replaced, path: target, size: size)
            case .failure(let obstacle): reason = obstacle.reason
            }
        } catch {
            let error = await diagnosed(error, target)
            await remove(temporary)
            throw error
        }
        await remove(temporary)
        return try await overwrite(target, reason: reason)
    }

    /// Why no other file can take the place of one.
    private struct Obstacle: Error {
        let reason: String
    }

    /// Writes the temporary file and puts it in the target's place.
    private func fill(
        _ handle: SFTPHandle, as existing: SFTPAttributes, _ target: [UInt8], _ temporary: [UInt8]
    ) async throws(SFTPError) -> Result<UInt64, Obstacle> {
        let mode = SFTPAttributes(permissions: options.mode ?? existing.permissions.map { $0 & 0o7777 })
        let fstat = client.send(.fstat(handle.bytes), about: asked)
        var pump = WritePump(client, handle, source: source, progress: options.progress)
        let size = try await pump.send(from: 0, to: .max)
        let modeSet = client.send(.fsetstat(handle.bytes, mode), about: asked)
        let sync = synchronize(handle)
        let own = try await fstat.attributes()
        try await pump.drain()
        try await modeSet.done()
        if let wanted = existing.owner, own.owner != wanted {
            do throws(SFTPError) {
                try await client.send(.fsetstat(handle.bytes, SFTPAttributes(owner: wanted)), about: asked).done()
                // A change of the owner takes the set-id bits away.
                try await client.send(.fsetstat(handle.bytes, mode), about: asked).done()
            } catch .refused {
                return .failure(Obstacle(reason: "a new file in its place would not belong to its owner and group"))
            }
        }
        try await settled(sync)
        try await handle.close().done()
        try await expectUnchanged(target)
        do throws(SFTPError) {
            try await client.send(.posixRename(temporary, to: target), about: asked).done()
        } catch .refused {
            return .failure(Obstacle(reason: "no other file can be put in its place"))
        }
        return .success(size)
    }

    private func expectUnchanged(_ target: [UInt8]) async throws(SFTPError) {
        guard let expected = options.expected else { return }
        let files = RemoteFiles(channel: files.channel)
        guard try await files.read(target, .head(expected.count + 1)).bytes == expected else {
            throw .changed(path: asked)
        }
    }

    /// Writes over the file as it lies. What goes beyond its present end is written first: where the disk is full, that is
    /// taken back and nothing is lost.
    private func overwrite(_ target: [UInt8], reason: String) async throws(SFTPError) -> WriteResult {
        try await expectUnchanged(target)
        let handle = try await client.send(.open(target, .write, SFTPAttributes()), about: asked).handle()
        let existing = try await client.send(.fstat(handle.bytes), about: asked).attributes()
        guard existing.type == .regular else { throw .notRegular(existing.type, path: asked) }
        let old = existing.size ?? 0
        var pump = WritePump(client, handle, source: source, progress: options.progress)
        var end: UInt64
        do throws(SFTPError) {
            end = try await pump.send(from: old, to: .max)
            try await pump.drain()
        } catch {
            let error = await diagnosed(error, target)
            let restoring = client.send(.fsetstat(handle.bytes, SFTPAttributes(size: old)), about: asked)
            _ = await Task { try? await restoring.done() }.value
            throw error
        }
        let reached = try await pump.send(from: 0, to: old)
        if end == old { end = reached }
        var attributes = SFTPAttributes(size: end)
        attributes.permissions = options.mode
        let setting = client.send(.fsetstat(handle.bytes, attributes), about: asked)
        let sync = synchronize(handle)
        let closing = handle.close()
        try await pump.drain()
        try await setting.done()
        try await settled(sync)
        try await closing.done()
        return WriteResult(method: .inPlace(reason: reason), path: target, size: end)
    }

    // MARK: Parts of both

    private func synchronize(_ handle: SFTPHandle) -> PendingReply? {
        client.offers(.fsync) ? client.send(.fsync(handle.bytes), about: asked) : nil
    }

    private func settled(_ sync: PendingReply?) async throws(SFTPError) {
        do throws(SFTPError) {
            try await sync?.done()
        } catch .refused(.unsupported, _, _, _), .refused(.badMessage, _, _, _) {
            // File systems that cannot, fsync(2) EINVAL.
            return
        }
    }

    /// OpenSSH has no code of its own for a full disk, so the file system is asked.
    private func diagnosed(_ error: SFTPError, _ target: [UInt8]) async -> SFTPError {
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

    /// Removes what this write made, also when its task is cancelled, and over a new connection where this one is lost.
    private func remove(_ path: [UInt8]) async {
        let removing = client.send(.remove(path))
        let channel = files.channel
        await Task {
            do throws(SFTPError) {
                try await removing.done()
            } catch .refused {
                return
            } catch {
                try? await channel.use { client async throws(SFTPError) in try await client.send(.remove(path)).done() }
            }
        }.value
    }
}
