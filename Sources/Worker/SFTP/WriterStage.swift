internal import IPC

/// Gives content its name: all of it, or none.
extension Writer {
    /// Why a temporary file cannot take the place of the existing one.
    private struct Obstacle: Error {
        let reason: String
        /// Whether a copy of the old content can be made beside the file, and is to be kept while it is overwritten.
        var keepsCopy = false
    }

    /// What was written to a file.
    private struct Staged {
        let size: UInt64
        let sha256: String?
        let attributes: SFTPAttributes
    }

    private var creating: SFTPRequest.OpenFlags {
        options.verifies ? [.read, .write, .create, .exclusive] : [.write, .create, .exclusive]
    }

    /// Attributes of a new file while it is written. It gets its own mode afterwards, because a shell could not write
    /// to a file of mode 0444.
    ///
    /// `permissions` less the umask are what the host makes of them. The owner's own are there in any case while it is written.
    private var beginning: SFTPAttributes {
        SFTPAttributes(permissions: options.mode.map { _ in 0o600 } ?? options.permissions.map { $0 | 0o600 })
    }

    // MARK: New files

    /// Makes a file where there is none.
    func create(_ target: [UInt8]) async throws(SFTPError) -> WriteResult {
        guard client.offers(.hardlink), client.offers(.posixRename),
            let temporary = RemotePath.temporary(beside: target)
        else { return try await createDirectly(target) }
        let handle: SFTPHandle
        do throws(SFTPError) {
            handle = try await client.send(.open(temporary, creating, beginning), about: asked).handle()
        } catch .refused {
            // The file may be allowed under its own name; if not, that error tells better why.
            return try await createDirectly(target)
        }
        do throws(SFTPError) {
            let staged = try await stage(handle, SFTPAttributes(permissions: options.mode))
            try await withdraw(handle, staged.attributes)
            try await name(temporary, target, closing: handle)
            return WriteResult(method: .created, path: target, size: staged.size, sha256: staged.sha256)
        } catch {
            throw await dropping(temporary, await diagnosed(error, target))
        }
    }

    /// Takes away what only the writing of a new file needed of its permissions.
    private func withdraw(_ handle: SFTPHandle, _ attributes: SFTPAttributes) async throws(SFTPError) {
        guard options.mode == nil, let wanted = options.permissions, let given = attributes.permissions,
            given & 0o777 & ~wanted != 0
        else { return }
        let mode = SFTPAttributes(permissions: given & wanted & 0o777)
        try await client.send(.fsetstat(handle.bytes, mode), about: asked).done()
    }

    /// Closes a finished file, and gives it its name, unless another file has it.
    private func name(_ temporary: [UInt8], _ target: [UInt8], closing handle: SFTPHandle) async throws(SFTPError) {
        let closing = handle.close()
        // Over a shell another session writes the content. Over SFTP both are asked in one round trip: what was written is on the
        // disk by now, as the host says.
        let isTogether = client.way == .sftp
        if !isTogether { try await closing.done() }
        let linking = client.send(.hardlink(temporary, to: target), about: asked)
        if isTogether {
            do throws(SFTPError) {
                try await closing.done()
            } catch {
                if (try? await linking.done()) != nil { throw await dropping(target, error) }
                throw error
            }
        }
        do throws(SFTPError) {
            try await linking.done()
            await remove(temporary)
            return
        } catch .refused {
            if let type = try? await client.send(.lstat(target)).attributes().type { throw .exists(type, path: asked) }
        }
        // The file system has no hard links. An empty file takes the name, and the finished file then replaces that.
        try await reserve(target).close().done()
        do throws(SFTPError) {
            try await client.send(.posixRename(temporary, to: target), about: asked).done()
        } catch {
            throw await dropping(target, error)
        }
    }

    /// Makes an empty file under the target's name, unless something has that name.
    private func reserve(_ target: [UInt8]) async throws(SFTPError) -> SFTPHandle {
        do throws(SFTPError) {
            return try await client.send(.open(target, creating, beginning), about: asked).handle()
        } catch .refused(.failure, let call, let path, let message) {
            // OpenSSH has no code of its own for a file that exists.
            if let type = try? await client.send(.lstat(target)).attributes().type { throw .exists(type, path: asked) }
            throw await diagnosed(.refused(.failure, call: call, path: path, message: message), target)
        }
    }

    /// Makes the file under its own name, and removes it if the write fails.
    private func createDirectly(_ target: [UInt8]) async throws(SFTPError) -> WriteResult {
        let handle = try await reserve(target)
        do throws(SFTPError) {
            let staged = try await stage(handle, SFTPAttributes(permissions: options.mode))
            try await withdraw(handle, staged.attributes)
            try await handle.close().done()
            return WriteResult(method: .created, path: target, size: staged.size, sha256: staged.sha256)
        } catch {
            throw await dropping(target, await diagnosed(error, target))
        }
    }

    // MARK: Existing files

    /// Replaces an existing file with another one.
    /// - Parameter looking: looks at its directory meanwhile.
    func replace(
        _ target: [UInt8], _ existing: SFTPAttributes, _ looking: Task<Surroundings?, Never>?
    ) async throws(SFTPError) -> WriteResult {
        guard client.offers(.posixRename) else {
            return try await overwrite(target, reason: "the server does not offer posix-rename@openssh.com")
        }
        guard let temporary = RemotePath.temporary(beside: target) else { throw .notRegular(.directory, path: asked) }
        let handle: SFTPHandle
        do throws(SFTPError) {
            let mine = SFTPAttributes(permissions: 0o600)
            handle = try await client.send(.open(temporary, creating, mine), about: asked).handle()
        } catch .refused(let status, let call, let path, let message) {
            let error = await diagnosed(.refused(status, call: call, path: path, message: message), target)
            guard case .refused = error else { throw error }
            return try await overwrite(target, reason: "no file can be made beside it")
        }
        let obstacle: Obstacle
        do throws(SFTPError) {
            switch try await exchange(handle, temporary, target, existing, looking) {
            case .success(let result): return result
            case .failure(let found): obstacle = found
            }
        } catch {
            throw await dropping(temporary, await diagnosed(error, target))
        }
        await remove(temporary)
        return obstacle.keepsCopy
            ? try await overwriteKeepingCopy(target, reason: obstacle.reason)
            : try await overwrite(target, reason: obstacle.reason)
    }

    /// Writes the temporary file and gives it the mode and owner of the existing one, and its name.
    private func exchange(
        _ handle: SFTPHandle, _ temporary: [UInt8], _ target: [UInt8], _ existing: SFTPAttributes,
        _ looking: Task<Surroundings?, Never>?
    ) async throws(SFTPError) -> Result<WriteResult, Obstacle> {
        let mode = SFTPAttributes(permissions: options.mode ?? existing.permissions.map { $0 & 0o7777 })
        let staged = try await stage(handle, mode)
        if let wanted = existing.owner, staged.attributes.owner != wanted {
            do throws(SFTPError) {
                try await client.send(.fsetstat(handle.bytes, SFTPAttributes(owner: wanted)), about: asked).done()
                // A change of the owner clears the set-id bits.
                try await client.send(.fsetstat(handle.bytes, mode), about: asked).done()
            } catch .refused {
                return .failure(Obstacle(reason: "a new file in its place would not belong to its owner and group"))
            }
        }
        try await handle.close().done()
        if let reason = await ties(of: target, looking).reason {
            return .failure(Obstacle(reason: reason, keepsCopy: true))
        }
        // No other call over this connection replaces the file between the check and the replacement.
        let turn = try await files.channel.replacing.wait(for: target)
        defer { withExtendedLifetime(turn) {} }
        try await expectUnchanged(target)
        do throws(SFTPError) {
            try await client.send(.posixRename(temporary, to: target), about: asked).done()
        } catch .refused {
            return .failure(Obstacle(reason: "no other file can be put in its place"))
        }
        return .success(
            WriteResult(method: .replaced, path: target, size: staged.size, sha256: staged.sha256))
    }

    private func ties(of target: [UInt8], _ looking: Task<Surroundings?, Never>?) async -> FileTies {
        switch client.way {
        case .sftp: return await looking?.value?.ties ?? FileTies()
        case .shell:
            guard let line = try? await client.send(.ties(target)).name() else { return FileTies() }
            return FileTies(longName: line)
        }
    }

    // MARK: Content

    /// Writes all of the source, down to the disk, and judges what the host has of it.
    private func stage(
        _ handle: SFTPHandle, _ mode: SFTPAttributes
    ) async throws(SFTPError) -> Staged {
        var pump = WritePump(
            client, handle, source: source, digests: options.verifies, progress: options.progress)
        let size = try await pump.send(from: 0, to: .max)
        let modeSet = mode.permissions.map { _ in client.send(.fsetstat(handle.bytes, mode), about: asked) }
        let sync = synchronize(handle)
        let fstat = client.send(.fstat(handle.bytes), about: asked)
        try await pump.drain()
        try await modeSet?.done()
        try await settled(sync)
        let attributes = try await fstat.attributes()
        var digest = pump.digest
        let sha256 = digest?.finish()
        try await check(handle, attributes, size: size, sha256: sha256)
        return Staged(size: size, sha256: sha256, attributes: attributes)
    }
}
