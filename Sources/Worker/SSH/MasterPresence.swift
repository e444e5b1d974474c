internal import Glibc
internal import IPC

/// Whether what listens at a ControlMaster's socket has said that it is a ControlMaster.
///
/// Anything may listen there: what takes a connection and says nothing would hold a command until its timeout, and what came
/// of the command would be unknown. So a socket is asked once, before the first session through it, and again where another
/// one has taken its place. Nothing has run where it does not answer.
actor MasterPresence {
    /// Which socket it is, also where a later one has the same inode.
    private struct Identity: Equatable {
        let device: dev_t
        let inode: ino_t
        let seconds: Int
        let nanoseconds: Int

        /// nil where no socket is to be seen; `ssh` tells what is there then.
        init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
            device = status.st_dev
            inode = status.st_ino
            seconds = status.st_ctim.tv_sec
            nanoseconds = status.st_ctim.tv_nsec
        }
    }

    private var known: Identity?
    private var asking: (identity: Identity, task: Task<HostSessions.MasterState, Never>)?

    /// What `ask` finds out of the socket at this path; `.alive` without asking where it has said so before.
    func state(
        of path: String, ask: @escaping @Sendable () async -> HostSessions.MasterState
    ) async -> HostSessions.MasterState {
        guard let identity = Identity(path), identity != known else { return .alive }
        let task: Task<HostSessions.MasterState, Never>
        if let asking, asking.identity == identity {
            task = asking.task
        } else {
            task = Task { await ask() }
            asking = (identity, task)
        }
        let state = await task.value
        if asking?.identity == identity { asking = nil }
        if state == .alive { known = identity }
        return state
    }
}

extension HostSessions {
    /// How long a ControlMaster may take to say that it is one.
    public static let greeting = Duration.seconds(2)

    /// What listens at the socket says of itself, at once where it has said before that it is a ControlMaster.
    public func greet() async -> MasterState {
        await current.master.presence.state(of: host.master.socket, ask: { await self.check(within: Self.greeting) })
    }

    /// Throws where what listens at the socket does not say that it is a ControlMaster.
    func meetMaster() async throws(ExecFailure) {
        switch await greet() {
        case .alive: return
        case .dead(let detail): throw .masterDead(detail: detail)
        case .unusable(let detail): throw .spawn(detail: detail)
        }
    }
}
