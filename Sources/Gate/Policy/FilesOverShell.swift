public import IPC

/// Judges whether the files of a host may be reached by way of a shell there. What a worker has that shell do cannot be judged.
public enum FilesOverShell {
    /// Whether they may: where the host runs any command that a worker asks for, so that nothing is given away, or where its config
    /// says `"file_transport": "shell"`. Where it says `sftp`, they may not.
    public static func isAllowed(on host: PolicySnapshot.Host) -> Bool {
        guard host.capabilities.fileRead || host.capabilities.fileWrite else { return false }
        return switch host.fileTransport {
        case .shell: true
        case .sftp: false
        case nil: host.capabilities.exec && host.execAllowlist == nil
        }
    }

    /// Whether the files of a host may be reached over its SFTP subsystem.
    public static func allowsSFTP(on host: PolicySnapshot.Host) -> Bool {
        switch host.fileTransport {
        case .shell: false
        case .sftp, nil: true
        }
    }
}
