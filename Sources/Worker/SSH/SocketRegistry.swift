internal import Glibc
internal import IPC
internal import Synchronization

/// Which sockets are one, whatever their paths: two names of a config may lead to the same ControlMaster by a link or another
/// spelling. Its sessions are counted once.
public final class SocketRegistry: Sendable {
    private struct Identity: Hashable {
        let device: dev_t
        let inode: ino_t
    }

    private struct Known {
        weak var master: MasterSessions?
    }

    private let known = Mutex<[Identity: Known]>([:])

    /// One that knows of none.
    public init() {}

    /// What is shared by all who go through the socket that lies at this path now: that of whoever came first. `own` where nothing
    /// lies there.
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

extension HostSessions {
    /// The same host by way of what is shared at its socket just now. It stays so for one piece of work: places are given back
    /// where they were taken.
    var current: HostSessions {
        guard let registry = master.registry, !isCurrent else { return self }
        return HostSessions(current: registry.sessions(at: host.master.socket, own: master), of: self)
    }
}
