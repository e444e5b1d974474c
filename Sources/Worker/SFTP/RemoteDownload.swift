internal import IPC

extension RemoteFiles {
    /// Most bytes of a file that says it is empty and is not, such as those of /proc: nothing else tells where it ends.
    static let longestUnsized: UInt64 = 64 << 20

    /// Reads a regular file up to the size that FSTAT told when it was opened, and gives its bytes to `sink`, in order
    /// and in constant memory: while `sink` works, at most 4 MiB are under way.
    ///
    /// - Parameters:
    ///   - verifies: whether to read it a second time and compare the SHA-256 of both.
    ///   - admit: gets the size before the first byte goes to `sink`, 0 if the host tells none, and throws if there is
    ///     no room for it.
    ///   - progress: gets the bytes so far, those of the second reading included, and how many there will be if the
    ///     host tells.
    /// - Throws: `.changed` if the file became shorter, or was written to without growing; `.differs` if it reads
    ///   differently the second time; `.endless` above 64 MiB of a file that says it is empty.
    public func download(
        _ path: [UInt8], verifies: Bool = false,
        admit: @Sendable (_ size: UInt64) async throws(SFTPError) -> Void = { _ in },
        to sink: @Sendable (ArraySlice<UInt8>) async throws(SFTPError) -> Void,
        progress: @Sendable (_ bytes: UInt64, _ total: UInt64?) -> Void = { _, _ in }
    ) async throws(SFTPError) -> DownloadResult {
        try await channel.use { client async throws(SFTPError) in
            var file = try await open(path, client) { handle, size in
                // A file that grows as fast as it is read would never end.
                let end = size == 0 ? Self.longestUnsized + 1 : size
                return ReadPump(client, handle: handle, path: path, from: 0, to: end, size: size)
            }
            let total = file.attributes.size ?? 0
            try await admit(total)
            let work = total == 0 ? nil : verifies ? total.multipliedReportingOverflow(by: 2).partialValue : total
            var digest = verifies ? SHA256() : nil
            while let data = try await file.asked.next() {
                if total == 0, file.asked.position > Self.longestUnsized {
                    throw .endless(limit: Self.longestUnsized, path: path)
                }
                digest?.update(data)
                try await sink(data)
                progress(file.asked.position, work)
            }
            let size = file.asked.position
            guard total == 0 || size == total else { throw .changed(path: path) }
            let sha256 = digest?.finish()
            if let sha256 {
                let again = try await client.sha256(of: file.handle, size: size) { progress(size + $0, work) }
                guard again == sha256 else { throw .differs(path: path) }
            }
            let after = try await client.send(.fstat(file.handle.bytes), about: path).attributes()
            let grewTo = after.size.flatMap { $0 > size && total != 0 ? $0 : nil }
            let same =
                after.size == file.attributes.size && after.times?.modification == file.attributes.times?.modification
            guard total == 0 || same || grewTo != nil else { throw .changed(path: path) }
            return DownloadResult(size: size, attributes: file.attributes, sha256: sha256, grewTo: grewTo)
        }
    }
}

extension SFTPClient {
    /// Reads the first `size` bytes of an open file and returns their SHA-256.
    func sha256(
        of handle: SFTPHandle, size: UInt64, progress: (_ bytes: UInt64) -> Void
    ) async throws(SFTPError) -> String {
        var digest = SHA256()
        var pump = ReadPump(self, handle: handle.bytes, path: handle.path, from: 0, to: size, size: size)
        while let data = try await pump.next() {
            digest.update(data)
            progress(pump.position)
        }
        return digest.finish()
    }
}
