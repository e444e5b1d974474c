/// The files of one host, over its SFTP connection. Relative paths begin in the login directory.
///
/// With a base directory, each path as the host's own REALPATH resolves it must lie in the base as REALPATH resolves
/// that: symlinks do not lead out. The resolved path is then used. If somebody on the host replaces a directory on that
/// path by a symlink in between, the symlink is followed: version 3 cannot open relative to a directory. base_dir
/// therefore confines this client, and not those who write to its tree.
public struct RemoteFiles: Sendable {
    /// Most directories of one path that are asked about at once.
    static let lookahead = 16

    let channel: SFTPChannel
    let base: [UInt8]?

    /// Files over `channel`: all of them, or those in the tree of `base`.
    public init(channel: SFTPChannel, base: [UInt8]? = nil) {
        self.channel = channel
        self.base = base
    }

    /// Waits until no other call edits the file of this path over this connection. Other calls wait as long as the turn
    /// is kept, so that none comes between reading and writing. At most `SFTPChannel.editsAtOnce` calls have their turn
    /// on one host, because each keeps its file several times over.
    public func turnToEdit(_ path: [UInt8]) async throws(SFTPError) -> Turn {
        let place = try await channel.placeToEdit()
        let turn = try await channel.editing.wait(for: path)
        return Turn { withExtendedLifetime((place, turn)) {} }
    }

    /// Makes a directory and those above it that are missing. It is no error if it exists already. Each that it made is put
    /// behind `made`, also where it fails then.
    func makeDirectories(
        _ path: [UInt8], _ client: SFTPClient, made: inout [[UInt8]]
    ) async throws(SFTPError) {
        let ends = RemotePath.ends(path)
        var existing = ends.count
        var states: [PendingReply] = []
        while existing > 0 {
            // A path may have two thousand directories, so they are asked about in batches.
            if states.isEmpty {
                states = ends[..<existing].suffix(Self.lookahead).map { client.send(.stat(Array(path[..<$0]))) }
            }
            do throws(SFTPError) {
                let type = try await states.removeLast().attributes().type
                guard type == .directory || type == .unknown else {
                    throw .notRegular(type, path: Array(path[..<ends[existing - 1]]))
                }
                break
            } catch .refused(.noSuchFile, _, _, _) {
                existing -= 1
            }
        }
        let root = Array((path.first == UInt8(ascii: "/") ? "/" : ".").utf8)
        let anchor = existing > 0 ? Array(path[..<ends[existing - 1]]) : root
        var directory = try await Resolution(client, anchor, base: base, parent: false).path()
        for end in ends[existing...] {
            let prefix = Array(path[..<end])
            // Nothing is below a directory that does not exist, so `..` in the rest of the path leads nowhere.
            guard let name = RemotePath.split(prefix)?.name else {
                throw .refused(.noSuchFile, call: "MKDIR", path: prefix, message: "")
            }
            directory = RemotePath.join(directory, name)
            do throws(SFTPError) {
                try await client.send(.mkdir(directory, SFTPAttributes())).done()
                made.append(directory)
            } catch .refused(.failure, _, _, let message) {
                // Another process may have made it meanwhile. A symlink would lead elsewhere.
                guard case .directory? = try? await client.send(.lstat(directory)).attributes().type else {
                    throw .refused(.failure, call: "MKDIR", path: directory, message: message)
                }
            }
        }
    }
}

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
