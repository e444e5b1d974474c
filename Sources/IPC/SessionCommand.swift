/// The command lines with which the user opens and ends ControlMasters, for hints.
public enum SessionCommand {
    /// Have the master end by itself when the host does not answer for 45 seconds: without them it lives on behind a dead network for
    /// hours, ssh_config(5).
    public static let keepAlive = "-o ServerAliveInterval=15 -o ServerAliveCountMax=3"

    /// Opens the master of a host.
    public static func open(_ host: PolicySnapshot.Host) -> String {
        let port = host.port.map { "-p \($0) " } ?? ""
        let jump = host.jump.map { "-J \(ShellWord.quoted($0)) " } ?? ""
        return "ssh -M -S \(ShellWord.quoted(host.master.controlPath)) -fN \(keepAlive) \(port)\(jump)"
            + ShellWord.quoted(host.sshConfigHost ?? host.master.destination)
    }

    /// Makes the directory of a master's socket, closed to other users. `ssh -M` does not make it.
    public static func makeDirectory(_ directory: String) -> String {
        "mkdir -p -m 700 \(ShellWord.quoted(directory))"
    }

    /// Ends the master of a host.
    public static func end(_ host: PolicySnapshot.Host) -> String {
        "ssh -O exit -S \(ShellWord.quoted(host.master.controlPath)) " + ShellWord.quoted(host.master.destination)
    }
}
