/// A file that was read to its end.
public struct DownloadResult: Equatable, Sendable {
    /// Its bytes.
    public let size: UInt64
    /// As FSTAT told when it was opened.
    public let attributes: SFTPAttributes
}

extension RemoteFiles {
    /// Reads a regular file to its end and gives its bytes to `sink`, in order, in constant memory: while `sink` works,
    /// at most 4 MiB are under way.
    ///
    /// - Throws: `.changed` where the file's size or time is another at the end than at the beginning, or other than what
    ///   was read.
    public func download(
        _ path: [UInt8], to sink: @Sendable (ArraySlice<UInt8>) async throws(SFTPError) -> Void,
        progress: @Sendable (_ bytes: UInt64, _ total: UInt64?) -> Void = { _, _ in }
    ) async throws(SFTPError) -> DownloadResult {
        try await channel.use { client async throws(SFTPError) in
            var file = try await open(path, client) { handle, size in
                ReadPump(client, handle: handle, path: path, from: 0, to: .max, size: size)
            }
            // Files of /proc say 0 and have content.
            let total = file.attributes.size.flatMap { $0 == 0 ? nil : $0 }
            while let data = try await file.asked.next() {
                try await sink(data)
                progress(file.asked.position, total)
            }
            let size = file.asked.position
            let after = try await client.send(.fstat(file.handle.bytes), about: path).attributes()
            let same =
                after.size == file.attributes.size && after.times?.modification == file.attributes.times?.modification
            guard total == nil || (same && total == size) else { throw .changed(path: path) }
            return DownloadResult(size: size, attributes: file.attributes)
        }
    }
}
