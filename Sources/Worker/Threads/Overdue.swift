internal import Dispatch
internal import Synchronization

/// Finds the pieces of work that are not done when their time is over. It looks once a second, as long as there are any: a timer
/// for each of the many small pieces would outlive them.
final class Overdue: Sendable {
    private struct Piece {
        let end: ContinuousClock.Instant
        let late: @Sendable (_ hasBegun: Bool) -> Void
        var hasBegun = false
    }

    private struct State {
        var pieces: [UInt64: Piece] = [:]
        var next: UInt64 = 0
        var isLooking = false
    }

    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "overdue")

    /// A piece of work must be done in this time, or `late` is called, once, with whether it had begun.
    func add(within limit: Duration, _ late: @escaping @Sendable (Bool) -> Void) -> UInt64 {
        let (id, mustLook) = state.withLock { state in
            state.next += 1
            state.pieces[state.next] = Piece(end: .now + limit, late: late)
            defer { state.isLooking = true }
            return (state.next, !state.isLooking)
        }
        if mustLook { lookLater() }
        return id
    }

    /// - Returns: whether the piece is still wanted.
    func begin(_ id: UInt64) -> Bool {
        state.withLock { state in
            state.pieces[id]?.hasBegun = true
            return state.pieces[id] != nil
        }
    }

    /// The piece is done, or nobody wants it any more.
    func end(_ id: UInt64) { state.withLock { $0.pieces[id] = nil } }

    private func lookLater() {
        queue.asyncAfter(deadline: .now() + .seconds(1)) { self.look() }
    }

    private func look() {
        let now = ContinuousClock.now
        let (late, mustGoOn) = state.withLock { state in
            let late = state.pieces.filter { $0.value.end <= now }
            for id in late.keys { state.pieces[id] = nil }
            state.isLooking = !state.pieces.isEmpty
            return (Array(late.values), state.isLooking)
        }
        for piece in late { piece.late(piece.hasBegun) }
        if mustGoOn { lookLater() }
    }
}
