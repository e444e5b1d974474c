internal import IPC

/// Which ControlMasters are known to be logged in as the user whom the config names: those over which a command of that user has run.
struct LoginsSeen {
    private struct Login: Hashable {
        let socket: String
        let user: String
    }

    /// The process that last answered at a socket.
    private var processes: [String: UInt32] = [:]
    private var known: Set<Login> = []

    /// Whether commands need not ask who runs them.
    func isKnown(_ master: Master) -> Bool { known.contains(Login(socket: master.socket, user: master.user)) }

    /// A ControlMaster answers with this process id. Another one than before may be logged in as somebody else.
    mutating func answers(_ socket: String, as processID: UInt32) {
        guard processes.updateValue(processID, forKey: socket) != processID else { return }
        known = known.filter { $0.socket != socket }
    }

    /// A command that asked has run.
    mutating func ran(_ master: Master) { known.insert(Login(socket: master.socket, user: master.user)) }

    /// Forgets sockets that no host has any more.
    mutating func forget(all isGone: (String) -> Bool) {
        processes = processes.filter { !isGone($0.key) }
        known = known.filter { !isGone($0.socket) }
    }
}
