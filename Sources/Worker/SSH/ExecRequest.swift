/// A command to be run on a host.
public struct ExecRequest: Sendable {
    /// The command line for the user's login shell there or for its `/bin/sh`, as the policy says.
    public let command: String
    /// The directory to run in. Empty or `~` means the login directory, and `~/…` is below it.
    public var directory: String
    /// Environment variables of the command. The caller has checked that the names are valid in a shell.
    public let environment: [String: String]
    /// The bytes of the command's standard input. The end of file follows them.
    public let input: [UInt8]
    /// How long the command may take, with the wait for a session.
    public let timeout: Duration
    /// Bytes that are kept of each output stream.
    public let outputLimit: Int
    /// Judges the input, which the gate does not see, once the gate allows the command. Throws if it is refused, or was not judged.
    public var judgesInput: (@Sendable () async throws(ExecFailure) -> Void)?
    /// Called twice a second while the command runs, with the time since the session was asked for and the last line of
    /// output. It must not block.
    public var report: (@Sendable (Duration, String) -> Void)?

    /// A command that the caller has checked.
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
