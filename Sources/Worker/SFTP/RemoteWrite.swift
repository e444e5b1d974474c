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
    /// says so; a new one is made with CREAT|EXCL under its own name. A file with further names (hard links), or with an ACL as
    /// far as a shell tells, is overwritten in place as well, with a copy kept meanwhile. Extended attributes, and over SFTP ACLs, do not pass to
    /// a new file: version 3 does not show them.
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
