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
        var input: OwnedFD?
        var pidfd: OwnedFD?
        var end: ChildEnd?
        var openStreams = 2
        var written = 0
    }

    private let input: [UInt8]
    private let pidfdNumber: Int32
    private let ended: @Sendable (ChildEnd) -> Void
    private let state: Mutex<State>

    /// Starts `path`. `stdout` and `stderr` get each chunk; `ended` is called once, when both streams and the process
    /// have ended. All on the reactor's thread.
    static func start(
        path: String, arguments: [String], environment: [String: String], input: [UInt8],
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
        let child = Child(input: input, pidfd: OwnedFD(taking: pidfd), ended: ended)
        child.watch(output: ownOutput, stdout)
        child.watch(output: ownError, stderr)
        child.watch(process: pidfd)
        if !input.isEmpty { child.feed(ownInput) }
        return child
    }

    private init(input: [UInt8], pidfd: consuming OwnedFD, ended: @escaping @Sendable (ChildEnd) -> Void) {
        self.input = input
        self.ended = ended
        pidfdNumber = pidfd.rawValue
        state = Mutex(State(pidfd: pidfd))
    }

    /// Kills the child, if it still runs.
    func kill() {
        state.withLock { state in
            if state.pidfd != nil { _ = csd_pidfd_send_signal(pidfdNumber, SIGKILL) }
        }
    }

    private func watch(output: consuming OwnedFD, _ take: @escaping @Sendable (ArraySlice<UInt8>) -> Void) {
        let descriptor = output.release()
        let watched = Reactor.shared.watch(descriptor, for: CSD_EPOLL_READABLE) {
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = read(descriptor, &chunk, chunk.count)
            if count > 0 {
                take(chunk[..<count])
                return .more
            }
            if count < 0 && (errno == EAGAIN || errno == EINTR) { return .more }
            close(descriptor)
            self.settle { $0.openStreams -= 1 }
            return .done
        }
        if !watched {
            close(descriptor)
            settle { $0.openStreams -= 1 }
        }
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
            return .done
        }
        if !watched { kill() }
    }

    /// Writes the input as fast as the child takes it, then closes. A child may end, or close, without reading it.
    private func feed(_ pipe: consuming OwnedFD) {
        let descriptor = pipe.rawValue
        let number = pipe.release()
        state.withLock { $0.input = OwnedFD(taking: number) }
        let watched = Reactor.shared.watch(descriptor, for: CSD_EPOLL_WRITABLE) {
            self.state.withLock { state in
                guard state.input != nil else { return .done }
                let rest = self.input.count - state.written
                let count = self.input.withUnsafeBytes { bytes in
                    write(descriptor, bytes.baseAddress.map { $0 + state.written }, min(rest, 1 << 20))
                }
                if count < 0 && (errno == EAGAIN || errno == EINTR) { return .more }
                state.written += max(0, count)
                if count > 0 && state.written < self.input.count { return .more }
                _ = state.input.take()
                return .done
            }
        }
        if !watched { state.withLock { _ = $0.input.take() } }
    }

    private func settle(_ update: (inout State) -> Void) {
        let end = state.withLock { state -> ChildEnd? in
            update(&state)
            return state.openStreams == 0 ? state.end : nil
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
