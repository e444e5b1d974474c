public import IPC

extension ClientRefusal {
    /// What a client is told that is not served.
    public var sentence: String {
        switch self {
        case .occupied(let socket, let pid, let seconds, let waited):
            "Another client is connected to \(socket): process \(pid), for \(seconds) s. "
                + "This daemon serves one client at a time, and you have waited \(waited) s for your turn. "
                + "Close the other client, or try again later."
        case .noPlace: "This daemon had no place for you; try again."
        case .noWorker(let failure):
            "claude-ssh-daemon cannot serve you now: \(failure.clause(.worker)). Nothing was run. "
                + "Ask the user to look into the daemon's log, which says how to mend it; then connect again."
        }
    }
}
