internal import SSH
internal import Synchronization

/// The deadline of one call on remote files, however many requests it makes.
///
/// It is the task's, so that every request of the call is charged to it. A connection that is silent is given up by its
/// client; this one ends a call whose host answers each request, and drags it out.
final class HostOperation: Sendable {
    @TaskLocal static var current: HostOperation?

    /// What a reply brought.
    enum Gain {
        /// An answer to a question. How many are asked is up to us, so its length does not matter.
        case answer
        /// Bytes of a file, which the host may give in as many pieces as it likes.
        case piece(Int)
        /// Names of a directory, for which the same is true.
        case names(Int)
        /// Bytes that the host took.
        case taken(Int)

        /// Bytes in proportion to which the call may last.
        var bytes: Int {
            switch self {
            case .answer: 0
            case .piece(let count), .names(let count), .taken(let count): count
            }
        }
    }

    /// One reply, and how it was waited for.
    struct Step {
        let gain: Gain
        let waited: Duration
        let sent: ContinuousClock.Instant
        /// What its request was granted, see `SFTPClient`.
        let grant: Duration
        /// Bytes that the connection has brought to all its calls.
        let ofAll: UInt64
    }

    private struct State {
        var deadline: ProgressDeadline
        /// When the last question was answered.
        var turn = ContinuousClock.now
        var seenOfAll: UInt64?
        /// Time that was granted because others were served.
        var lent = Duration.zero
        var pieces = 0
        var bytes = 0

        /// Other calls share the line: what it brought to them meanwhile is why this one waited, up to a bound.
        mutating func borrow(_ step: Step, own: Int) -> Duration {
            let before = seenOfAll ?? step.ofAll
            seenOfAll = step.ofAll + UInt64(own)
            let others = Int(clamping: step.ofAll > before ? step.ofAll - before : 0)
            let lending = min(ProgressDeadline.worth(of: others), step.waited, deadline.patience * 19 - lent)
            lent += lending
            return lending
        }
    }

    /// Pieces of a file that may be of any size; the others have 256 bytes on the average.
    private static let freePieces = 256
    private static let shortestPiece = 256

    private let state: Mutex<State>

    init(_ patience: Duration) {
        state = Mutex(State(deadline: ProgressDeadline(patience)))
    }

    /// Why a call ends early.
    enum Verdict {
        case slow
        case inPieces(bytes: Int)
    }

    /// Charges a reply.
    func charge(_ step: Step) -> Verdict? {
        state.withLock { state in
            var grant = step.grant
            switch step.gain {
            case .answer:
                // A quarter of the patience for a round trip. What was asked together is one round trip.
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
