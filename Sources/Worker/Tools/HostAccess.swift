internal import SFTP
internal import SSH

/// The ways to one host.
struct HostAccess: Sendable {
    let sessions: HostSessions
    let files: SFTPChannel
}
