extension RemoteFiles {
    private static let parent = Array("..".utf8)

    /// A path in the base that has no `..`, and leads where the given one leads: the host resolves what stands before a `..`, which
    /// may be a symlink, and the directory above that is meant. Outside the base, where the host is not asked, the text counts.
    /// - Throws: `.outside` where it leads out of the base.
    func withoutParents(_ path: [UInt8], _ client: SFTPClient) async throws(SFTPError) -> [UInt8] {
        let names = RemotePath.names(path)
        guard let base, names.contains(Self.parent) else { return path }
        let root = RemotePath.names(base)
        var kept: [[UInt8]] = []
        for name in names {
            guard name == Self.parent else {
                kept.append(name)
                continue
            }
            if kept.count > root.count, kept.starts(with: root) {
                let resolved = try await Resolution(client, Self.joined(kept), base: base, parent: false).path()
                // REALPATH takes a last name that is missing, or is no directory.
                guard try await client.send(.stat(resolved), about: path).attributes().type == .directory else {
                    throw .refused(.noSuchFile, call: "STAT", path: path, message: "")
                }
                kept = RemotePath.names(resolved)
                guard kept.count > root.count else { throw .outside(path: path) }
            }
            _ = kept.popLast()
        }
        guard kept.starts(with: root) else { throw .outside(path: path) }
        let slash = UInt8(ascii: "/")
        return Self.joined(kept) + (path.last == slash ? [slash] : [])
    }

    private static func joined(_ names: [[UInt8]]) -> [UInt8] { names.flatMap { [UInt8(ascii: "/")] + $0 } }
}
