/// One turn of the loop. It is bounded by time and not by a number of messages, because a message may cost little or much,
/// whatever its length.
struct LoopTurn {
    /// How long workers may be heard in one turn, in microseconds. Signals and those who come and go wait so long at most,
    /// and for the one message that is just being answered.
    static let length = 5_000

    private let end: Int

    /// A turn that begins now.
    init() { end = Clock.microseconds() + Self.length }

    var isOver: Bool { Clock.microseconds() >= end }
}
