internal import Dispatch
internal import Synchronization

/// Finds the pieces of work that last long, and those that are not done in time. It looks once a second as long as there is work,
/// because there are many small pieces, and a timer for each would stay longer than the piece.
final class Overdue: Sendable {
    private struct Piece {
        let limit: Duration
        let slow: @Sendable () -> Bool
        let late: @Sendable (_ hasBegun: Bool) -> Void
        /// When it began; before that, when it was added.
        var since = ContinuousClock.now
        var hasBegun = false
        var isSlow = false

        func isLate(_ now: ContinuousClock.Instant, _ queueing: Duration) -> Bool {
            now - since >= (hasBegun ? limit : queueing)
        }
    }

    private struct State {
        var pieces: [UInt64: Piece] = [:]
        /// The pieces that are not done and whose threads were replaced.
        var replaced: Set<UInt64> = []
        var next: UInt64 = 0
        var isLooking = false
    }

    /// A piece that lasts longer than this may wait for something that never comes.
    private static let brief = Duration.seconds(1)

    private let queueing: Duration
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "overdue")

    /// - Parameter queueing: how long a piece may wait to begin.
    init(queueing: Duration) {
        self.queueing = queueing
    }

    /// Adds a piece of work.
    /// - Parameters:
    ///   - limit: how long it may take from its beginning.
    ///   - slow: called once if it takes longer than a second. Returns whether it has replaced the thread.
    ///   - late: called once if it is not done or not begun in time, with whether it had begun.
    func add(
        within limit: Duration, slow: @escaping @Sendable () -> Bool, _ late: @escaping @Sendable (Bool) -> Void
    ) -> UInt64 {
        let (id, mustLook) = state.withLock { state in
            state.next += 1
            state.pieces[state.next] = Piece(limit: limit, slow: slow, late: late)
            defer { state.isLooking = true }
            return (state.next, !state.isLooking)
        }
        if mustLook { lookLater() }
        return id
    }

    /// Takes notice that a piece begins.
    /// - Returns: whether it is still wanted.
    func begin(_ id: UInt64) -> Bool {
        state.withLock { state in
            state.pieces[id]?.hasBegun = true
            state.pieces[id]?.since = .now
            return state.pieces[id] != nil
        }
    }

    /// Takes notice that a piece is done or no longer wanted.
    /// - Returns: whether its thread was replaced.
    @discardableResult func end(_ id: UInt64) -> Bool {
        state.withLock { state in
            state.pieces[id] = nil
            return state.replaced.remove(id) != nil
        }
    }

    private func lookLater() {
        queue.asyncAfter(deadline: .now() + .seconds(1)) { self.look() }
    }

    private func look() {
        let now = ContinuousClock.now
        state.withLock { state in
            for (id, piece) in state.pieces
            where piece.hasBegun && !piece.isSlow && now - piece.since >= min(Self.brief, piece.limit) {
                state.pieces[id]?.isSlow = true
                // The lock is held, so that the piece cannot end meanwhile.
                if piece.slow() { state.replaced.insert(id) }
            }
        }
        let (late, mustGoOn) = state.withLock { state in
            let late = state.pieces.filter { $0.value.isLate(now, queueing) }
            for id in late.keys { state.pieces[id] = nil }
            state.isLooking = !state.pieces.isEmpty
            return (Array(late.values), state.isLooking)
        }
        for piece in late { piece.late(piece.hasBegun) }
        if mustGoOn { lookLater() }
    }
}
