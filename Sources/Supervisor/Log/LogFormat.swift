internal import CLinux
internal import Glibc

/// How the lines of the log look. It follows from what standard error is.
enum LogFormat: Equatable {
    /// JSON, an object a line.
    case json
    /// The same behind its priority in angle brackets, which the journal takes off, sd-daemon(3).
    case journal
    /// For a person at a terminal.
    case terminal(hasColor: Bool)

    /// The format for this descriptor.
    static func fitting(_ descriptor: Int32, environment: [String: String]) -> LogFormat {
        if isJournal(descriptor, environment["JOURNAL_STREAM"]) { return .journal }
        guard isatty(descriptor) == 1 else { return .json }
        let isPlain = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        return .terminal(hasColor: !isPlain && !["", "dumb"].contains(environment["TERM"] ?? ""))
    }

    /// Whether the descriptor is the connection to the journal that systemd has made, systemd.exec(5) `$JOURNAL_STREAM`. The variable is also
    /// there for programs that were started by a service and write elsewhere.
    private static func isJournal(_ descriptor: Int32, _ stream: String?) -> Bool {
        let numbers = (stream ?? "").split(separator: ":", omittingEmptySubsequences: false).map { UInt64($0) }
        var status = stat()
        guard numbers.count == 2, let device = numbers[0], let inode = numbers[1], fstat(descriptor, &status) == 0
        else {
            return false
        }
        return UInt64(status.st_dev) == device && UInt64(status.st_ino) == inode
    }
}
