/// Severity of a log line.
enum LogLevel: String {
    case info = "INFO"
    case warning = "WARN"
    case error = "ERROR"
}
