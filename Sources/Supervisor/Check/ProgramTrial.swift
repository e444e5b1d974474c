internal import CLinux
internal import Glibc
internal import IPC

/// What is the matter with a program of the daemon that was tried, for a person.
enum ProgramTrial {
    /// - Parameters:
    ///   - said: what it wrote to its standard error.
    ///   - mend: what to do where nothing more is known.
    static func sentence(_ end: ProcessEnd, _ program: String, said: String) -> String {
        let words = said.split(whereSeparator: \.isNewline).first.map { " (\($0.prefix(500)))" } ?? ""
        let word = ShellWord.quoted(program)
        return switch ProgramFailure(end) {
        case .library:
            "it lacks a shared library\(words); install the package that has it, of libseccomp, libmd or RE2. To see what is not found, "
                + "run: ldd \(word)"
        case .confinement: "it could not confine itself\(words); to try that, run: \(word) --selftest-escape"
        case .missing, .notExecuted, .notStarted, .ssh, .notReady, .outOfTurn, .brokeProtocol, .noAnswer, .ended, .gate:
            "it \(end)\(words); after an upgrade install all programs of claude-ssh-daemon of one build (make install). To try its "
                + "confinement, run: \(word) --selftest-escape"
        }
    }

    /// It did not get ready.
    static func late(_ program: String) -> String {
        "it was not ready in time: this machine is overloaded, or \(program) lies on a file system that hangs; run the check again"
    }

    /// What the self-test of a program says of its confinement on this machine, where it does not hold. That needs Landlock.
    static func confinementProblem(_ program: String, _ words: [String], _ config: Config) -> String? {
        guard config.policy.requireLandlock, csd_landlock_abi() > 0 else { return nil }
        let command = [program, "--selftest-escape"] + words
        guard let status = run(command), status != 0 else { return nil }
        return "its confinement does not hold on this machine, which its self-test shows: "
            + command.map(ShellWord.quoted).joined(separator: " ")
    }

    /// Runs a command without input and output.
    /// - Returns: its status of waitpid(2); nil if it could not be run.
    private static func run(_ command: [String]) -> Int32? {
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        guard null >= 0 else { return nil }
        defer { close(null) }
        let high = fcntl(null, F_DUPFD_CLOEXEC, 16)
        defer { close(high) }
        let arguments = command.map { (word: String) in strdup(word) } + [nil]
        let environment = [strdup("LANG=C.UTF-8"), nil]
        defer { for pointer in arguments + environment { free(pointer) } }
        var pid: pid_t = 0
        var status: Int32 = 0
        guard high >= 0, csd_spawn(&pid, command[0], arguments, environment, [high, high, high], 3, 0) == 0,
            uninterrupted({ waitpid(pid, &status, 0) }) == pid
        else { return nil }
        return status
    }
}
