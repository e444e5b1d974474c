/// The ways to the files of a host.
public enum FileTransport: String, Sendable {
    /// The SFTP subsystem of its sshd.
    case sftp
    /// A POSIX shell, if there is no such subsystem.
    case shell
}
