/// How a command ended.
public struct ExecOutput: Sendable {
    /// One of its output streams.
    public struct Stream: Equatable, Sendable {
        /// The bytes that were kept, as text; what is not UTF-8 is replaced by U+FFFD.
        public let text: String
        /// How many bytes came in all.
        public let bytes: Int
        /// Whether bytes were left out.
        public let truncated: Bool
        /// Whether bytes that are not UTF-8 were replaced in the text.
        public var lossy = false
    }

    /// Standard output.
    public let stdout: Stream
    /// Standard error.
    public let stderr: Stream
    /// The exit status; 128 + n after signal n, as shells count, and -1 if it is not known. After a timeout it is that of the
    /// stopped command.
    public let exitCode: Int
    /// The name of the signal that ended the command, such as `SIGKILL`; nil if there was none or the host's shell did not tell.
    public let signal: String?
    /// Whether the time limit passed before the command ended. A command that ended by itself before it could be stopped has
    /// not timed out.
    public let timedOut: Bool
    /// How sure we are that nothing of the command still runs; nil if it has not timed out.
    public let stopped: StopVerdict?
    /// Whether the command ended while a process that it left behind kept its output open.
    public let background: Bool
    /// The time from the mark of the command's start to that of its end. The wait for a session and the start-up files of the
    /// login shell do not count.
    public let duration: Duration
    /// What was seen of a host that said nothing when the command was to be stopped; nil where it was heard.
    public var unanswered: HostSessions.Reach?
}
