public import IPC
internal import Synchronization

extension HostSessions {
    /// What is at the other end of a session that stays open.
    public enum Peer: Sendable {
        /// The subsystem `sftp` of the host's sshd. If there is none, the session ends early.
        case files
        /// The same files, by way of a POSIX shell.
        case shell(ShellSession)
    }

    /// Opens a session, and keeps its place in the budget until it ends.
    /// - Parameters:
    ///   - besideOwn: whether the caller has an open channel that cannot go on without this second session.
    ///   - limit: how long to wait for a place.
    ///   - receive: gets what the other end sends, on the reactor's thread.
    ///   - ended: called once when the session has ended, on the reactor's thread.
    /// - Throws: why there is no session. Then neither of the two is called.
    public func open(
        _ peer: Peer, besideOwn: Bool = false, within limit: Duration = .seconds(30),
        receive: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        ended: @escaping @Sendable (SessionEnd) -> Void
    ) async throws(ExecFailure) -> SSHChannel {
        try await met().openThere(peer, besideOwn: besideOwn, within: limit, receive: receive, ended: ended)
    }

    private func openThere(
        _ peer: Peer, besideOwn: Bool, within limit: Duration,
        receive: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        ended: @escaping @Sendable (SessionEnd) -> Void
    ) async throws(ExecFailure) -> SSHChannel {
        let kind: SessionBudget.Kind = besideOwn ? .content : .channel
        let place: SessionBudget.Place
        do throws(SessionBudget.NoPlace) {
            place = try await budget.acquire(kind, within: limit, probe: probe)
        } catch {
            switch error {
            case .timedOut(let shortage): throw await noPlace(shortage)
            case .cancelled: throw .cancelled(.confirmed)
            }
        }
        let said = StreamBox(OutputWindow(limit: 4096))
        let over: @Sendable (SessionEnd.How) -> Void = { how in
            Task { await self.budget.release(place) }
            ended(SessionEnd(how, said: said.value.output().text))
        }
        do throws(IPCError) {
            let session = try GateSession.open(
                request(for: peer), by: gate, pulse: master.pulse, stdout: receive,
                stderr: { chunk in said.with { $0.append(chunk) } },
                opened: { Task { await self.budget.opened(place) } }, ended: over)
            return SSHChannel(peer: session, errors: said)
        } catch {
            await budget.release(place)
            throw .masterDown(.unavailable(errno: error.systemErrno))
        }
    }

    private func request(for peer: Peer) -> GateRequest {
        switch peer {
        case .files: .sftp(host: host.name, FileAccess(host), call: CallInHand.number)
        case .shell(let session): .shell(host: host.name, session, call: CallInHand.number)
        }
    }

    /// Calls `function` whenever somebody wants a session of the master that is at the socket now, until it returns false. The
    /// owner of an idle channel closes it then. It calls this again before each `open`, because another master may be there by
    /// then.
    public func onShortage(_ function: @escaping @Sendable () -> Bool) async {
        let master = await current.master
        let identity = ObjectIdentifier(master)
        let isNew = listening.withLock { listening in
            defer { listening = identity }
            return listening != identity
        }
        guard isNew else { return }
        await master.budget.onShortage { [weak self] in
            self?.listening.withLock { $0 == identity } == true && function()
        }
    }

    /// Takes notice that the host refused a session that `open` had given, and has idle channels closed.
    /// - Returns: which limit was met, and who holds the sessions.
    public func wasRefused() async -> SessionShortage {
        let budget = await current.budget
        await budget.wasRefused(nil)
        return await budget.refusal
    }
}
