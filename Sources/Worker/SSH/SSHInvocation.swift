internal import Exec
public import IPC

/// Builds the argument vectors of `ssh`, ssh(1), ssh_config(5). Each `ssh` talks to the user's ControlMaster and can do nothing
/// else: it has no configuration file, no key, no agent, no network and no program to make a connection with.
public enum SSHInvocation {
    /// The options of every session. They keep `ssh` from doing anything but talking to the master.
    static let options: [String] = [
        "-F", "none", "-T", "-a", "-x", "-e", "none",
        "-o", "BatchMode=yes",
        "-o", "ControlMaster=no",
        "-o", "ControlPersist=no",
        "-o", "PermitLocalCommand=no",
        "-o", "LogLevel=ERROR",
        // Without a master ssh would connect by itself. This proxy, which it would start for that, does not exist.
        "-o", "ProxyCommand=/nonexistent",
        "-o", "IdentityFile=none",
        "-o", "IdentityAgent=none",
        "-o", "PreferredAuthentications=none",
        "-o", "UserKnownHostsFile=none",
        "-o", "GlobalKnownHostsFile=none",
        "-o", "StrictHostKeyChecking=yes",
        "-o", "ClearAllForwardings=yes",
    ]

    /// The path that stands for the socket of every ControlMaster. Whatever it is, connecting it leads to the gate, so it need not
    /// exist.
    static let socket = "/nonexistent/claude-ssh-gate"

    /// Shows the gate a ticket, which it takes for what is to be run, or for the name of a subsystem.
    static func session(_ destination: String, ticket: String, isSubsystem: Bool) -> [String] {
        ["-S", socket] + options + (isSubsystem ? ["-s"] : []) + ["--", destination, ticket]
    }

    /// See `SessionCommand.open`.
    public static func masterCommand(_ host: PolicySnapshot.Host) -> String { SessionCommand.open(host) }

    /// See `SessionCommand.makeDirectory`.
    public static func directoryCommand(_ directory: String) -> String { SessionCommand.makeDirectory(directory) }

    /// See `SessionCommand.end`.
    public static func exitCommand(_ host: PolicySnapshot.Host) -> String { SessionCommand.end(host) }

    /// The environment of every `ssh`. It has nothing of the user's environment.
    static let environment = ["LANG": "C.UTF-8", "PATH": "/nonexistent"]
}
