internal import IPC

/// Says what a start of the daemon would say about a config, for a person.
package struct ConfigCheck {
    /// The findings, one a line.
    package private(set) var lines: [String] = []
    /// Whether a daemon would start with it.
    package private(set) var isUsable = false

    /// Reads the config at a path, and has a confined worker compile its patterns.
    package init(of path: String, environment: [String: String]) {
        do throws(ConfigError) {
            let loaded = try ConfigFile.load(path, environment: environment)
            lines += loaded.warnings.map { "warning: \($0)" }
            if let problem = Startup.fileBrokerProblem(loaded) { lines.append("warning: \(problem)") }
            if let notice = loaded.localFilesNotice() { lines.append("note: \(notice)") }
            if loaded.policy.transport == .ssh, let notice = UserLookup.notice() { lines.append(notice) }
            let problems =
                RootDirectory.mistakes(in: loaded) + Startup.problems(loaded) + PatternCheck.mistakes(in: loaded.policy)
            lines += problems.map { "error: \($0)" }
            guard problems.isEmpty else { return }
            let count = loaded.policy.hosts.count
            lines.append("\(path): usable, \(count) host\(count == 1 ? "" : "s")")
            isUsable = true
        } catch {
            lines += PatternCheck.completed(error).mistakes.map { "error: \($0)" }
            lines += error.warnings.map { "warning: \($0)" }
        }
    }
}
