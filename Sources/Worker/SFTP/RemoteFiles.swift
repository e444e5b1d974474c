/// The files of one host, over its SFTP connection. Relative paths begin in the login directory.
///
/// With a base directory, each path as the host's own REALPATH resolves it must lie in the base as REALPATH resolves
/// that: symlinks do not lead out. The resolved path is then used, named by the base as it is given. If somebody on the host replaces a directory on that
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

    /// Makes a directory and those above it that are missing. It is no error if it exists already. Each directory that was made
    /// is added to `made`, even if this throws.
    func makeDirectories(
        _ path: [UInt8], _ client: SFTPClient, made: inout [[UInt8]]
    ) async throws(SFTPError) {
        // Those above the base are none of ours.
        let ends = RemotePath.ends(path).filter { end in base.map { RemotePath.lies(path[..<end], in: $0) } ?? true }
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
        let root = base ?? Array((path.first == UInt8(ascii: "/") ? "/" : ".").utf8)
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
