/// A reply and the time when it came.
struct TimedReply: Sendable {
    let reply: SFTPReply
    let arrived = ContinuousClock.now
}
