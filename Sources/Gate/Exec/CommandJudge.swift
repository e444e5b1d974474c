public import IPC
internal import Policy

/// Judges a command for a host, in the order in which every call is judged: capability, then policy.
public enum CommandJudge {
    /// Throws if the policy does not allow the command there.
    ///
    /// - Parameters:
    ///   - input: what a worker will write to its standard input. It is part of the guard against slips. A gate has none: nobody
    ///     can hold a worker to what it says that it will write into its pipe.
    ///   - host: the host that the command names.
    public static func judge(
        _ command: GateCommand, input: String = "", on host: PolicySnapshot.Host, allowDelete: Bool
    ) throws(GateRefusal) {
        guard host.capabilities.exec else { throw GateRefusal(host: host.name, .capability(.exec)) }
        try ExecAllowlist(host.execAllowlist, host: host.name).judge(
            command: command.command, environment: command.environment)
        try DestructiveCommand.judge(command.command, input: input, allowed: allowDelete, host: host.name)
        try BaseDirectory(host.baseDir, host: host.name).judge(workingDirectory: command.directory)
    }
}
