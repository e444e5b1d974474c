internal import Mux

/// A connection of an `ssh` of the worker, which takes the gate for its master.
final class SSHSide {
    /// How many a worker may have: one for each session, and those that are about to end.
    static let maximum = 160
    /// How long one may take to ask for its session, in milliseconds.
    static let patience = 15_000

    let link: SSHLink
    /// The worker's request whose session it carries.
    var requestID: UInt32?
    /// Until when it must have asked.
    let deadline: Int

    init(_ link: SSHLink, now: Int) {
        self.link = link
        deadline = now + Self.patience
    }
}
