import Testing
import TestSupport

/// How files of a host are reached: by its SFTP subsystem, or, where it has none, through a shell.
enum FileTransport: String, Sendable {
    case sftp, shell

    /// Those that the tests of the file tools run over.
    static let all: [FileTransport] = [.sftp, .shell]

    /// An sshd that leaves no other way.
    var options: PrivateSSHD.Options { PrivateSSHD.Options(sftpSubsystem: self == .sftp) }

    /// The shared remote of this kind: not to be harmed.
    func remote() throws -> Remote {
        switch self {
        case .sftp: try .shared()
        case .shell: try FileTransport.withoutSFTP.get()
        }
    }

    private static let withoutSFTP = Result {
        let remote = try Remote(PrivateSSHD.Options(maxSessions: 500, sftpSubsystem: false))
        CrashCleanup.atExit { remote.stop() }
        return remote
    }
}
