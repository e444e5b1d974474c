internal import SSH
internal import Synchronization

/// The deadline of one call on remote files, however many requests it makes.
///
/// A task-local value holds it, so that every request of the call is charged to it. The client gives up a connection
/// that is silent. This deadline ends a call whose host answers each request but takes too long over all of them.
final class HostOperation: Sendable {
    @TaskLocal static var current: HostOperation?

    /// What a reply brought.
    enum Gain {
        /// An answer to a question. This side decides how many it asks, so the length of the answer does not count.
        case answer
        /// Bytes of a file. The host may give them in as many pieces as it likes.
        case piece(Int)
        /// Names of a directory. The host may give them in as many pieces as it likes, too.
        case names(Int)
        /// Bytes of a file that the host took.
        case taken(Int)

        /// How many bytes count for the time that the call may last.
        var bytes: Int {
            switch self {
            case .answer: 0
            case .piece(let count), .names(let count), .taken(let count): count
            }
        }
    }

    /// One reply, and the wait for it.
    struct Step {
        let gain: Gain
        let waited: Duration
        let sent: ContinuousClock.Instant
        /// Time that its request may take beyond the patience, see `SFTPClient`.
        let grant: Duration
        /// How many bytes the connection had moved for all its calls before this reply.
        let ofAll: UInt64
    }

    private struct State {
        var deadline: ProgressDeadline
        /// When the last round trip ended.
        var turn = ContinuousClock.now
        /// How many bytes the connection had moved for all its calls after the last reply to this one.
        var seenOfAll: UInt64?
        /// Time that was granted so far because other calls were served.
        var lent = Duration.zero
        var pieces = 0
        var bytes = 0

        /// Grants time for what the line brought to other calls meanwhile: they share it, and this call waited for
        /// them. The sum is bounded.
        mutating func borrow(_ step: Step, own: Int) -> Duration {
            let before = seenOfAll ?? step.ofAll
            seenOfAll = step.ofAll + UInt64(own)
            let others = Int(clamping: step.ofAll > before ? step.ofAll - before : 0)
            let lending = min(ProgressDeadline.worth(of: others), step.waited, deadline.patience * 19 - lent)
            lent += lending
            return lending
        }
    }

    /// How many pieces of a file may have any size. Beyond these, the pieces must have 256 bytes on average.
    private static let freePieces = 256
    private static let shortestPiece = 256

    private let state: Mutex<State>

    init(_ patience: Duration) {
        state = Mutex(State(deadline: ProgressDeadline(patience)))
    }

    /// Why a call ends early.
    enum Verdict {
        /// The host takes too long in all.
        case slow
        /// The host gives a file in pieces that are too small; they have this many bytes on average.
        case inPieces(bytes: Int)
    }

    /// Charges a reply. Returns why the call must end; nil if it may go on.
    func charge(_ step: Step) -> Verdict? {
        state.withLock { state in
            var grant = step.grant
            switch step.gain {
            case .answer:
                // A round trip is granted a quarter of the patience. Questions that were asked together make one round
                // trip.
                if step.sent >= state.turn {
                    grant += state.deadline.patience / 4
                    state.turn = .now
                }
            case .piece(let count):
                state.pieces += 1
                state.bytes += count
            case .names, .taken: break
            }
            grant += state.borrow(step, own: step.gain.bytes)
            state.deadline.spend(step.waited, moved: step.gain.bytes, grant: grant)
            if state.deadline.isOver { return .slow }
            let mostPieces = Self.freePieces + state.bytes / Self.shortestPiece
            return state.pieces > mostPieces ? .inPieces(bytes: state.bytes / state.pieces) : nil
        }
    }
}
