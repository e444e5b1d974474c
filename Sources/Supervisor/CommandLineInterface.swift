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
            + "seconds, a second one at once; SIGHUP reads the config again.",
        version: Version.text)

    @Option(name: .long, help: ArgumentHelp("The config file.", valueName: "path"))
    var config = "~/.config/claude-ssh-daemon/config.json"

    func run() throws {
        let environment = ProcessInfo.processInfo.environment
        let path =
            config.hasPrefix("~/") ? (PathExpansion(environment: environment).home ?? "") + config.dropFirst(1) : config
        do {
            let loaded = try ConfigFile.load(path, environment: environment)
            try Startup.check(loaded)
            Startup.warn(loaded)
            let worker = try Startup.workerProgram()
            try PatternCheck.run(loaded, path: path, program: worker)
            try Daemon(config: loaded, configPath: path, environment: environment, workerProgram: worker).run()
        } catch let error as ConfigError {
            for mistake in error.mistakes {
                Log.write(.error, "config cannot be used", ["path": .text(error.path), "error": .text(mistake)])
            }
            throw ExitCode(2)
        } catch let error as StartError {
            Log.write(.error, "cannot start", ["error": .text(error.sentence)])
            throw ExitCode.failure
        }
    }
}
