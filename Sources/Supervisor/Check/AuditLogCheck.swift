internal import CLinux
internal import Glibc
internal import IPC

/// Whether the audit log could be opened.
enum AuditLogCheck {
    static func lines(_ path: String, mcpSocket: String) -> [String] {
        do throws(StartError) {
            try AuditLog.judge(path)
        } catch {
            return [ConfigCheck.line(.error, error.sentence)]
        }
        var lines: [String] = []
        var space = statvfs()
        if statvfs(DirectoryOwner.directory(of: path), &space) == 0, space.f_blocks > 0, space.f_bavail == 0 {
            lines.append(
                ConfigCheck.line(
                    .warning, "audit_log",
                    "the file system of \(path) is full: calls would go on without a record; see df -h "
                        + ShellWord.quoted(DirectoryOwner.directory(of: path))))
        }
        guard let holder = FileLocks.holder(of: path), holder != FileLocks.holder(of: MCPSocket.lockFile(of: mcpSocket))
        else {
            return lines
        }
        return lines + [
            ConfigCheck.line(
                .error, "audit_log",
                "another claude-ssh-daemon (process \(holder)) writes to \(path); give each a file of its own")
        ]
    }
}
