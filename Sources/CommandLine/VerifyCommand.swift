internal import ArgumentParser
internal import Supervisor

/// `claude-ssh-daemon audit verify FILE…`.
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Checks that no line was changed, removed or moved.",
        discussion:
            "Several files are one chain, the oldest first, as a rotation leaves them. Lines that are missing at the end "
            + "show only against a hash that was kept elsewhere, such as the \"hash\" of a call in the journal: --last. "
            + "Exit status: 0 intact, 1 not.")

    @Option(help: ArgumentHelp("What the last line's SHA-256 must be.", valueName: "hash"))
    var last: String?

    @Argument(help: "Audit logs, the oldest first.")
    var files: [String]

    func run() throws {
        var verifier = AuditVerifier(last: last)
        do throws(AuditVerifier.Break) {
            for file in files { try verifier.read(file) }
            try verifier.finish()
        } catch {
            print(error.sentence)
            throw ExitCode.failure
        }
        print(verifier.summary)
    }
}
