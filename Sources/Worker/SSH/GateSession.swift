internal import IPC
internal import Synchronization

/// A session of a host that the gate opens, with three pipes of this side at its other end.
final class GateSession: PipedPeer {
    private struct State {
        /// The gate's number for it; nil before it is asked, and when the gate has said its last word.
        var number: UInt32?
        /// The status of what it ran, where that has ended.
        var status: UInt32?
        /// How it ended, in the gate's last word.
        var end: SessionEnd.How?
        var told = false
    }

    private let gate: any MasterGate
    private let pulse: HostPulse
    private let pipes: SessionPipes
    private let opened: @Sendable () -> Void
    private let ended: @Sendable (SessionEnd.How) -> Void
    private let state = Mutex(State())

    /// Asks the gate for a session. `stdout` and `stderr` get each chunk that comes, on the reactor's thread; `opened` is called
    /// when the host has opened it, and `ended` once, when both streams and the session have ended.
    /// - Throws: where this process has no descriptors left.
    static func open(
        _ request: GateRequest, by gate: any MasterGate, pulse: HostPulse, reactor: Reactor = .shared,
        stdout: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        stderr: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        opened: @escaping @Sendable () -> Void,
        ended: @escaping @Sendable (SessionEnd.How) -> Void
    ) throws(IPCError) -> GateSession {
        let session = GateSession(gate, pulse, SessionPipes(reactor: reactor), opened, ended)
        let theirs = try session.pipes.open(
            stdout: { chunk in
                pulse.heard()
                stdout(chunk)
            },
            stderr: { chunk in
                pulse.heard()
                stderr(chunk)
            }, closed: { session.settle { _ in } })
        let number = gate.open(request, theirs) { session.hear($0) }
        session.state.withLock { if $0.end == nil { $0.number = number } }
        return session
    }

    private init(
        _ gate: any MasterGate, _ pulse: HostPulse, _ pipes: SessionPipes, _ opened: @escaping @Sendable () -> Void,
        _ ended: @escaping @Sendable (SessionEnd.How) -> Void
    ) {
        self.gate = gate
        self.pulse = pulse
        self.pipes = pipes
        self.opened = opened
        self.ended = ended
    }

    private func hear(_ word: SessionWord) {
        let end: SessionEnd.How
        switch word {
        case .opened:
            pulse.heard()
            return opened()
        case .exited(let status):
            pulse.heard()
            return state.withLock { $0.status = status }
        case .notOpened(let failure):
            if failure == .byHost { pulse.heard() }
            end = .notOpened(failure)
        case .ended, .lost: end = state.withLock { $0.status }.map { .exited($0) } ?? .ended
        }
        // Nobody reads it any more.
        pipes.closeInput()
        if word == .lost { pipes.letGo() }
        settle { state in
            state.end = end
            state.number = nil
        }
    }

    func write(_ pieces: [ArraySlice<UInt8>], then: @escaping @Sendable (Int) -> Void) {
        pipes.write(pieces, then: then)
    }

    func finishInput() { pipes.finishInput() }

    /// Has the gate end the session, and lets go of its output.
    func abandon() {
        if let number = state.withLock({ $0.number }) { gate.close(number) }
        pipes.letGo()
    }

    private func settle(_ update: (inout State) -> Void) {
        let end = state.withLock { state -> SessionEnd.How? in
            update(&state)
            guard pipes.isClosed, !state.told, let end = state.end else { return nil }
            state.told = true
            return end
        }
        if let end { ended(end) }
    }
}
