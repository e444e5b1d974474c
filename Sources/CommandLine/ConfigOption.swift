internal import FoundationEssentials
internal import ArgumentParser
internal import Supervisor

/// `--config`.
struct ConfigOption: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The config file.", valueName: "path"))
    var config = "~/.config/claude-ssh-daemon/config.json"

    var environment: [String: String] { ProcessInfo.processInfo.environment }

    /// The file, also where no shell has expanded the tilde.
    var path: String { ConfigFile.path(config, environment: environment) }
}
