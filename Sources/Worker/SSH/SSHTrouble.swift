internal import Glibc
internal import Synchronization

/// Writes to the daemon's log why `ssh` cannot run here. Each call that fails for a reason is told it; the log gets it once.
enum SSHTrouble {
    /// How many reasons are logged. `ssh` may word the same reason differently each time.
    private static let mostKept = 16

    private static let told = Mutex<Set<String>>([])

    /// Writes a line to standard error, which the daemon logs, unless this worker has written it before.
    static func note(_ detail: String) {
        let isNew = told.withLock { told in
            told.count < mostKept && told.insert(detail).inserted
        }
        guard isNew else { return }
        let what = detail.split(whereSeparator: \.isNewline).joined(separator: "; ").prefix(1000)
        var line = "claude-ssh-worker: ssh cannot run here: \(what); see ssh_path in the config\n"
        line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
