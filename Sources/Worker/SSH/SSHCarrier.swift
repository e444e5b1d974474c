internal import CLinux
internal import Glibc
internal import IPC
internal import Synchronization

/// The `ssh` that carries one session: it brings the gate the session's pipes, and lives as long as the session does.
final class SSHCarrier: Sendable {
    private struct State: ~Copyable {
        /// The session's ends of its pipes, until `ssh` has them.
        var pipes: PassedDescriptors
        /// Its pidfd; nil before it runs and once it has been reaped.
        var process: Reactor.Watch?
        /// Why there is none any more.
        var ended: String?
        /// The gate has said its last word.
        var isOver = false

        init(_ pipes: consuming PassedDescriptors) {
            self.pipes = pipes
        }
    }

    private let gate: any TicketGate
    private let heard: @Sendable (SessionWord) -> Void
    private let state: Mutex<State>

    init(
        _ pipes: consuming PassedDescriptors, of gate: any TicketGate,
        _ heard: @escaping @Sendable (SessionWord) -> Void
    ) {
        self.gate = gate
        self.heard = heard
        state = Mutex(State(pipes))
    }

    /// Starts `ssh`, unless the session is over already. If it cannot be started, the session is closed.
    func start(_ program: String, _ arguments: [String], for session: UInt32, reactor: Reactor = .shared) {
        let failure = state.withLock { state -> String? in
            guard !state.isOver else { return nil }
            var pipes = PassedDescriptors()
            swap(&pipes, &state.pipes)
            do throws(IPCError) {
                var process: Reactor.Watch?
                // The lock keeps the handler waiting until the process is kept.
                try SpawnedChild.start(program, arguments, SSHInvocation.environment, &pipes) {
                    pidfd throws(IPCError) in
                    let number = pidfd.rawValue
                    process = try reactor.watch(pidfd, for: CSD_EPOLL_READABLE) {
                        self.reap(number, program, session)
                    }
                }
                state.process = process
                return nil
            } catch {
                let why = "\(program): \(String(cString: strerror(Int32(clamping: error.systemErrno))))"
                state.ended = why
                return why
            }
        }
        if let failure {
            SSHTrouble.note(failure)
            gate.close(session)
        }
    }

    func hear(_ word: SessionWord) {
        switch word {
        case .opened, .exited: heard(word)
        case .notOpened(let failure): heard(.notOpened(end(failure)))
        case .ended, .lost:
            _ = end(nil)
            heard(word)
        }
    }

    /// The session is over. `ssh` would end by itself as well, and write what it thinks of that.
    /// - Returns: why it was not opened.
    private func end(_ failure: SessionFailure?) -> SessionFailure {
        let ended = state.withLock { state -> String? in
            state.isOver = true
            state.pipes = PassedDescriptors()
            if let process = state.process { _ = csd_pidfd_send_signal(process.number, SIGKILL) }
            return state.ended
        }
        switch failure {
        // Nobody has closed it but this, because its `ssh` had ended.
        case .closed(wasAsked: false): return ended.map { .ssh($0) } ?? .closed(wasAsked: false)
        case .some(let failure): return failure
        case .none: return .closed(wasAsked: true)
        }
    }

    private func reap(_ pidfd: Int32, _ program: String, _ session: UInt32) -> Reactor.Next {
        let (isReaped, isOver) = state.withLock { state -> (Bool, Bool) in
            // `start` may have failed to watch it, and then the pidfd is closed.
            guard state.process != nil else { return (true, true) }
            guard let end = SpawnedChild.reap(pidfd) else { return (false, false) }
            state.process = nil
            state.ended = "\(program) \(end)"
            return (true, state.isOver)
        }
        guard isReaped else { return .more }
        // The gate has seen it go where it had come; where it had not, the gate still waits for it.
        if !isOver { gate.close(session) }
        return .finished
    }
}
