internal import IPC

extension ForwardRegistry {
    enum Phase: String, Codable, Equatable {
        /// A port was chosen, and it is not written down yet.
        case requested
        /// A gate has the port, and asks the master to listen.
        case establishing
        /// The listener was seen.
        case running
        /// The listener has gone, or it is not known whether it will come.
        case dead
        /// The gate of a worker asks the master to cancel it.
        case cancelling
        /// A gate without a worker must ask the master, or has asked. State files call this "reaping".
        case toCancel = "reaping"
    }

    struct Forward: Codable, Equatable {
        /// The host's name in the config.
        var host: String
        var route: ForwardRoute
        /// When it was made, in seconds since 1970.
        var since: UInt64
        var phase: Phase
        /// The listening socket that was seen first. Another socket on the port is not this forward.
        var inode: UInt64?
        // The rest is not written down: what is wrong with it, whose gate works on it, the request of its worker that waits for that,
        // its call, how often it was tried, whether the caller named the port, and the socket that it had before it was made again.
        var trouble: ForwardTrouble?
        var owner: ConnectionTable.ID?
        var requestID: UInt32 = 0
        var call: Int?
        var attempts = 0
        var wantsPort = false
        var formerInode: UInt64?

        /// Whether it has the form that a state file may have.
        var isPlausible: Bool {
            let words = [host, route.master.socket, route.master.user, route.master.address]
            return route.localPort > 0 && route.target.isPossible
                && words.allSatisfy { (1...255).contains($0.utf8.count) && !$0.utf8.contains(0) }
                && route.master.socket.hasPrefix("/") && !route.master.user.hasPrefix("-")
        }

        /// Whether its port is still open, as far as can be seen. `uid` is the user of its ControlMaster.
        func isOpen(in listeners: Listeners, of uid: UInt32) -> Bool {
            guard let listener = listeners.loopback[route.localPort], listener.canBe(of: uid) else { return false }
            return inode == nil || inode == listener.inode
        }

        /// Whether its port was seen open and is closed now. A port that was never seen open may still be opened.
        func isOver(in listeners: Listeners, of uid: UInt32) -> Bool {
            inode != nil && !isOpen(in: listeners, of: uid)
        }

        /// The entry for it in the list that workers get.
        func entry(_ id: ID) -> ForwardEntry {
            ForwardEntry(
                forward: id, host: host, localPort: route.localPort, target: route.target, since: since,
                trouble: phase == .toCancel ? .closing : trouble)
        }

        /// What is wrong with it, for the log; empty if nothing is.
        var reason: String {
            switch trouble {
            case .none: ""
            case .notCancelled: "it could not be closed; by hand: \(route.cancelCommand)"
            case .some(let trouble): trouble.clause(host: host, localPort: route.localPort)
            }
        }

        private enum CodingKeys: String, CodingKey {
            case host, route, since, phase, inode
        }
    }

    enum Action: Equatable {
        /// Write the forwards down before any order is given, and call `recorded`, or `unrecorded` if that fails.
        case record
        /// Answer the worker whose request this is about.
        case answer(ToWorker.Forwards)
        /// Have the gate of this connection ask the master. `performed` tells what came of it.
        case order(ID, ForwardOrder, by: ConnectionTable.ID)
        /// Have a gate without a worker cancel this forward.
        case cancel(ID)
        case note(LogLevel, String, ID, Forward)
    }
}
