extension RemoteFiles {
    /// The login directory, to which `~` leads: what REALPATH says of `.`, or over a shell `$HOME`. It is asked for once a
    /// connection.
    ///
    /// With a base, a login directory in it is named by the base as it is given, so that it lies in the base by its text as well.
    /// - Throws: `.broken` if the host names no absolute path.
    public func home() async throws(SFTPError) -> [UInt8] {
        try await channel.use { client async throws(SFTPError) in
            if let known = client.home { return known }
            let asked = client.send(.realpath(Array(".".utf8)))
            let root = base.map { client.send(.realpath($0)) }
            var home = try await asked.name()
            guard home.first == UInt8(ascii: "/"), !home.contains(0) else {
                throw .broken(detail: "a login directory that is no absolute path")
            }
            if let base, let resolved = try? await root?.name(), RemotePath.isInside(home, resolved) {
                let length = resolved.last == UInt8(ascii: "/") ? resolved.count - 1 : resolved.count
                home = base + home[length...]
            }
            client.home = home
            return home
        }
    }
}
