internal import ArgumentParser
internal import FoundationEssentials
internal import Glibc

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
        do {
            let loaded = try ConfigFile.load(file.path, environment: file.environment)
            try Startup.check(loaded)
            Startup.warn(loaded)
            let worker = try Startup.workerProgram()
            try Daemon(config: loaded, configPath: file.path, environment: file.environment, workerProgram: worker)
                .run()
        } catch let error as ConfigError {
            error.log("config cannot be used")
            throw ExitCode(2)
        } catch let error as StartError {
            Log.write(.error, "cannot start", ["error": .text(error.sentence)])
            throw ExitCode.failure
        }
    }
}

/// `--config`.
struct ConfigOption: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The config file.", valueName: "path"))
    var config = "~/.config/claude-ssh-daemon/config.json"

    var environment: [String: String] { ProcessInfo.processInfo.environment }

    /// The file, also where no shell has expanded the tilde.
    var path: String {
        config.hasPrefix("~/") ? (PathExpansion(environment: environment).home ?? "") + config.dropFirst(1) : config
    }
}
