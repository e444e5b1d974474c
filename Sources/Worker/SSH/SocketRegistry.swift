internal import Glibc
internal import IPC
internal import Synchronization

/// Finds out which paths lead to the same socket: two names of a config may lead to the same ControlMaster by a link or by
/// another spelling. So the sessions of that master are counted together.
public final class SocketRegistry: Sendable {
    private struct Identity: Hashable {
        let device: dev_t
        let inode: ino_t
    }

    private struct Known {
        weak var master: MasterSessions?
    }

    private let known = Mutex<[Identity: Known]>([:])

    /// A registry that knows no socket yet.
    public init() {}

    /// What everybody shares who uses the socket that lies at this path now. The first who asks makes `own` the shared object.
    /// If there is no socket, the answer is `own`, and nothing is remembered.
    func sessions(at path: String, own: MasterSessions) -> MasterSessions {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return own }
        let identity = Identity(device: status.st_dev, inode: status.st_ino)
        return known.withLock { known in
            if let master = known[identity]?.master { return master }
            known = known.filter { $0.value.master != nil }
            known[identity] = Known(master: own)
            return own
        }
    }
}
