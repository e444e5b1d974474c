internal import IPC

/// What a write does with a file that exists.
public enum WritePolicy: Equatable, Sendable {
    /// Leaves the file alone and fails with `.exists`. If two writers do this at once, one succeeds.
    case createOnly
    /// Puts the new content in its place.
    case replace
}

/// How a file was written.
public enum WriteMethod: Equatable, Sendable {
    /// The file is new.
    case created
    /// A temporary file took the place of the file in one step.
    case replaced
    /// The file was overwritten in place, for this reason. Others could see it half written.
    case inPlace(reason: String)
}

/// A file that was written.
public struct WriteResult: Equatable, Sendable {
    /// How it was written.
    public let method: WriteMethod
    /// The path of the file that was written, symlinks resolved.
    public let path: [UInt8]
    /// Its size in bytes.
    public let size: UInt64
    /// SHA-256 of the content in hexadecimal, if it was asked for.
    public var sha256: String? = nil
}

/// How to write a file.
public struct WriteOptions: Sendable {
    /// What to do with a file that exists.
    public var policy: WritePolicy
    /// Permission bits, at most 0777. nil keeps those of a file that exists, and leaves those of a new one to the
    /// host's umask.
    public var mode: UInt32?
    /// Whether to make the directories above it that are missing.
    public var createDirectories: Bool
    /// What the file must contain just before it is replaced, else the write fails with `.changed`; nil for any
    /// content.
    public var expected: [UInt8]?
    /// Whether to read back what was written, before the file gets its name if it can be written under another one. The
    /// write fails with `.differs` unless the SHA-256 is that of what was sent, or with `.damaged` if the file was
    /// overwritten in place.
    public var verifies = false
    /// Called with the number of bytes that the host has taken or that were read back so far, on any thread.
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

    /// Writes what `source` gives, in constant memory, so that a failure loses nothing. The content goes into a
    /// temporary file beside the target, made with CREAT|EXCL, and its size is compared with what was sent. Then the
    /// temporary file gets the name of a new file by a hard link, which never replaces anything, or it takes the mode
    /// and owner of an existing file and replaces that. A failure before that removes the temporary file; if the
    /// connection is lost for good, it stays behind, whole or not.
    ///
    /// If no temporary file can take the place of the target, an existing file is overwritten in place, and the result
    /// says so; a new one is made with CREAT|EXCL under its own name. The hard links, ACLs and extended attributes of a
    /// replaced file do not pass to the new one: version 3 does not show them.
    public func upload(
        to path: [UInt8], _ options: WriteOptions, from source: @escaping ByteSource
    ) async throws(SFTPError) -> WriteResult {
        try await channel.use { client async throws(SFTPError) in
            let plain = try await withoutParents(path, client)
            let writer = Writer(files: self, client: client, asked: plain, options: options, source: source)
            var made: [[UInt8]] = []
            do throws(SFTPError) {
                // Another process may make or remove the file between the look at it and the write.
                for _ in 0..<2 {
                    do throws(SFTPError) {
                        return try await writer.write(&made)
                    } catch .exists where options.policy == .replace {
                        continue
                    }
                }
                return try await writer.write(&made)
            } catch {
                // What others have put something into since then stays.
                for directory in made.reversed() { await writer.remove(.rmdir(directory)) }
                throw error
            }
        }
    }
}

/// One write. RemoteStage.swift gives the content its name.
struct Writer {
    /// Where the content goes.
    private struct Spot {
        let target: [UInt8]
        /// Attributes of the file that is there; nil if there is none.
        let existing: SFTPAttributes?
    }

    let files: RemoteFiles
    let client: SFTPClient
    let asked: [UInt8]
    let options: WriteOptions
    let source: ByteSource

    /// Writes it once. Directories that it made are put behind `made`.
    func write(_ made: inout [[UInt8]]) async throws(SFTPError) -> WriteResult {
        let spot = try await locate(&made)
        guard let existing = spot.existing else {
            guard options.expected == nil else { throw .changed(path: asked) }
            return try await create(spot.target)
        }
        guard existing.type == .regular else { throw .notRegular(existing.type, path: asked) }
        return try await replace(spot.target, existing)
    }

    /// Finds out where the content goes and what is there, and makes missing directories if that is wanted.
    private func locate(_ made: inout [[UInt8]]) async throws(SFTPError) -> Spot {
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
                try await files.makeDirectories(parts.directory, client, made: &made)
                let whole = Resolution(client, asked, base: base, parent: true, always: true)
                return Spot(target: try await whole.path(), existing: nil)
            }
        } catch .refused(.noSuchFile, call: "REALPATH", _, _) where options.createDirectories {
            try await files.makeDirectories(parts.directory, client, made: &made)
            let whole = Resolution(client, asked, base: base, parent: true, always: true)
            return Spot(target: try await whole.path(), existing: nil)
        }
        guard options.policy == .replace else { throw .exists(type, path: asked) }
        let target = try await whole.path()
        do throws(SFTPError) {
            return Spot(target: target, existing: try await file.attributes())
        } catch .refused(.noSuchFile, _, _, _) where type == .symlink {
            // The symlink points to a path that does not exist, so the file is made there.
            return Spot(target: target, existing: nil)
        }
    }

    // MARK: In place

    /// Throws `.changed` unless the file has the content that is expected. Another program on the host can still write
    /// to it between this and what follows: version 3 has no lock.
    func expectUnchanged(_ target: [UInt8]) async throws(SFTPError) {
        guard let expected = options.expected else { return }
        let files = RemoteFiles(channel: files.channel)
        guard try await files.read(target, .head(expected.count + 1)).bytes == expected else {
            throw .changed(path: asked)
        }
    }

    /// Overwrites the file in place. What goes beyond its present end is written first: if the disk is full, that is
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
            // A shell takes bytes before they are written. Its next answer tells whether they were.
            _ = try await client.send(.fstat(handle.bytes), about: asked).attributes()
        } catch {
            let error = await diagnosed(error, target)
            let restoring = HostOperation.$current.withValue(HostOperation(client.patience)) {
                client.send(.fsetstat(handle.bytes, SFTPAttributes(size: old)), about: asked)
            }
            _ = await Task { try? await restoring.done() }.value
            throw error
        }
        // A call that is cancelled from here on would leave a mix of old and new content, so the rest is written all
        // the same.
        let finishing = Task { [pump, end] in await overwriteBeginning(handle, pump, old: old, end: end) }
        let (size, sha256) = try await finishing.value.get()
        return WriteResult(method: .inPlace(reason: reason), path: target, size: size, sha256: sha256)
    }

    /// Overwrites the first `old` bytes; what follows them is written already.
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

    /// The error for a file that has some of its old and some of its new content.
    private func damage(_ error: SFTPError) -> SFTPError {
        switch error {
        case .refused(let status, let call, _, let message):
            .damaged(path: asked, detail: "\(call): \(message.isEmpty ? "\(status)" : message)")
        case .local(let detail): .damaged(path: asked, detail: detail)
        case .notTaken: .damaged(path: asked, detail: "no session began to take the rest of it")
        case .differs: .damaged(path: asked, detail: "what was read back is not what was sent")
        default: error
        }
    }

    /// Cuts the file to its new size, and judges what the host has of it.
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
        // The content was not sent from its beginning to its end, so the source is read once more.
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

    // MARK: Steps of every write

    /// Throws unless the host's file is what was sent, as far as the host tells.
    func check(
        _ handle: SFTPHandle, _ attributes: SFTPAttributes, size: UInt64, sha256: String?
    ) async throws(SFTPError) {
        guard attributes.size ?? size == size else { throw .differs(path: asked) }
        guard let sha256 else { return }
        let back = try await client.sha256(of: handle, size: size) { options.progress(size + $0) }
        guard back == sha256 else { throw .differs(path: asked) }
    }

    /// Asks the host to write the file down to the disk, if the server can do that.
    func synchronize(_ handle: SFTPHandle) -> PendingReply? {
        client.offers(.fsync) ? client.send(.fsync(handle.bytes), about: asked) : nil
    }

    func settled(_ sync: PendingReply?) async throws(SFTPError) {
        do throws(SFTPError) {
            try await sync?.done()
        } catch .refused(.unsupported, _, _, _), .refused(.badMessage, _, _, _) {
            // Some file systems cannot synchronize, fsync(2) EINVAL.
            return
        }
    }

    /// Returns `.noSpace` for a failure on a full file system, else the error. OpenSSH has no code of its own for a
    /// full disk, so the file system is asked.
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

    /// Removes what this write made, also if its task is cancelled or its time is over. If the connection is lost, it
    /// tries again over a new one, but does not wait for that if the host has just been silent.
    func remove(_ path: [UInt8]) async { await remove(.remove(path)) }

    /// The same for what it made with another request.
    fileprivate func remove(_ request: SFTPRequest) async {
        let channel = files.channel
        let operation = HostOperation(client.patience)
        let removing = HostOperation.$current.withValue(operation) { client.send(request) }
        let again = await Task { () -> Task<Void, Never>? in
            do throws(SFTPError) {
                try await removing.done()
                return nil
            } catch .refused {
                return nil
            } catch {
                let trying = Task {
                    _ = try? await channel.use { client async throws(SFTPError) in
                        try await client.send(request).done()
                    }
                }
                if case .silent = error { return nil }
                return trying
            }
        }.value
        await again?.value
    }
}
