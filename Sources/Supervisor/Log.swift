internal import CLinux
internal import Glibc

/// Severity of a log line.
enum LogLevel: String {
    case info = "INFO"
    case warning = "WARN"
    case error = "ERROR"
}

/// Time for measuring.
enum Clock {
    /// Milliseconds of a steady clock.
    static func milliseconds() -> Int {
        var clock = timespec()
        clock_gettime(CLOCK_MONOTONIC, &clock)
        return Int(clock.tv_sec) * 1000 + Int(clock.tv_nsec) / 1_000_000
    }
}

/// JSON lines on stderr, for the journal: `time` (RFC 3339, UTC), `level`, `msg`, then what the line is about.
enum Log {
    static func write(_ level: LogLevel, _ message: String, _ fields: KeyValuePairs<String, LogValue> = [:]) {
        var line = "{\"time\":\"\(timestamp())\",\"level\":\"\(level.rawValue)\",\"msg\":\(quoted(message))"
        for (name, value) in fields { line += ",\(quoted(name)):\(value.json)" }
        line += "}\n"
        LogSink.write(line)
    }

    /// As `write`, with fields that are JSON already: `"name":value,…`.
    static func write(_ level: LogLevel, _ message: String, members: String) {
        LogSink.write(
            "{\"time\":\"\(timestamp())\",\"level\":\"\(level.rawValue)\",\"msg\":\(quoted(message)),\(members)}\n")
    }

    /// A JSON string. Whatever could move a terminal's cursor or change the order of what is shown is escaped: logs are
    /// read on terminals, and some of their text is hostile.
    static func quoted(_ text: String) -> String {
        var json = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": json += "\\\(scalar)"
            case "\n": json += "\\n"
            case "\t": json += "\\t"
            case " "..."~": json.unicodeScalars.append(scalar)
            default:
                switch scalar.properties.generalCategory {
                case .control, .format, .lineSeparator, .paragraphSeparator:
                    for unit in String(scalar).utf16 { json += "\\u" + padded(unit) }
                default: json.unicodeScalars.append(scalar)
                }
            }
        }
        return json + "\""
    }

    private static func padded(_ unit: UInt16) -> String {
        let digits = String(unit, radix: 16)
        return String(repeating: "0", count: 4 - digits.count) + digits
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
