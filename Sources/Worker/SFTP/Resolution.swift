/// A path as the host resolves it. What is needed is asked for when this is made, and waited for in `path`.
struct Resolution {
    private let client: SFTPClient
    private let asked: [UInt8]
    /// The last part of the path, which REALPATH is not asked about; nil if it is.
    private let name: [UInt8]?
    private let target: PendingReply?
    private let root: PendingReply?

    /// With `parent`, the last part is not resolved. Without a base, nothing is asked unless `always`.
    init(_ client: SFTPClient, _ path: [UInt8], base: [UInt8]?, parent: Bool, always: Bool = false) {
        self.client = client
        asked = path
        let parts = parent ? RemotePath.split(path) : nil
        name = parts?.name
        target = base == nil && !always ? nil : client.send(.realpath(parts?.directory ?? path))
        // The base is resolved each time: it may be a symlink that has changed.
        root = base.map { client.send(.realpath($0)) }
    }

    /// The path to work on: resolved and in the base, or as it was given if there is no base and `always` is false.
    func path() async throws(SFTPError) -> [UInt8] {
        guard let target else { return asked }
        guard let root else { return joined(try await target.name()) }
        let resolvedBase = try await root.name()
        guard resolvedBase.contains(where: { $0 != UInt8(ascii: "/") }) else { throw .baseIsRoot }
        let resolved: [UInt8]
        do throws(SFTPError) {
            resolved = try await target.name()
        } catch .refused(let status, let call, _, let message) {
            throw .refused(status, call: call, path: asked, message: message)
        }
        // The base itself is inside although its parent is not; the caller then gets the better answer that it is a
        // directory.
        guard RemotePath.isInside(resolved, resolvedBase) || (name != nil && joined(resolved) == resolvedBase) else {
            throw .outside(path: resolved)
        }
        if !client.offers(.limits) { try await expectNoSymlinks(resolved) }
        return joined(resolved)
    }

    private func joined(_ directory: [UInt8]) -> [UInt8] { name.map { RemotePath.join(directory, $0) } ?? directory }

    /// Throws if a part of the path, the base and those above it included, is a symlink. REALPATH of some servers other
    /// than OpenSSH's only tidies the text, so each part is looked at.
    private func expectNoSymlinks(_ path: [UInt8]) async throws(SFTPError) {
        var ends = RemotePath.ends(path)[...]
        while !ends.isEmpty {
            let parts = ends.prefix(RemoteFiles.lookahead).map { Array(path[..<$0]) }
            ends = ends.dropFirst(parts.count)
            for (part, answer) in zip(parts, parts.map { client.send(.lstat($0)) }) {
                do throws(SFTPError) {
                    let type = try await answer.attributes().type
                    guard type != .symlink, type != .unknown else { throw .outside(path: part) }
                } catch .refused(.noSuchFile, _, _, _) {
                    return
                }
            }
        }
    }
}
