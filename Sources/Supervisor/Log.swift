internal import CLinux
internal import FoundationEssentials
internal import Glibc

/// Severity of a log line.
enum LogLevel: String {
    case info = "INFO"
    case warning = "WARN"
    case error = "ERROR"
}

/// JSON lines on stderr, for the journal: `time` (RFC 3339, UTC), `level`, `msg`, then what the line is about.
enum Log {
    static func write(_ level: LogLevel, _ message: String, _ fields: KeyValuePairs<String, LogValue> = [:]) {
        var line = "{\"time\":\"\(now())\",\"level\":\"\(level.rawValue)\",\"msg\":\(quoted(message))"
        for (name, value) in fields { line += ",\(quoted(name)):\(value.json)" }
        line += "}\n"
        LogSink.write(line)
    }

    private static let encoder: JSONEncoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return encoder
    }()

    fileprivate static func quoted(_ text: String) -> String {
        (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
    }

    private static func now() -> String {
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

/// A value of a log field.
enum LogValue: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral {
    case text(String)
    case number(Int)

    init(stringLiteral value: String) { self = .text(value) }
    init(integerLiteral value: Int) { self = .number(value) }

    fileprivate var json: String {
        switch self {
        case .text(let text): Log.quoted(text)
        case .number(let number): String(number)
        }
    }
}
