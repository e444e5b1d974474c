internal import ArgumentParser
internal import CLinux
internal import Glibc
internal import Supervisor

/// `claude-ssh-daemon check`: what a start, a first call or a restriction would not do as the writer of the config thinks.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Checks a config, and whether the daemon could serve here, without starting it.",
        discussion:
            "Prints a line for each thing that was found, with the key of the config and what to do: an error keeps the daemon from "
            + "starting, a warning is not what it may be meant to be, a note is good to know. The last line names the config. It looks "
            + "and changes nothing: programs of the daemon are started for a moment, ControlMasters are asked whether they live, and a "
            + "file system that does not answer is told after some seconds. Exit status: 0 where the daemon would serve, 2 where not, "
            + "64 for a wrong command line.")

    @OptionGroup var file: ConfigOption

    /// The process that does the steps, see `CheckRun`. It ends with the one that has started it.
    @Option(name: .long, help: .hidden)
    var step: Int?

    func run() throws {
        guard let step else {
            var run = CheckRun(config: file.config)
            guard run.succeeds() else { throw ExitCode(2) }
            return
        }
        guard csd_set_parent_death_signal(SIGKILL) == 0 else { throw ExitCode.failure }
        ConfigCheck(of: file.path, environment: file.environment) { word in
            print(word.line)
            fflush(nil)
        }.run(from: step)
    }
}
