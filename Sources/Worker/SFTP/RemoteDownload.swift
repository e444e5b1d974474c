/// A file that was read to its end.
public struct DownloadResult: Equatable, Sendable {
    /// Its bytes.
    public let size: UInt64
    /// As FSTAT told when it was opened.
    public let attributes: SFTPAttributes
    /// Hexadecimal, where it was asked for.
    public let sha256: String?
}

extension RemoteFiles {
    /// Reads a regular file to its end and gives its bytes to `sink`, in order, in constant memory: while `sink` works,
    /// at most 4 MiB are under way.
    ///
    /// - Parameters:
    ///   - verifies: read it a second time and compare the SHA-256 of both.
    ///   - progress: gets the bytes so far, those of the second time included, and how many there will be where the host
    ///     tells.
    /// - Throws: `.changed` where the file's size or time is another at the end than at the beginning, or other than what
    ///   was read; `.differs` where it reads differently the second time.
    public func download(
        _ path: [UInt8], verifies: Bool = false,
        to sink: @Sendable (ArraySlice<UInt8>) async throws(SFTPError) -> Void,
        progress: @Sendable (_ bytes: UInt64, _ total: UInt64?) -> Void = { _, _ in }
    ) async throws(SFTPError) -> DownloadResult {
        try await channel.use { client async throws(SFTPError) in
            var file = try await open(path, client) { handle, size in
                ReadPump(client, handle: handle, path: path, from: 0, to: .max, size: size)
            }
            // Files of /proc say 0 and have content.
            let total = file.attributes.size.flatMap { $0 == 0 ? nil : $0 }
            let work = total.map { verifies ? $0.multipliedReportingOverflow(by: 2).partialValue : $0 }
            var digest = verifies ? SHA256() : nil
            while let data = try await file.asked.next() {
                // One that grows as fast as it is read would never end.
                if let total, file.asked.position > total { throw .changed(path: path) }
                digest?.update(data)
                try await sink(data)
                progress(file.asked.position, work)
            }
            let size = file.asked.position
            let sha256 = digest?.finish()
            if let sha256 {
                let again = try await client.sha256(of: file.handle, size: size) { progress(size + $0, work) }
                guard again == sha256 else { throw .differs(path: path) }
            }
            let after = try await client.send(.fstat(file.handle.bytes), about: path).attributes()
            let same =
                after.size == file.attributes.size && after.times?.modification == file.attributes.times?.modification
            guard total == nil || (same && total == size) else { throw .changed(path: path) }
            return DownloadResult(size: size, attributes: file.attributes, sha256: sha256)
        }
    }
}

extension SFTPClient {
    /// Reads the first `size` bytes of an open file and gives their SHA-256.
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
