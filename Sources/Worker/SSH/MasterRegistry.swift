internal import IPC
internal import Synchronization

/// Finds out which names of a config lead to the same ControlMaster, by a link or by another spelling of its socket's path, so that
/// its sessions are counted together: a master tells its process id, and where it logs in is in the config.
public final class MasterRegistry: Sendable {
    private struct Identity: Hashable {
        let processID: UInt32
        let user: String
        let address: String
    }

    private struct Known {
        weak var master: MasterSessions?
    }

    private let known = Mutex<[Identity: Known]>([:])

    /// A registry that knows no master yet.
    public init() {}

    /// What everybody shares who uses the master that answers with this process id. The first who asks makes `own` the shared object.
    func sessions(of processID: UInt32, _ master: Master, own: MasterSessions) -> MasterSessions {
        let identity = Identity(processID: processID, user: master.user, address: master.address)
        return known.withLock { known in
            if let master = known[identity]?.master { return master }
            known = known.filter { $0.value.master != nil }
            known[identity] = Known(master: own)
            return own
        }
    }
}
