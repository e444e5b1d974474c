internal import IPC

/// Why a config cannot be used: all mistakes in it.
struct ConfigError: Error {
    /// The path of the config.
    let path: String
    /// The mistakes, each with its JSON path.
    let mistakes: [String]
    /// Unknown keys. One of them may be a misspelled key that is required.
    var warnings: [String] = []
    /// What could be read of the config. Its patterns are still to be judged, see `PatternCheck`.
    var policy: PolicySnapshot?

    /// The same error with more mistakes.
    func adding(_ more: [String]) -> ConfigError {
        ConfigError(path: path, mistakes: mistakes + more, warnings: warnings)
    }

    /// Logs all mistakes and warnings. `consequence` is the message of each mistake.
    func log(_ consequence: String) {
        for mistake in mistakes { Log.write(.error, consequence, ["path": .text(path), "error": .text(mistake)]) }
        for warning in warnings { Log.write(.warning, "config", ["warning": .text(warning)]) }
    }
}
