internal import IPC

/// One write. WriterStage.swift writes new files and gives them their names, WriterInPlace.swift overwrites files that exist.
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
        if let existing = spot.existing {
            guard existing.type == .regular else { throw .notRegular(existing.type, path: asked) }
        } else if options.expected != nil {
            throw .changed(path: asked)
        }
        guard let existing = spot.existing else {
            let result = try await create(spot.target)
            files.sweepBeside(result.path, client)
            return result
        }
        let looking = look(spot.target)
        do throws(SFTPError) {
            let result = try await replace(spot.target, existing, looking)
            files.sweepBeside(result.path, client, always: true, looking)
            return result
        } catch {
            looking?.cancel()
            throw error
        }
    }

    /// Looks at the directory of a file beside the write, for its ties. A shell tells them of the file alone.
    private func look(_ target: [UInt8]) -> Task<Surroundings?, Never>? {
        guard client.way == .sftp, let (directory, name) = RemotePath.split(target) else { return nil }
        return Task { [files, client] in await files.surroundings(of: name, in: directory, client) }
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

    /// Returns `.noSpace` or `.readOnly` for a failure on a file system that says so, else the error. OpenSSH has no code of its own
    /// for either, so the file system is asked, as long as what was written is still there.
    func diagnosed(_ error: SFTPError, _ target: [UInt8]) async -> SFTPError {
        guard case .refused(.failure, _, _, let message) = error else { return error }
        if let told = SFTPError.told(by: message, path: asked) { return told }
        guard client.offers(.statvfs), let directory = RemotePath.split(target)?.directory,
            let reply = try? await client.send(.statvfs(directory)).extended(), let space = RemoteSpace(reply)
        else { return error }
        return space.isReadOnly ? .readOnly(path: asked) : space.isFull ? .noSpace(path: asked) : error
    }

    /// Removes what this write made, also if its task is cancelled or its time is over. If the connection is lost, it
    /// tries again over a new one, but does not wait for that if the host has just been silent.
    /// - Returns: whether it is gone.
    @discardableResult func remove(_ path: [UInt8]) async -> Bool { await remove(.remove(path)) }

    /// Removes a file that this write made and that it failed to finish.
    /// - Returns: the error to throw, which names the file if it may have stayed.
    func dropping(_ path: [UInt8], _ error: SFTPError) async -> SFTPError {
        guard await !remove(path) else { return error }
        switch error {
        // Another process took the name meanwhile, and the write is tried again.
        case .exists: return error
        default: return .leaves(path, error)
        }
    }

    /// The same for what it made with another request.
    @discardableResult func remove(_ request: SFTPRequest) async -> Bool {
        let channel = files.channel
        let operation = HostOperation(client.patience)
        let removing = HostOperation.$current.withValue(operation) { client.send(request) }
        return await Task { () -> Bool in
            do throws(SFTPError) {
                try await removing.done()
                return true
            } catch .refused(let status, _, _, _) {
                return status == .noSuchFile
            } catch {
                let trying = Task { () -> Bool in
                    do throws(SFTPError) {
                        try await channel.use { client async throws(SFTPError) in
                            try await client.send(request).done()
                        }
                        return true
                    } catch .refused(.noSuchFile, _, _, _) {
                        return true
                    } catch {
                        return false
                    }
                }
                if case .silent = error { return false }
                return await trying.value
            }
        }.value
    }
}
