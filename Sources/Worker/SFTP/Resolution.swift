/// A path as the host resolves it. What is needed is asked for when this is made, and waited for in `path`.
///
/// With a base, no path is ever named to the host that does not lie in the base by its text: where the gate judges the requests, it
/// lets no other one through. So what the host resolves is named by the base as the config has it, and what lies below that, resolved.
struct Resolution {
    private let client: SFTPClient
    private let asked: [UInt8]
    private let base: [UInt8]?
    /// The last part of the path, which REALPATH is not asked about; nil if it is.
    private let name: [UInt8]?
    private let target: PendingReply?
    private let root: PendingReply?

    /// With `parent`, the last part is not resolved. Without a base, nothing is asked unless `always`. With one, the path has no `..`
    /// (see `RemoteFiles.withoutParents`) and lies in the base by its text.
    init(_ client: SFTPClient, _ path: [UInt8], base: [UInt8]?, parent: Bool, always: Bool = false) {
        self.client = client
        asked = path
        self.base = base
        // The directory above the base is none of ours. The base itself has no name that could be a symlink in the tree.
        let isBase = base.map { RemotePath.names($0) == RemotePath.names(path) } ?? false
        let parts = parent && !isBase ? RemotePath.split(path) : nil
        name = parts?.name
        target = base == nil && !always ? nil : client.send(.realpath(parts?.directory ?? path))
        // The base is resolved each time: it may be a symlink that has changed.
        root = base.map { client.send(.realpath($0)) }
    }

    /// The path to work on: resolved and in the base, or as it was given if there is no base and `always` is false.
    func path() async throws(SFTPError) -> [UInt8] {
        guard let target else { return asked }
        guard let root, let base else { return joined(try await target.name()) }
        let resolvedBase = try await root.name()
        guard resolvedBase.contains(where: { $0 != UInt8(ascii: "/") }) else { throw .baseIsRoot }
        let resolved: [UInt8]
        do throws(SFTPError) {
            resolved = try await target.name()
        } catch .refused(let status, let call, _, let message) {
            throw .refused(status, call: call, path: asked, message: message)
        }
        guard RemotePath.isInside(resolved, resolvedBase) else { throw .outside(path: resolved) }
        let length = resolvedBase.last == UInt8(ascii: "/") ? resolvedBase.count - 1 : resolvedBase.count
        let inBase = base + resolved[length...]
        if !client.offers(.limits) { try await expectNoSymlinks(inBase, from: base.count) }
        return joined(inBase)
    }

    private func joined(_ directory: [UInt8]) -> [UInt8] { name.map { RemotePath.join(directory, $0) } ?? directory }

    /// Throws if the base, whose path has so many bytes, or a part of the path below it is a symlink. REALPATH of some servers other
    /// than OpenSSH's only tidies the text, so each part is looked at.
    private func expectNoSymlinks(_ path: [UInt8], from base: Int) async throws(SFTPError) {
        var ends = RemotePath.ends(path).filter { $0 >= base }[...]
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
