internal import CLinux
internal import Glibc
internal import IPC
internal import Synchronization

/// What runs at the other end of three pipes of this side.
protocol PipedPeer: Sendable {
    /// Queues bytes in pieces that nobody else's bytes come between, see `SessionPipes.write`.
    func write(_ pieces: [ArraySlice<UInt8>], then: @escaping @Sendable (Int) -> Void)
    /// Closes its standard input when all that is queued is written.
    func finishInput()
    /// Ends it, and lets go of its output.
    func abandon()
}

/// A child process with pipes for its three streams, in the process group of this worker.
final class Child: PipedPeer {
    private struct State {
        /// The child's pidfd; nil once the child has been reaped.
        var process: Reactor.Watch?
        var end: ChildEnd?
        /// Whether `ended` has been called.
        var told = false
    }

    private let pipes: SessionPipes
    private let ended: @Sendable (ChildEnd) -> Void
    private let state = Mutex(State())

    /// Starts the program at `path`. `stdout` and `stderr` get each chunk; `ended` is called once, when both streams and the
    /// process have ended. All three are called on the reactor's thread.
    /// - Throws: if the program cannot be started or its descriptors cannot be watched. Then no process is left, and none of
    ///   the three is called.
    static func start(
        path: String, arguments: [String], environment: [String: String], reactor: Reactor = .shared,
        stdout: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        stderr: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        ended: @escaping @Sendable (ChildEnd) -> Void
    ) throws(IPCError) -> Child {
        let child = Child(pipes: SessionPipes(reactor: reactor), ended: ended)
        var theirs = try child.pipes.open(stdout: stdout, stderr: stderr, closed: { child.settle { _ in } })
        do throws(IPCError) {
            try child.start(path, arguments, environment, &theirs, reactor)
        } catch {
            child.pipes.discard()
            throw error
        }
        return child
    }

    private init(pipes: SessionPipes, ended: @escaping @Sendable (ChildEnd) -> Void) {
        self.pipes = pipes
        self.ended = ended
    }

    private func start(
        _ path: String, _ arguments: [String], _ environment: [String: String], _ streams: inout PassedDescriptors,
        _ reactor: Reactor
    ) throws(IPCError) {
        try SpawnedChild.start(path, arguments, environment, &streams) { pidfd throws(IPCError) in
            try watch(pidfd, reactor)
        }
    }

    /// Takes ownership of the pidfd. The lock keeps its handler waiting until it is kept.
    private func watch(_ pidfd: consuming OwnedFD, _ reactor: Reactor) throws(IPCError) {
        let number = pidfd.release()
        try state.withLock { state throws(IPCError) in
            let process = OwnedFD(taking: number)
            state.process = try reactor.watch(process, for: CSD_EPOLL_READABLE) { self.reap(number) }
        }
    }

    /// Kills the child and closes its output on our side. The streams would not end by the kill alone: the ControlMaster holds
    /// their other ends as well, for as long as the host keeps the session.
    func abandon() {
        kill()
        pipes.letGo()
    }

    /// Kills the child, if it still runs.
    func kill() {
        state.withLock { state in
            if let process = state.process { _ = csd_pidfd_send_signal(process.number, SIGKILL) }
        }
    }

    private func reap(_ pidfd: Int32) -> Reactor.Next {
        // `watch` may have failed, and then the pidfd is closed.
        guard state.withLock({ $0.process != nil }) else { return .finished }
        guard let end = SpawnedChild.reap(pidfd) else { return .more }
        // Nobody reads it any more.
        pipes.closeInput()
        settle { state in
            state.end = end
            state.process = nil
        }
        return .finished
    }

    /// Queues bytes for the child's standard input. The child may end or close its input without reading them.
    /// The caller bounds what it queues. `then` is called when the pipe has taken these bytes, or when it takes none any more.
    func write(_ bytes: [UInt8], then: (@Sendable () -> Void)? = nil) {
        write([bytes[...]]) { _ in then?() }
    }

    /// Queues pieces of bytes, see `write`. No other caller's bytes come between them. `then` is called for each piece, with
    /// its length.
    func write(_ pieces: [ArraySlice<UInt8>], then: @escaping @Sendable (Int) -> Void) {
        pipes.write(pieces, then: then)
    }

    func finishInput() { pipes.finishInput() }

    /// Changes the state, and calls `ended` if the process and both streams have ended.
    private func settle(_ update: (inout State) -> Void) {
        let end = state.withLock { state -> ChildEnd? in
            update(&state)
            guard pipes.isClosed, !state.told, let end = state.end else { return nil }
            state.told = true
            return end
        }
        if let end { ended(end) }
    }
}
