internal import CLinux
internal import Glibc
internal import IPC
internal import Mux

/// The transport `ssh`: the connections over which processes of the worker ask for the sessions of their tickets.
extension GateService {
    /// When one of them will have taken too long.
    var sshDeadline: Int? { sides.values.filter { $0.requestID == nil }.map(\.deadline).min() }

    /// The supervisor gives the other end of what a process of the worker has connected.
    func takeSSH(_ socket: consuming OwnedFD) throws(IPCError) {
        try tell(.sshConnected)
        guard !isWorkerGone else { return }
        guard transport == .ssh, sides.count < SSHSide.maximum else { return try expel(.connections) }
        let link = try SSHLink(taking: socket, processID: UInt32(clamping: getpid()))
        guard let descriptor = link.rawValue else { return }
        let number = nextSide
        nextSide += 1
        sides[number] = SSHSide(link, now: Self.now())
        try watch(descriptor, Source.ssh + number, CSD_EPOLL_READABLE)
    }

    func attendSSH(_ number: UInt64) throws(IPCError) {
        // An event of before it was closed.
        guard let side = sides[number] else { return }
        let seen: SSHLink.Seen?
        do throws(MuxViolation) {
            seen = try side.link.readable()
        } catch {
            return try expel(.mux)
        }
        switch seen {
        case .none: break
        case .asked(let session): try open(session, number, side)
        case .gone:
            dropSide(number)
            // As a master does when its client has gone.
            if let requestID = side.requestID { try perform(requests.close(requestID)) }
        }
    }

    private func open(_ session: MuxSession, _ number: UInt64, _ side: SSHSide) throws(IPCError) {
        let descriptors: SessionDescriptors?
        do throws(SessionDescriptors.NotAPipe) {
            descriptors = try side.link.takeDescriptors()
        } catch {
            return try expel(.descriptor)
        }
        switch requests.show(session.command, isSubsystem: session.isSubsystem, now: Self.now()) {
        case .violation: try expel(.ticket)
        case .ended:
            side.link.refuse("the request of this ticket has ended")
            dropSide(number)
        case .session(let id, let requestID):
            guard let descriptors else { return try expel(.descriptor) }
            side.requestID = requestID
            sideOf[requestID] = number
            keep(descriptors, for: id)
            try perform(requests.startQueued())
        }
    }

    /// Tells the `ssh` of a session what its worker is told.
    func tellSSH(_ requestID: UInt32, _ word: GateAnswer) {
        guard let number = sideOf[requestID], let side = sides[number] else { return }
        switch word {
        case .ready, .master, .ticket, .refused, .allowed: return
        case .opened: return side.link.opened(session: requestID)
        case .exited(let status): return side.link.exited(session: requestID, status: status)
        case .notOpened: side.link.refuse("the session was not opened")
        case .ended: break
        }
        dropSide(number)
    }

    /// Ends those that have not asked for their session in time.
    func endLateSSH(now: Int) {
        for (number, side) in sides where side.requestID == nil && side.deadline <= now { dropSide(number) }
    }

    func dropAllSSH() {
        for number in sides.keys { dropSide(number) }
    }

    private func dropSide(_ number: UInt64) {
        guard let side = sides.removeValue(forKey: number) else { return }
        if let requestID = side.requestID { sideOf[requestID] = nil }
        if let descriptor = side.link.rawValue { _ = csd_epoll_remove(epoll.rawValue, descriptor) }
        side.link.close()
    }
}
