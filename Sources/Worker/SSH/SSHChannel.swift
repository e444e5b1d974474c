internal import IPC
internal import Synchronization

/// A session that stays open with a subsystem, ssh(1) `-s`, or a command at its other end: bytes in, bytes out.
public final class SSHChannel: Sendable {
    /// Bytes that may wait for the session's pipe to take them. Callers have less under way; a host that answers what it has not read
    /// yet would let them queue without end.
    static let mostQueued = 64 << 20

    private let peer: any PipedPeer
    private let errors: StreamBox<OutputWindow>
    private let queued = Atomic<Int>(0)

    fileprivate init(peer: any PipedPeer, errors: StreamBox<OutputWindow>) {
        self.peer = peer
        self.errors = errors
    }

    /// What came on standard error so far: of `ssh` itself and of the other end, at most 4096 bytes.
    public var said: String { errors.value.output().text }

    /// Queues bytes for the other end; `then` is called when the session's pipe has taken these, or takes none any more. The caller
    /// bounds what is under way; above `mostQueued` the session is given up.
    public func send(_ bytes: [UInt8], then: @escaping @Sendable () -> Void = {}) {
        send(bytes, piece: bytes.count) { _ in then() }
    }

    /// Queues bytes as one, see `send`; `then` is called for each `piece` of them, with its length.
    public func send(_ bytes: [UInt8], piece: Int, then: @escaping @Sendable (Int) -> Void) {
        let count = bytes.count
        guard queued.add(count, ordering: .relaxed).newValue <= Self.mostQueued else {
            errors.with { $0.append("the host does not read what it is sent".utf8) }
            peer.abandon()
            then(count)
            return
        }
        let starts = stride(from: 0, to: max(1, count), by: max(1, piece))
        peer.write(starts.map { bytes[$0..<min($0 + piece, count)] }) { count in
            self.queued.subtract(count, ordering: .relaxed)
            then(count)
        }
    }

    /// Nothing more will be sent: the other end reads its end of file.
    public func finishInput() { peer.finishInput() }

    /// Ends the session; `ended` is called as for every end.
    public func close() { peer.abandon() }
}

extension HostSessions {
    /// What a session that stays open runs.
    public enum Peer: Sendable {
        /// The subsystem `sftp` of the host's sshd. That it does not exist shows as an early end.
        case files
        /// A line for the login shell.
        case command(String)
    }

    /// Opens a session and keeps its place in the budget until it ends. Waits for that place at most `limit`.
    ///
    /// With `besideOwn` it is a second one that an open channel needs to get on. `receive` gets what the other end sends and `ended` how it ended, once, both on the reactor's thread.
    public func open(
        _ peer: Peer, besideOwn: Bool = false, within limit: Duration = .seconds(30),
        receive: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        ended: @escaping @Sendable (SessionEnd) -> Void
    ) async throws(ExecFailure) -> SSHChannel {
        try await current.openThere(peer, besideOwn: besideOwn, within: limit, receive: receive, ended: ended)
    }

    private func openThere(
        _ peer: Peer, besideOwn: Bool, within limit: Duration,
        receive: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        ended: @escaping @Sendable (SessionEnd) -> Void
    ) async throws(ExecFailure) -> SSHChannel {
        try await meetMaster()
        let kind: SessionBudget.Kind = besideOwn ? .content : .channel
        let place: SessionBudget.Place
        do throws(SessionBudget.NoPlace) {
            place = try await budget.acquire(kind, within: limit, probe: probe)
        } catch {
            switch error {
            case .timedOut(let shortage): throw .noSession(shortage)
            case .cancelled: throw .cancelled(.confirmed)
            }
        }
        let said = StreamBox(OutputWindow(limit: 4096))
        let isOpen = StreamBox(false)
        let took: @Sendable () -> Void = {
            let isFirst = isOpen.with { isOpen in
                defer { isOpen = true }
                return !isOpen
            }
            if isFirst { Task { await self.budget.opened(place) } }
        }
        let over: @Sendable (SessionEnd.How) -> Void = { how in
            Task { await self.budget.release(place) }
            ended(SessionEnd(how, said: said.value.output().text))
        }
        do throws(IPCError) {
            let session: any PipedPeer =
                switch peer {
                case .files:
                    try GateSession.open(
                        .sftp(host: host.name, FileAccess(host)), by: gate, stdout: receive,
                        stderr: { chunk in said.with { $0.append(chunk) } }, opened: took, ended: over)
                case .command(let line):
                    try Child.start(
                        path: sshPath, arguments: SSHInvocation.session(host, line: line),
                        environment: SSHInvocation.environment,
                        stdout: { chunk in
                            took()
                            receive(chunk)
                        },
                        stderr: { chunk in said.with { $0.append(chunk) } },
                        ended: { [sshPath] in over(.ssh($0, program: sshPath)) })
                }
            return SSHChannel(peer: session, errors: said)
        } catch {
            await budget.release(place)
            switch peer {
            case .files: throw .masterDown(.unavailable(errno: error.systemErrno))
            case .command: throw .spawn(detail: SSHProcess.SpawnFailure(detail: "\(sshPath): \(error)").detail)
            }
        }
    }

    /// Calls `function` whenever a session of the master is wanted that is there now, until it returns false: an idle channel is
    /// closed then. Whoever listens asks for it again before each opening, because another master may be there by then.
    public func onShortage(_ function: @escaping @Sendable () -> Bool) async {
        let master = current.master
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

    /// The host has refused a session that was opened here: idle channels are closed.
    /// - Returns: what stands in the way.
    public func wasRefused() async -> SessionShortage {
        let budget = current.budget
        await budget.wasRefused(nil)
        return await budget.refusal
    }
}
