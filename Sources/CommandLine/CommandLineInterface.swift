internal import ArgumentParser
internal import IPC
internal import Supervisor

/// `claude-ssh-daemon`: what a person or systemd starts.
@main
struct CommandLineInterface: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "claude-ssh-daemon",
        abstract: "Lets MCP clients work on remote hosts through your OpenSSH ControlMaster sessions.",
        discussion:
            "Runs in the foreground and logs to standard error: to a terminal a line for a person, with colors unless NO_COLOR is "
            + "set, else JSON, an object a line, for the journal of systemd behind its priority. SIGTERM and SIGINT stop it within five "
            + "seconds, a second one at once; SIGHUP reads the config again and reopens the audit log.",
        version: Version.text,
        subcommands: [CheckCommand.self, AuditCommand.self])

    @OptionGroup var file: ConfigOption

    @Option(
        name: .long,
        help: ArgumentHelp("The least severe lines of the log: info, warning or error.", valueName: "level"))
    var logLevel = LogLevel.info

    func run() throws {
        let status = ServeCommand.run(configPath: file.path, environment: file.environment, logLevel: logLevel)
        guard status == 0 else { throw ExitCode(status) }
    }
}

extension LogLevel: ExpressibleByArgument {
    /// The level of this name.
    public init?(argument: String) { self.init(name: argument) }

    /// For the help.
    public var defaultValueDescription: String { name }

    /// For the help, completions and errors.
    public static var allValueStrings: [String] { allCases.map(\.name) }
}
