/// The lines in the daemon's log that one worker causes: those about its calls and forwards, and those that it and its file brokers
/// write to their standard error; or the lines of all file brokers whose workers have ended. They share one allowance. A line for
/// which nothing is left is dropped, and the number of dropped lines is logged later.
final class LogShare {
    /// How many bytes the worker may cause at once.
    static let burst = 256 << 10
    /// How many more bytes it may cause in each second.
    static let perSecond = 16 << 10

    private let connection: ConnectionTable.ID?
    private let sink: (String) -> Void
    private var allowance: Allowance
    private var lost = 0

    /// - Parameter connection: the worker's; nil for file brokers whose workers have ended.
    init(connection: ConnectionTable.ID?, now: Int, sink: @escaping (String) -> Void = LogSink.write) {
        self.connection = connection
        self.sink = sink
        allowance = Allowance(burst: Self.burst, perSecond: Self.perSecond, now: now)
    }

    /// As `Log.write`.
    func write(_ level: LogLevel, _ message: String, _ fields: KeyValuePairs<String, LogValue> = [:], now: Int) {
        put(level, now: now) { Log.line(level, message, fields) }
    }

    /// As `Log.write`.
    func write(_ level: LogLevel, _ message: String, members: String, now: Int) {
        put(level, now: now) { Log.style.line(level, message, members: members) }
    }

    /// Logs how many lines were dropped since the last count, because the worker has ended.
    func close() {
        guard lost > 0 else { return }
        sink(told)
        lost = 0
    }

    private var told: String {
        guard let connection else {
            return Log.line(
                .warning, "log lines lost: file brokers whose workers have ended say too much",
                ["count": .number(lost)])
        }
        return Log.line(
            .warning, "log lines lost: this worker says too much",
            ["connection": .number(Int(connection)), "count": .number(lost)])
    }

    /// Writes a line. If it is not wanted, or nothing is left for it, the line is not even made.
    private func put(_ level: LogLevel, now: Int, _ line: () -> String) {
        guard Log.style.shows(level) else { return }
        guard allowance.hasLeft(now: now) else { return lost += 1 }
        if lost > 0 {
            let line = told
            allowance.spend(line.utf8.count, now: now)
            sink(line)
            lost = 0
        }
        let line = line()
        allowance.spend(line.utf8.count, now: now)
        sink(line)
    }
}
