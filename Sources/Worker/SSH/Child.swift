internal import CLinux
internal import Glibc
internal import IPC
internal import Synchronization

/// How a child process ended.
enum ChildEnd: Equatable, Sendable {
    case exited(Int)
    case signalled(Int32)
}

/// A child process with pipes for its three streams, in the process group of this worker.
final class Child: Sendable {
    private struct State: ~Copyable {
        /// The child's standard input; nil once it is closed.
        var input: OwnedFD?
        /// What the pipe has not taken yet, as it was queued: joining it would hold it several times over.
        var pending: [(rest: ArraySlice<UInt8>, then: (@Sendable () -> Void)?)] = []
        /// Who is to be told that the pipe has taken theirs.
        var due: [@Sendable () -> Void] = []
        /// Close it when they are written.
        var finishing = false
        var watchingInput = false
        var pidfd: OwnedFD?
        var end: ChildEnd?
        /// `ended` has been called.
        var told = false
        /// The pipes that are still open on our side.
        var outputs: [Int32] = []
    }

    /// What a pipe holds, pipe(7).
    private static let longestRead = 65_536

    private let pidfdNumber: Int32
    private let ended: @Sendable (ChildEnd) -> Void
    private let state: Mutex<State>

    /// Starts `path`. `stdout` and `stderr` get each chunk; `ended` is called once, when both streams and the process
    /// have ended. All on the reactor's thread.
    static func start(
        path: String, arguments: [String], environment: [String: String],
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
        let pidfd = csd_pidfd_open(pid)
        guard pidfd >= 0 else {
            let code = errno
            Glibc.kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
            throw .system(call: "pidfd_open", errno: code)
        }
        let child = Child(input: ownInput, pidfd: OwnedFD(taking: pidfd), ended: ended)
        child.watch(output: ownOutput, stdout)
        child.watch(output: ownError, stderr)
        child.watch(process: pidfd)
        return child
    }

    private init(
        input: consuming OwnedFD, pidfd: consuming OwnedFD, ended: @escaping @Sendable (ChildEnd) -> Void
    ) {
        self.ended = ended
        pidfdNumber = pidfd.rawValue
        state = Mutex(State(input: consume input, pidfd: consume pidfd))
    }

    /// Kills the child and lets go of its output. The streams need not end by that: the ControlMaster holds their other
    /// ends as well, for as long as the host keeps the session.
    func abandon() {
        kill()
        Reactor.shared.perform {
            self.settle { state in
                for descriptor in state.outputs { Glibc.close(descriptor) }
                state.outputs = []
            }
        }
    }

    /// Kills the child, if it still runs.
    func kill() {
        state.withLock { state in
            if state.pidfd != nil { _ = csd_pidfd_send_signal(pidfdNumber, SIGKILL) }
        }
    }

    private func watch(output: consuming OwnedFD, _ take: @escaping @Sendable (ArraySlice<UInt8>) -> Void) {
        let descriptor = output.release()
        state.withLock { $0.outputs.append(descriptor) }
        let watched = Reactor.shared.watch(descriptor, for: CSD_EPOLL_READABLE) {
            // An event from before `abandon`.
            guard self.state.withLock({ $0.outputs.contains(descriptor) }) else { return .finished }
            var count = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: Self.longestRead) { buffer, filled in
                count = read(descriptor, buffer.baseAddress, buffer.count)
                filled = max(0, count)
            }
            if count > 0 {
                take(chunk[...])
                return .more
            }
            if count < 0 && (errno == EAGAIN || errno == EINTR) { return .more }
            self.settle { Self.letGo(descriptor, &$0) }
            return .finished
        }
        if !watched { settle { Self.letGo(descriptor, &$0) } }
    }

    private static func letGo(_ descriptor: Int32, _ state: inout State) {
        Glibc.close(descriptor)
        state.outputs.removeAll { $0 == descriptor }
    }

    private func watch(process pidfd: Int32) {
        let watched = Reactor.shared.watch(pidfd, for: CSD_EPOLL_READABLE) {
            var code: Int32 = 0
            var status: Int32 = 0
            guard csd_pidfd_reap(pidfd, &code, &status) == 1 else { return .more }
            self.settle { state in
                state.end = code == CSD_CLD_EXITED ? .exited(Int(status)) : .signalled(status)
                _ = state.pidfd.take()
                // Nobody reads it any more.
                _ = state.input.take()
            }
            self.tell { _ in }
            return .finished
        }
        if !watched { kill() }
    }

    /// Queues bytes for the child's standard input. A child may end, or close it, without reading them.
    /// The caller bounds what it queues; `then` is called once the pipe has taken these, or takes none any more.
    func write(_ bytes: [UInt8], then: (@Sendable () -> Void)? = nil) {
        tell { state in
            guard !state.finishing else { return then.map { state.due.append($0) } ?? () }
            state.pending.append((bytes[...], then))
            pump(&state)
        }
    }

    /// Closes the child's standard input when all that is queued is written.
    func finishInput() {
        tell { state in
            state.finishing = true
            pump(&state)
        }
    }

    /// Changes the state and tells those whose bytes are gone by then.
    private func tell(_ update: (inout State) -> Void) {
        let due = state.withLock { state in
            update(&state)
            if state.input == nil {
                state.due += state.pending.compactMap(\.then)
                state.pending = []
            }
            defer { state.due = [] }
            return state.due
        }
        for then in due { then() }
    }

    /// Writes what the pipe takes; where that is not all, the reactor goes on when it takes more.
    private func pump(_ state: inout State) {
        guard let descriptor = state.input?.rawValue, !state.watchingInput else { return }
        guard Self.drain(&state, into: descriptor) else { return }
        state.watchingInput = Reactor.shared.watch(descriptor, for: CSD_EPOLL_WRITABLE) {
            var goesOn = false
            self.tell { state in
                // Closed meanwhile, by the end of the child.
                guard state.input != nil else { return }
                goesOn = Self.drain(&state, into: descriptor)
                guard !goesOn else { return }
                state.watchingInput = false
                if state.input != nil { Reactor.shared.unwatch(descriptor) }
            }
            return goesOn ? .more : .finished
        }
        if !state.watchingInput { _ = state.input.take() }
    }

    /// - Returns: whether bytes are left that the pipe does not take now.
    private static func drain(_ state: inout State, into descriptor: Int32) -> Bool {
        while let next = state.pending.first {
            guard !next.rest.isEmpty else {
                if let then = state.pending.removeFirst().then { state.due.append(then) }
                continue
            }
            let count = next.rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            if count < 0 && errno == EAGAIN { return true }
            guard count > 0 else {
                _ = state.input.take()
                return false
            }
            state.pending[0].rest = next.rest.dropFirst(count)
        }
        if state.finishing { _ = state.input.take() }
        return false
    }

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

/// Null-terminated C strings for the time of a call.
private func withCStrings<Result>(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
    let copies = strings.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    return body(copies + [nil])
}
