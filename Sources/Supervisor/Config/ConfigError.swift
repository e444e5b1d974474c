internal import IPC

/// Why a config cannot be used: all mistakes in it.
struct ConfigError: Error {
    /// The path of the config.
    let path: String
    /// The mistakes, each with its JSON path.
    let mistakes: [String]
    /// Unknown keys. One of them may be a misspelled key that is required.
    var warnings: [String] = []
    /// Whether the file cannot be read at all, so that the mistakes are about it and name no key.
    var isOfFile = false
    /// What could be read of the config. Its patterns are still to be judged, see `PatternCheck`.
    var policy: PolicySnapshot?

    /// The file at this path cannot be read as a config.
    static func ofFile(_ path: String, _ mistake: String) -> ConfigError {
        ConfigError(path: path, mistakes: [mistake], isOfFile: true)
    }

    /// The mistakes, each with its JSON path or that of the file.
    var named: [String] { isOfFile ? mistakes.map { "\(path): \($0)" } : mistakes }

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
