/// What one worker can make this process write into the daemon's log: lines about its calls and forwards, and what it says
/// on its standard error. All of it comes out of one allowance. A line that finds none is left out, and counted in the
/// next one that does.
final class LogShare {
    /// Bytes of the log: at once, and in each second after that.
    static let burst = 256 << 10
    static let perSecond = 16 << 10

    private let connection: ConnectionTable.ID
    private let sink: (String) -> Void
    private var allowance: Allowance
    private var lost = 0

    init(connection: ConnectionTable.ID, now: Int, sink: @escaping (String) -> Void = LogSink.write) {
        self.connection = connection
        self.sink = sink
        allowance = Allowance(burst: Self.burst, perSecond: Self.perSecond, now: now)
    }

    /// As `Log.write`.
    func write(_ level: LogLevel, _ message: String, _ fields: KeyValuePairs<String, LogValue> = [:], now: Int) {
        put(now: now) { Log.line(level, message, fields) }
    }

    /// As `Log.write`.
    func write(_ level: LogLevel, _ message: String, members: String, now: Int) {
        put(now: now) { Log.line(level, message, members: members) }
    }

    /// The worker has ended: logs how many lines were left out since the last count.
    func close() {
        guard lost > 0 else { return }
        sink(told)
        lost = 0
    }

    private var told: String {
        Log.line(
            .warning, "log lines lost: this worker says too much",
            ["connection": .number(Int(connection)), "count": .number(lost)])
    }

    /// A line is not even made where there is no room for it.
    private func put(now: Int, _ line: () -> String) {
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
