internal import ArgumentParser
internal import IPC

/// `claude-ssh-daemon check`: what a start or a reload would say of the config, without either.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Checks a config without starting.",
        discussion: "Prints every mistake and every warning with its JSON path. Exit status: 0 usable, 2 not.")

    @OptionGroup var file: ConfigOption

    func run() throws {
        do {
            let loaded = try ConfigFile.load(file.path, environment: file.environment)
            for warning in loaded.warnings { print("warning: \(warning)") }
            if let notice = LocalRules.notice(loaded) { print("note: \(notice)") }
            let problems = Startup.problems(loaded) + PatternCheck.mistakes(in: loaded.policy)
            for problem in problems { print("error: \(problem)") }
            guard problems.isEmpty else { throw ExitCode(2) }
            print("\(file.path): usable, \(loaded.policy.hosts.count) host\(loaded.policy.hosts.count == 1 ? "" : "s")")
        } catch let error as ConfigError {
            for mistake in PatternCheck.completed(error).mistakes { print("error: \(mistake)") }
            for warning in error.warnings { print("warning: \(warning)") }
            throw ExitCode(2)
        }
    }
}
