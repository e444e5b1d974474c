internal import CLinux
internal import Glibc

/// Writes to standard error without waiting, because a stuck reader of the log must not stop the daemon. A line for which there
/// is no room is lost, and the number of lost lines is written later.
enum LogSink {
    /// How many bytes a pipe takes at once if poll(2) says that it is writable, pipe(7).
    private static let chunk = 4096

    // The supervisor has one thread.
    nonisolated(unsafe) private static var lost = 0
    /// Whether the last line was written only in part.
    nonisolated(unsafe) private static var cut = false
    /// Standard error, or the terminal that it is, opened anew so that writing to it never waits.
    nonisolated(unsafe) private static var descriptor = STDERR_FILENO

    /// Opens the terminal that standard error is. It calls itself writable when it has room for a few bytes, and a write of more
    /// would wait until somebody reads it. To set O_NONBLOCK on standard error itself would set it for the user's shell as well.
    static func openTerminal() {
        let terminal = open("/proc/self/fd/\(STDERR_FILENO)", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        if terminal >= 0 { descriptor = terminal }
    }

    /// Writes a line, or drops it.
    static func write(_ line: String) {
        var text = cut ? "\n" : ""
        if lost > 0 { text += Log.line(.warning, "log lines lost", ["count": .number(lost)]) }
        let ahead = text.utf8.count
        text += line
        let written = put(Array(text.utf8))
        if written > ahead || (written == ahead && ahead > 0) {
            lost = 0
            cut = false
        }
        if written < text.utf8.count {
            lost += 1
            if written > 0 { cut = written != ahead }
        }
    }

    /// - Returns: how many bytes were written.
    private static func put(_ bytes: [UInt8]) -> Int {
        var written = 0
        while written < bytes.count {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&waiting, 1, 0) == 1, waiting.revents & Int16(POLLOUT) != 0 else { break }
            let count = bytes.withUnsafeBytes { buffer in
                let start = buffer.baseAddress.map { $0 + written }
                let size = min(chunk, buffer.count - written)
                // Standard error may be journald's socket. poll(2) calls that writable when it has less room than this, and
                // write(2) would wait.
                let sent = send(descriptor, start, size, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
                return sent < 0 && errno == ENOTSOCK ? Glibc.write(descriptor, start, size) : sent
            }
            guard count > 0 else { break }
            written += count
        }
        return written
    }
}
