internal import IPC

/// Overwrites an existing file, if no other file can take its place.
extension Writer {
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

    /// Overwrites the file in place, with a copy of its old content beside it until that is done.
    /// - Throws: `.kept` with the path of the copy if the file may have become a mix of old and new content.
    func overwriteKeepingCopy(_ target: [UInt8], reason: String) async throws(SFTPError) -> WriteResult {
        guard let copy = RemotePath.copy(beside: target) else { return try await overwrite(target, reason: reason) }
        do throws(SFTPError) {
            try await makeCopy(of: target, at: copy)
        } catch {
            throw await dropping(copy, await diagnosed(error, target))
        }
        do throws(SFTPError) {
            let result = try await overwrite(target, reason: reason)
            await remove(copy)
            return result
        } catch {
            switch error {
            case .damaged, .lost, .silent, .slow, .broken: throw .kept(copy, error)
            default: throw await dropping(copy, error)
            }
        }
    }

    private func makeCopy(of target: [UInt8], at copy: [UInt8]) async throws(SFTPError) {
        var old = try await files.open(target, client) { handle, size in
            ReadPump(client, handle: handle, path: target, from: 0, to: size, size: size)
        }
        let mine = SFTPAttributes(permissions: 0o600)
        let handle = try await client.send(.open(copy, [.write, .create, .exclusive], mine), about: asked).handle()
        var offset: UInt64 = 0
        while let data = try await old.asked.next() {
            var rest = data
            while !rest.isEmpty {
                let piece = rest.prefix(client.limits.writeLength)
                rest = rest.dropFirst(piece.count)
                try await client.send(.write(handle.bytes, offset: offset, data: piece), about: asked).done()
                offset += UInt64(piece.count)
            }
        }
        try await settled(synchronize(handle))
        let size = try await client.send(.fstat(handle.bytes), about: asked).attributes().size
        guard size ?? offset == offset else { throw .differs(path: asked) }
        try await handle.close().done()
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
        case .refused(let status, _, _, let message):
            .damaged(path: asked, detail: status.words(message))
        case .noSpace: .damaged(path: asked, detail: "no space is left there")
        case .readOnly: .damaged(path: asked, detail: "its file system is read-only")
        case .quota: .damaged(path: asked, detail: "the quota there is used up")
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
}
