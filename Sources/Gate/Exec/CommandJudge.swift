public import IPC
internal import Policy

/// Judges a command for a host, in the order in which every call is judged: capability, then policy.
public enum CommandJudge {
    /// Throws if the policy does not allow the command there. Its standard input is not judged here: nobody can hold a worker to
    /// what it says that it will write into its pipe.
    /// - Parameter host: the host that the command names.
    public static func judge(
        _ command: GateCommand, on host: PolicySnapshot.Host, allowDelete: Bool
    ) throws(GateRefusal) {
        guard host.capabilities.exec else { throw GateRefusal(host: host.name, .capability(.exec)) }
        try ExecAllowlist(host.execAllowlist, host: host.name).judge(
            command: command.command, environment: command.environment)
        try DestructiveCommand.judge(command.command, allowed: allowDelete, host: host.name)
        try BaseDirectory(host.baseDir, host: host.name).judge(workingDirectory: command.directory)
    }
}
