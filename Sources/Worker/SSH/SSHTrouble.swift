internal import Glibc
internal import Synchronization

/// Tells the daemon's log why `ssh` cannot run here. Every call that meets a reason is answered with it; the log gets it once.
enum SSHTrouble {
    /// Reasons that are remembered. What `ssh` says may differ each time.
    private static let mostKept = 16

    private static let told = Mutex<Set<String>>([])

    /// Writes a line for the log, unless this worker has written it before.
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
