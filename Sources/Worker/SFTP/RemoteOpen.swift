extension RemoteFiles {
    /// Opens a regular file for reading in two round trips. In the second one `ask` already works on the handle.
    ///
    /// STAT comes first: opening a FIFO would block the server's only thread, and opening some devices has effects. If
    /// the file that was opened has another size than STAT told, another file has taken its place or it is being
    /// written, and `ask` is called again.
    func open<Asked>(
        _ path: [UInt8], _ client: SFTPClient, ask: (_ handle: [UInt8], _ size: UInt64) -> Asked
    ) async throws(SFTPError) -> OpenFile<Asked> {
        let plain = try await withoutParents(path, client)
        let resolution = Resolution(client, plain, base: base, parent: false)
        let stat = client.send(.stat(plain), about: path)
        let target = try await resolution.path()
        let before = try await stat.attributes()
        guard before.type == .regular else { throw .notRegular(before.type, path: path) }
        let size = before.size ?? 0
        let guess = client.nextHandle()
        let opening = client.send(.open(target, .read, SFTPAttributes()), about: path)
        var early = guess.map { (client.send(.fstat($0), about: path), ask($0, size)) }
        let handle = try await opening.handle()
        if handle.bytes != guess { early = nil }
        let (fstat, asked) = early ?? (client.send(.fstat(handle.bytes), about: path), ask(handle.bytes, size))
        let attributes = try await fstat.attributes()
        guard attributes.type == .regular else { throw .notRegular(attributes.type, path: path) }
        let opened = attributes.size ?? size
        return OpenFile(
            handle: handle, attributes: attributes, asked: opened == size ? asked : ask(handle.bytes, opened))
    }
}
