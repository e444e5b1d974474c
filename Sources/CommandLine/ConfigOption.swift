internal import FoundationEssentials
internal import ArgumentParser
internal import Supervisor

/// `--config`.
struct ConfigOption: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The config file; without it the one in $XDG_CONFIG_HOME, else ~/.config.", valueName: "path"))
    var config = DefaultConfigPath.path(environment: ProcessInfo.processInfo.environment)

    var environment: [String: String] { ProcessInfo.processInfo.environment }

    /// The file, also where no shell has expanded the tilde.
    var path: String { ConfigFile.path(config, environment: environment) }
}
