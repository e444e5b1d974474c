public import IPC

/// A command for a host.
public struct ExecRequest: Sendable {
    /// For the user's login shell there, or for its `/bin/sh`, as the policy says.
    public let command: String
    /// Directory to run in; empty for the login directory, a leading `~/` means the same directory.
    public let directory: String
    /// Variables for the command; the names are valid shell names.
    public let environment: [String: String]
    /// Bytes for its standard input, then end of file.
    public let input: [UInt8]
    /// How long it may run.
    public let timeout: Duration
    /// Bytes kept of each stream.
    public let outputLimit: Int
    /// Gets the time since the start and the last line of output, twice a second while the command runs; it must not block.
    public var report: (@Sendable (Duration, String) -> Void)?

    /// A command, checked by the caller.
    public init(
        command: String, directory: String, environment: [String: String], input: [UInt8], timeout: Duration,
        outputLimit: Int
    ) {
        self.command = command
        self.directory = directory
        self.environment = environment
        self.input = input
        self.timeout = timeout
        self.outputLimit = outputLimit
    }
}

/// How a command ended.
public struct ExecOutput: Sendable {
    /// One of its output streams.
    public struct Stream: Equatable, Sendable {
        /// What was kept, invalid UTF-8 replaced.
        public let text: String
        /// Bytes that came in all.
        public let bytes: Int
        /// Whether some were left out.
        public let truncated: Bool
    }

    /// Standard output.
    public let stdout: Stream
    /// Standard error.
    public let stderr: Stream
    /// Exit status, 128 + n after signal n as shells count; -1 where it is not known. After a timeout that of the stopped command.
    public let exitCode: Int
    /// The signal that ended it, where the host's shell tells, as `SIGKILL`.
    public let signal: String?
    /// The timeout ran out before the command ended, and it was stopped, or should have been. One that ended by itself before
    /// it could be stopped has not timed out.
    public let timedOut: Bool
    /// After a timeout: how sure we are that nothing of it runs.
    public let stopped: StopVerdict?
    /// It ended, but a process that it left behind keeps its output open.
    public let background: Bool
    /// From the command's start to its end, as the host told them: neither the waiting for a session nor start-up files.
    public let duration: Duration
}

/// Why a command has no result.
public enum ExecFailure: Error, Sendable {
    /// The ControlMaster does not answer; nothing has run.
    case masterDown(MasterDown)
    /// The working directory cannot be entered; nothing has run.
    case directory(detail: String)
    /// The working directory leads out of its tree; nothing has run.
    case outside
    /// The encoded command is longer than an argument may be; nothing has run.
    case tooLong(bytes: Int, limit: Int)
    /// The host has no free session and none became free in time; nothing has run.
    case noSession(SessionShortage)
    /// The command had not told its start after so long, and was given up; with what the login shell printed.
    case notBegun(within: Duration, detail: String)
    /// The login shell ended before it told the start of the command: with this status, and what it printed.
    case notStarted(status: Int?, detail: String)
    /// The gate's policy does not allow it; nothing has run.
    case notAllowed(GateRefusal)
    /// The ControlMaster opened no session, and says why; nothing has run.
    case notOpened(detail: String)
    /// The connection was lost while the command ran; its outcome is unknown. With the last of its output.
    case lost(output: String)
    /// `ssh` could not be started here.
    case spawn(detail: String)
    /// The caller cancelled, with how sure we are that nothing of it runs.
    case cancelled(StopVerdict)
}

/// Signal names by number, signal(7) on Linux; other systems share those that end commands in practice.
enum SignalName {
    private static let names = [
        1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
        9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
        24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
    ]

    static func of(exitStatus: Int) -> String? {
        guard (129...192).contains(exitStatus) else { return nil }
        return names[exitStatus - 128] ?? "SIG\(exitStatus - 128)"
    }
}
