/// How sure we are that nothing of a command that was to be stopped still runs.
public enum StopVerdict: String, Sendable {
    /// Each process of the command was seen to be gone.
    case confirmed
    /// The signals were sent, and a process was still there afterwards. It may belong to another user or be in uninterruptible
    /// sleep. Or it has lost its parent in a session that the host shares among commands, and may belong to another command.
    case signalled
    /// The host could not be asked, or the command's process id is not known.
    case unknown
}
