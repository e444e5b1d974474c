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
            "Runs in the foreground and logs JSON lines to standard error. SIGTERM and SIGINT stop it within five "
            + "seconds, a second one at once; SIGHUP reads the config again and reopens the audit log.",
        version: Version.text,
        subcommands: [CheckCommand.self, AuditCommand.self])

    @OptionGroup var file: ConfigOption

    func run() throws {
        let status = ServeCommand.run(configPath: file.path, environment: file.environment)
        guard status == 0 else { throw ExitCode(status) }
    }
}
