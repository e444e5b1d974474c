internal import IPC
internal import Synchronization

/// A session that stays open and carries bytes in both directions. At its other end is a subsystem or a command.
public final class SSHChannel: Sendable {
    /// How many bytes may wait for the session's pipe to take them. Callers bound what they have under way by the host's answers,
    /// but a hostile host may answer without reading, and then the queue would grow without end.
    static let mostQueued = 64 << 20

    private let peer: any PipedPeer
    private let errors: StreamBox<OutputWindow>
    private let queued = Atomic<Int>(0)

    init(peer: any PipedPeer, errors: StreamBox<OutputWindow>) {
        self.peer = peer
        self.errors = errors
    }

    /// What the other end wrote to standard error so far, at most 4096 bytes.
    public var said: String { errors.value.output().text }

    /// Queues bytes for the other end. `then` is called when the session's pipe has taken them, or when it takes none any more.
    /// The session is given up if more than 64 MiB are queued.
    public func send(_ bytes: [UInt8], then: @escaping @Sendable () -> Void = {}) {
        send(bytes, piece: bytes.count) { _ in then() }
    }

    /// Queues bytes like `send`, and calls `then` for each `piece` bytes of them, with how many these are. No other bytes come
    /// between the pieces.
    public func send(_ bytes: [UInt8], piece: Int, then: @escaping @Sendable (Int) -> Void) {
        let count = bytes.count
        guard queued.add(count, ordering: .relaxed).newValue <= Self.mostQueued else {
            errors.with { $0.append("the host does not read what it is sent".utf8) }
            peer.abandon()
            then(count)
            return
        }
        let starts = stride(from: 0, to: max(1, count), by: max(1, piece))
        peer.write(starts.map { bytes[$0..<min($0 + piece, count)] }) { count in
            self.queued.subtract(count, ordering: .relaxed)
            then(count)
        }
    }

    /// Closes the input after the queued bytes, so that the other end reads the end of file.
    public func finishInput() { peer.finishInput() }

    /// Ends the session. `ended` of `HostSessions.open` is called as for every end.
    public func close() { peer.abandon() }
}
