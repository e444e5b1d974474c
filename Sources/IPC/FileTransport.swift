/// The ways to the files of a host.
public enum FileTransport: String, Codable, CaseIterable, Sendable {
    /// The SFTP subsystem of its sshd.
    case sftp
    /// A POSIX shell.
    case shell
}
