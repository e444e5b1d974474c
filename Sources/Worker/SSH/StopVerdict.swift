/// How sure we are that nothing of a stopped command runs any more.
public enum StopVerdict: String, Sendable {
    /// Every process of it was seen to be gone.
    case confirmed
    /// The signals were sent, but something was still there afterwards: another user's process, one in uninterruptible sleep,
    /// or one without a parent that may be of the command or of another one, in a session that the host shares among them.
    case signalled
    /// The host could not be asked, or the command had not told its process id.
    case unknown
}
