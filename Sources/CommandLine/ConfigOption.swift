internal import FoundationEssentials
internal import ArgumentParser
internal import Supervisor

/// `--config`.
struct ConfigOption: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("The config file. (default: \(DefaultConfigPath.description))", valueName: "path"))
    var config: String?

    var environment: [String: String] { ProcessInfo.processInfo.environment }

    /// The file that is named, also where no shell has expanded the tilde, or the default one.
    var path: String {
        config.map { ConfigFile.path($0, environment: environment) } ?? DefaultConfigPath.path(environment: environment)
    }
}
