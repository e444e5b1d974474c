internal import CLinux
internal import Glibc
internal import IPC
internal import Synchronization

/// A child process with pipes for its three streams, in the process group of this worker.
final class Child: Sendable {
    private struct State {
        /// The child's standard input; nil once it is closed.
        var input: Reactor.Watch?
        /// The pieces that the pipe has not taken yet. They are not joined, because a joined copy would take the memory again.
        var pending: [(rest: ArraySlice<UInt8>, then: @Sendable () -> Void)] = []
        /// The callers whose bytes the pipe has taken, and who have not been told so yet.
        var due: [@Sendable () -> Void] = []
        /// Whether the input is to be closed when all pieces are written.
        var finishing = false
        /// The child's pidfd; nil once the child has been reaped.
        var process: Reactor.Watch?
        var end: ChildEnd?
        /// Whether `ended` has been called.
        var told = false
        /// The child's standard output and error, as long as they are open on our side. Only the reactor's thread closes them,
        /// because that thread reads them.
        var outputs: [Stream: Reactor.Watch] = [:]
    }

    private enum Stream {
        case output
        case error
    }

    /// The bytes that a pipe holds, pipe(7).
    private static let longestRead = 65_536

    private let reactor: Reactor
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
        var inputPipe = try Pipe()
        var outputPipe = try Pipe()
        var errorPipe = try Pipe()
        guard let childInput = inputPipe.readEnd.take(), let childOutput = outputPipe.writeEnd.take(),
            let childError = errorPipe.writeEnd.take(), let ownInput = inputPipe.writeEnd.take(),
            let ownOutput = outputPipe.readEnd.take(), let ownError = errorPipe.readEnd.take()
        else { throw .badValue }
        try ownInput.setNonBlocking()
        try ownOutput.setNonBlocking()
        try ownError.setNonBlocking()
        let first = try childInput.duplicateForChild()
        let second = try childOutput.duplicateForChild()
        let third = try childError.duplicateForChild()
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
            let process = OwnedFD(taking: number)
            let child = Child(reactor: reactor, ended: ended)
            try child.watch(
                input: ownInput.release(), output: ownOutput.release(), error: ownError.release(),
                process: process.release(), stdout: stdout, stderr: stderr)
            return child
        } catch {
            Glibc.kill(pid, SIGKILL)
            _ = uninterrupted { waitpid(pid, nil, 0) }
            throw error
        }
    }

    private init(reactor: Reactor, ended: @escaping @Sendable (ChildEnd) -> Void) {
        self.reactor = reactor
        self.ended = ended
    }

    /// Takes ownership of the descriptors. The lock keeps every handler waiting until all of them are watched. If one cannot be
    /// watched, none is, so that nothing can fail later.
    private func watch(
        input: Int32, output: Int32, error: Int32, process: Int32,
        stdout: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        stderr: @escaping @Sendable (ArraySlice<UInt8>) -> Void
    ) throws(IPCError) {
        try state.withLock { state throws(IPCError) in
            let input = OwnedFD(taking: input)
            let output = OwnedFD(taking: output)
            let error = OwnedFD(taking: error)
            let process = OwnedFD(taking: process)
            let pidfd = process.rawValue
            do throws(IPCError) {
                // Edge-triggered, because the pipe has room most of the time while there is nothing to write.
                state.input = try reactor.watch(input, for: CSD_EPOLL_WRITABLE | CSD_EPOLL_EDGE) { self.feed() }
                let (first, second) = (output.rawValue, error.rawValue)
                state.outputs[.output] = try reactor.watch(output, for: CSD_EPOLL_READABLE) {
                    self.read(.output, first, stdout)
                }
                state.outputs[.error] = try reactor.watch(error, for: CSD_EPOLL_READABLE) {
                    self.read(.error, second, stderr)
                }
                state.process = try reactor.watch(process, for: CSD_EPOLL_READABLE) { self.reap(pidfd) }
            } catch {
                state = State()
                throw error
            }
        }
    }

    /// Kills the child and closes its output on our side. The streams would not end by the kill alone: the ControlMaster holds
    /// their other ends as well, for as long as the host keeps the session.
    func abandon() {
        kill()
        reactor.perform {
            self.settle { $0.outputs = [:] }
        }
    }

    /// Kills the child, if it still runs.
    func kill() {
        state.withLock { state in
            if let process = state.process { _ = csd_pidfd_send_signal(process.number, SIGKILL) }
        }
    }

    private func read(
        _ stream: Stream, _ descriptor: Int32, _ take: @Sendable (ArraySlice<UInt8>) -> Void
    ) -> Reactor.Next {
        // The event may be older than a call of `abandon`.
        guard state.withLock({ $0.outputs[stream] != nil }) else { return .finished }
        var count = 0
        let chunk = [UInt8](unsafeUninitializedCapacity: Self.longestRead) { buffer, filled in
            count = uninterrupted { Glibc.read(descriptor, buffer.baseAddress, buffer.count) }
            filled = max(0, count)
        }
        if count > 0 {
            take(chunk[...])
            return .more
        }
        if count < 0 && errno == EAGAIN { return .more }
        settle { $0.outputs[stream] = nil }
        return .finished
    }

    private func reap(_ pidfd: Int32) -> Reactor.Next {
        var code: Int32 = 0
        var status: Int32 = 0
        // `watch` may have failed, and then the pidfd is closed.
        guard state.withLock({ $0.process != nil }) else { return .finished }
        let reaped = csd_pidfd_reap(pidfd, &code, &status)
        guard reaped != 0 else { return .more }
        settle { state in
            let end: ChildEnd = code == CSD_CLD_EXITED ? .exited(Int(status)) : .signalled(status)
            // waitid(2) fails if this worker was started with SIGCHLD ignored: then the kernel reaps the child.
            state.end = reaped == 1 ? end : .unseen
            state.process = nil
            // Nobody reads the input any more.
            state.input = nil
        }
        tell { _ in }
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
        tell { state in
            for piece in pieces {
                let told: @Sendable () -> Void = { then(piece.count) }
                if state.finishing { state.due.append(told) } else { state.pending.append((piece, told)) }
            }
            Self.pump(&state)
        }
    }

    /// Closes the child's standard input when all queued bytes are written.
    func finishInput() {
        tell { state in
            state.finishing = true
            Self.pump(&state)
        }
    }

    /// Changes the state, and tells the callers whose bytes the pipe has taken or will never take.
    private func tell(_ update: (inout State) -> Void) {
        let due = state.withLock { state in
            update(&state)
            if state.input == nil {
                state.due += state.pending.map(\.then)
                state.pending = []
            }
            defer { state.due = [] }
            return state.due
        }
        for then in due { then() }
    }

    /// Writes more, because the pipe has room again or has lost its reader.
    private func feed() -> Reactor.Next {
        tell { Self.pump(&$0) }
        return state.withLock { $0.input == nil } ? .finished : .more
    }

    /// Writes as much as the pipe takes. The reactor calls `feed` when the pipe takes more.
    private static func pump(_ state: inout State) {
        guard let input = state.input else { return }
        while let next = state.pending.first {
            guard !next.rest.isEmpty else {
                state.due.append(state.pending.removeFirst().then)
                continue
            }
            let count = next.rest.withUnsafeBytes { rest in
                uninterrupted { Glibc.write(input.number, rest.baseAddress, rest.count) }
            }
            if count < 0 && errno == EAGAIN { return }
            guard count > 0 else {
                state.input = nil
                return
            }
            state.pending[0].rest = next.rest.dropFirst(count)
        }
        if state.finishing { state.input = nil }
    }

    /// Changes the state, and calls `ended` if the process and both streams have ended.
    private func settle(_ update: (inout State) -> Void) {
        let end = state.withLock { state -> ChildEnd? in
            update(&state)
            guard state.outputs.isEmpty, !state.told, let end = state.end else { return nil }
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
