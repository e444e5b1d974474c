internal import IPC
internal import Synchronization

/// Remembers for a minute that the login shell of a host hangs before it starts a command, because a start-up file waits for
/// something or starts another program. Each call that found this out anew would wait, and leave one more shell hanging there.
final class StartupMemory: Sendable {
    /// What was seen of a login shell that hangs.
    struct Failure: Sendable {
        /// How long it was waited for.
        let within: Duration
        /// What it printed.
        let said: String

        /// What the caller of a command is told.
        var told: ExecFailure { .notBegun(within: within, detail: said) }
    }

    private struct State {
        var known: (failure: Failure, since: ContinuousClock.Instant)?
        var isTrying = false
        /// The nonces of the lines that may hang on the host.
        var leftBehind: [String] = []
    }

    /// How long a failure is remembered; `SFTPChannel` remembers its failures as long.
    private static let time = Duration.seconds(60)
    /// How many lines are remembered.
    private static let mostLeft = Int(Errand.maximumSwept)

    private let state = Mutex(State())

    /// What was seen less than a minute ago.
    var failure: Failure? {
        state.withLock { state in
            guard let known = state.known, .now - known.since < Self.time else { return nil }
            return known.failure
        }
    }

    /// Takes notice that the login shell did not start a command.
    func hung(_ failure: Failure) { state.withLock { $0.known = (failure, .now) } }

    /// Takes notice that a line with this nonce was given up, and may hang on the host.
    func left(_ nonce: String) {
        state.withLock { if $0.leftBehind.count < Self.mostLeft { $0.leftBehind.append(nonce) } }
    }

    /// Takes notice that the login shell has started a command.
    /// - Returns: the nonces of the lines that may still hang on the host, which are forgotten here.
    func works() -> [String] {
        state.withLock { state in
            defer { (state.known, state.leftBehind) = (nil, []) }
            return state.leftBehind
        }
    }

    /// Begins a trial of the login shell.
    /// - Returns: whether the caller may do it. Only one trial runs at a time.
    func beginTrial() -> Bool {
        state.withLock { state in
            defer { state.isTrying = true }
            return !state.isTrying
        }
    }

    /// Ends a trial. If the login shell hung again, the failure is remembered for another minute.
    func endTrial(hung: Bool) {
        state.withLock { state in
            state.isTrying = false
            state.known = hung ? state.known.map { ($0.failure, .now) } : nil
        }
    }
}
