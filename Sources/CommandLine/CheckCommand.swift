internal import ArgumentParser
internal import Supervisor

/// `claude-ssh-daemon check`: what a start or a reload would say of the config, without either.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Checks a config without starting.",
        discussion: "Prints every mistake and every warning with its JSON path. Exit status: 0 usable, 2 not.")

    @OptionGroup var file: ConfigOption

    func run() throws {
        let check = ConfigCheck(of: file.path, environment: file.environment)
        for line in check.lines { print(line) }
        guard check.isUsable else { throw ExitCode(2) }
    }
}
