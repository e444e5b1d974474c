internal import SFTP
internal import SSH

/// The ways in which calls reach one host.
struct HostAccess: Sendable {
    let sessions: HostSessions
    let files: SFTPChannel
}
