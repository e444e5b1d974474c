public import IPC

/// Builds the argument vectors of `ssh`, ssh(1), ssh_config(5). Every one goes through the user's ControlMaster and can
/// do nothing else: no configuration file, no key, no agent, no network and no program to make a connection with.
public enum SSHInvocation {
    /// What keeps `ssh` from doing anything but talking to the master.
    static let options = controlOptions + ["-o", "ClearAllForwardings=yes"]

    /// The same for what is asked of the master itself: there a forward on the command line is the request.
    static let controlOptions: [String] = [
        "-F", "none", "-T", "-a", "-x", "-e", "none",
        "-o", "BatchMode=yes",
        "-o", "ControlMaster=no",
        "-o", "ControlPersist=no",
        "-o", "PermitLocalCommand=no",
        "-o", "LogLevel=ERROR",
        // Without a master ssh would connect by itself. The proxy that it must then start does not exist.
        "-o", "ProxyCommand=/nonexistent",
        "-o", "IdentityFile=none",
        "-o", "IdentityAgent=none",
        "-o", "PreferredAuthentications=none",
        "-o", "UserKnownHostsFile=none",
        "-o", "GlobalKnownHostsFile=none",
        "-o", "StrictHostKeyChecking=yes",
    ]

    /// Runs `line` in the login shell of the host.
    static func session(_ host: PolicySnapshot.Host, line: String) -> [String] {
        ["-S", host.master.controlPath] + options + ["--", host.master.destination, line]
    }

    /// The command with which the user brings the master up.
    public static func masterCommand(_ host: PolicySnapshot.Host) -> String {
        let port = host.port.map { "-p \($0) " } ?? ""
        return "ssh -M -S \(ShellWord.quoted(host.master.controlPath)) -fN \(port)"
            + ShellWord.quoted(host.master.destination)
    }

    /// The command with which the user makes the directory of its socket, which `ssh -M` does not, for nobody else's eyes.
    public static func directoryCommand(_ directory: String) -> String {
        "mkdir -p -m 700 \(ShellWord.quoted(directory))"
    }

    /// The command with which the user ends the master.
    public static func exitCommand(_ host: PolicySnapshot.Host) -> String {
        "ssh -O exit -S \(ShellWord.quoted(host.master.controlPath)) " + ShellWord.quoted(host.master.destination)
    }

    /// The environment of every `ssh`: nothing of the user's.
    static let environment = ["LANG": "C.UTF-8", "PATH": "/nonexistent"]

    /// Whether this is what ssh, or its loader, says where it cannot run here, with nothing done. The one does not know its own
    /// user: Landlock lets it read the /etc/passwd that was there when this worker started, and a user added since has put
    /// another file in its place. The other misses a library, ld.so(8).
    public static func isUnusable(_ said: String) -> Bool {
        said.hasPrefix("No user exists for uid")
            || said.hasPrefix("/") && said.contains(": error while loading shared libraries: ")
    }
}
