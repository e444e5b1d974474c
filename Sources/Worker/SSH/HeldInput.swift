internal import Synchronization

/// A command's input, which is held back until the mark of its start has come. Before that, the start-up files of the login
/// shell read the same stream: one that asks a question or starts another shell would take the input, and perhaps run it.
final class HeldInput: Sendable {
    private struct State {
        var peer: (any PipedPeer)?
        var hasStarted = false
    }

    private let bytes: [UInt8]
    private let state = Mutex(State())

    /// With no bytes there is nothing to hold back, and the input is closed at once.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.isEmpty { state.withLock { $0.hasStarted = true } }
    }

    /// Names the session that gets the input.
    func attach(to peer: any PipedPeer) {
        state.withLock { $0.peer = peer }
        giveIfStarted()
    }

    /// Takes notice of the command's start.
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

    /// Takes notice that the session has ended.
    func detach() { state.withLock { $0.peer = nil } }
}
