internal import Synchronization

/// Input for a command that it gets when it has told its start. Until then start-up files of the login shell read the same
/// stream: one that asks a question, or starts another shell, would take a command's input for its own, and run it.
final class HeldInput: Sendable {
    private struct State {
        var peer: (any PipedPeer)?
        var hasStarted = false
    }

    private let bytes: [UInt8]
    private let state = Mutex(State())

    /// Nothing to hold back is an end of file at once, for whatever reads it.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.isEmpty { state.withLock { $0.hasStarted = true } }
    }

    /// Names whose standard input it is.
    func attach(to peer: any PipedPeer) {
        state.withLock { $0.peer = peer }
        giveIfStarted()
    }

    /// The command has told its start.
    func commandStarted() {
        state.withLock { $0.hasStarted = true }
        giveIfStarted()
    }

    private func giveIfStarted() {
        let peer = state.withLock { state -> (any PipedPeer)? in
            guard state.hasStarted else { return nil }
            defer { state.peer = nil }
            return state.peer
        }
        guard let peer else { return }
        peer.write([bytes[...]]) { _ in }
        peer.finishInput()
    }

    /// It has ended.
    func detach() { state.withLock { $0.peer = nil } }
}
