internal import IPC
internal import Synchronization

/// Remembers that the login shell of a host began nothing: a start-up file of it waits for something or starts another program.
/// Calls that come soon after need not find it out again, each by waiting and by one shell more that hangs there.
final class StartupMemory: Sendable {
    /// What was seen of it.
    struct Failure: Sendable {
        let within: Duration
        let said: String

        var told: ExecFailure { .notBegun(within: within, detail: said) }
    }

    private struct State {
        var known: (failure: Failure, since: ContinuousClock.Instant)?
        var isTrying = false
        var leftBehind: [String] = []
    }

    /// How long calls are told at once, as `SFTPChannel` does.
    private static let time = Duration.seconds(60)
    /// Lines that are remembered as hanging on the host.
    private static let mostLeft = Int(Errand.maximumSwept)

    private let state = Mutex(State())

    /// What is known of a short while ago.
    var failure: Failure? {
        state.withLock { state in
            guard let known = state.known, .now - known.since < Self.time else { return nil }
            return known.failure
        }
    }

    /// Nothing has begun.
    func hung(_ failure: Failure) { state.withLock { $0.known = (failure, .now) } }

    /// A line with this nonce was given up, and may hang on the host.
    func left(_ nonce: String) {
        state.withLock { if $0.leftBehind.count < Self.mostLeft { $0.leftBehind.append(nonce) } }
    }

    /// Something has begun.
    /// - Returns: the nonces of what may hang there from before.
    func works() -> [String] {
        state.withLock { state in
            defer { (state.known, state.leftBehind) = (nil, []) }
            return state.leftBehind
        }
    }

    /// Whether it may be tried now: one at a time does.
    func beginTrial() -> Bool {
        state.withLock { state in
            defer { state.isTrying = true }
            return !state.isTrying
        }
    }

    /// A trial has ended. Where it hung as before, that is known for a while longer.
    func endTrial(hung: Bool) {
        state.withLock { state in
            state.isTrying = false
            state.known = hung ? state.known.map { ($0.failure, .now) } : nil
        }
    }
}

extension HostSessions {
    /// How long a login shell may take until the command begins, however long that may run.
    static let beginning = Duration.seconds(20)

    /// Throws where nothing began there a short while ago. Then it is tried anew beside the call, so that a host that was mended
    /// serves the next.
    func failWhereStartupHangs() throws(ExecFailure) {
        guard let failure = master.startup.failure else { return }
        if master.startup.beginTrial() { Task { await tryStartup() } }
        throw failure.told
    }

    private func tryStartup() async {
        let nonce = Nonce.make()
        let answer = try? await run(.trial(nonce: nonce), within: Self.beginning)
        if answer?.stdout.contains(nonce) == true { startupWorks() }
        if answer?.isLate == true { await leave(nonce) }
        master.startup.endTrial(hung: answer?.isLate == true)
    }

    /// A line with this nonce was given up. Nothing tells which process it is, nor can its host be asked while every shell hangs.
    func leave(_ nonce: String) async {
        master.startup.left(nonce)
        await budget.leftRunning(until: nil)
    }

    /// Something has begun there: what hung before can be ended now.
    func startupWorks() {
        let nonces = master.startup.works()
        guard !nonces.isEmpty else { return }
        Task {
            await budget.stopBegins()
            let answer = try? await run(.sweep(nonces: nonces), within: .seconds(10))
            await budget.stopEnded(tookSession: true)
            if answer?.end == .exited(0) { await budget.nothingLeft() }
        }
    }
}
