/// One turn of the loop. It is bounded by time and not by a number of messages, because any message may take little or much
/// time.
struct LoopTurn {
    /// How long messages of workers are taken in one turn, in microseconds. Signals and clients wait at most this long, and for
    /// the message that is being handled then.
    static let length = 5_000

    private let end: Int

    /// A turn that begins now.
    /// - Parameter length: in microseconds.
    init(length: Int = Self.length) { end = Clock.microseconds() + length }

    var isOver: Bool { Clock.microseconds() >= end }
}
