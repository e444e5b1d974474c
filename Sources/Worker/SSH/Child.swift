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
        guard let input = streams.take(), let output = streams.take(), let error = streams.take() else {
            throw .badValue
        }
        let first = try input.duplicateForChild()
        let second = try output.duplicateForChild()
        let third = try error.duplicateForChild()
        var pid: pid_t = 0
        let result = withCStrings([path] + arguments) { arguments in
            withCStrings(environment.map { "\($0.key)=\($0.value)" }) { environment in
                csd_spawn(&pid, path, arguments, environment, [first.rawValue, second.rawValue, third.rawValue], 3, 0)
            }
        }
        guard result == 0 else { throw .system(call: "posix_spawn", errno: result) }
        do throws(IPCError) {
            let number = csd_pidfd_open(pid)
            guard number >= 0 else { throw .system(call: "pidfd_open", errno: errno) }
            try watch(number, reactor)
        } catch {
            Glibc.kill(pid, SIGKILL)
            _ = uninterrupted { waitpid(pid, nil, 0) }
            throw error
        }
    }

    /// Takes ownership of the pidfd. The lock keeps its handler waiting until it is kept.
    private func watch(_ pidfd: Int32, _ reactor: Reactor) throws(IPCError) {
        try state.withLock { state throws(IPCError) in
            let process = OwnedFD(taking: pidfd)
            state.process = try reactor.watch(process, for: CSD_EPOLL_READABLE) { self.reap(pidfd) }
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
        var code: Int32 = 0
        var status: Int32 = 0
        // `watch` may have failed, and then the pidfd is closed.
        guard state.withLock({ $0.process != nil }) else { return .finished }
        let reaped = csd_pidfd_reap(pidfd, &code, &status)
        guard reaped != 0 else { return .more }
        // Nobody reads it any more.
        pipes.closeInput()
        settle { state in
            let end: ChildEnd = code == CSD_CLD_EXITED ? .exited(Int(status)) : .signalled(status)
            // waitid(2) fails if this worker was started with SIGCHLD ignored: then the kernel reaps the child.
            state.end = reaped == 1 ? end : .unseen
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

/// Calls `body` with null-terminated copies of the strings and a null pointer at the end, as posix_spawn(3) takes them.
private func withCStrings<Result>(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
    let copies = strings.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    return body(copies + [nil])
}
