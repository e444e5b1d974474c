internal import CLinux
internal import Glibc
internal import IPC

/// Writes lines to standard error, see `LogFormat`. As JSON: `time` (RFC 3339, UTC), `level`, `msg`, then the fields.
enum Log {
    // The supervisor has one thread, and sets it before all else.
    nonisolated(unsafe) private(set) static var style = LogStyle()

    /// Takes the format that fits standard error, and writes lines of this level and the more severe ones.
    static func begin(level: LogLevel, environment: [String: String]) {
        style = LogStyle(format: .fitting(STDERR_FILENO, environment: environment), level: level)
        switch style.format {
        case .json, .journal: break
        case .terminal: LogSink.openTerminal()
        }
    }

    static func write(_ level: LogLevel, _ message: String, _ fields: KeyValuePairs<String, LogValue> = [:]) {
        write(level, message, Array(fields))
    }

    static func write(_ level: LogLevel, _ message: String, _ fields: [(key: String, value: LogValue)]) {
        guard style.shows(level) else { return }
        LogSink.write(style.line(level, message, fields))
    }

    /// A line, with its newline.
    static func line(_ level: LogLevel, _ message: String, _ fields: KeyValuePairs<String, LogValue> = [:]) -> String {
        style.line(level, message, Array(fields))
    }

    /// Now, RFC 3339 in UTC with milliseconds.
    static func timestamp() -> String {
        var clock = timespec()
        clock_gettime(CLOCK_REALTIME, &clock)
        var parts = tm()
        gmtime_r(&clock.tv_sec, &parts)
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date =
            "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(Int(parts.tm_mon) + 1, 2))-\(padded(Int(parts.tm_mday), 2))"
        let time = "\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))"
        return "\(date)T\(time).\(padded(clock.tv_nsec / 1_000_000, 3))Z"
    }
}
