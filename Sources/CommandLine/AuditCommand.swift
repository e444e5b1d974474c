internal import ArgumentParser

/// `claude-ssh-daemon audit`.
struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Works with audit logs.", subcommands: [VerifyCommand.self])
}
