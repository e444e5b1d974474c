internal import IPC

/// Puts every call of a worker on record: its beginning into the daemon's log, its end there and into the audit log.
final class AuditTrail {
    enum Outcome: Equatable {
        /// It was noted, and may begin; its record will take about so many bytes.
        case begun(size: Int)
        case written
        /// No such call is open, or too many calls are.
        case outOfTurn
    }

    private struct Left {
        var calls: OpenCalls
        let log: LogShare
    }

    private let file = AuditLog()
    /// Calls whose worker has ended, and which are still to be written down.
    private var left: [Left] = []

    /// Where the file lies, without symlinks; nil where there is none.
    var realPath: String? { file.realPath }

    /// As `AuditLog.open`.
    func open(_ path: String?) throws(StartError) { try file.open(path) }

    /// Opens the file again after a rotation, under the same config.
    func rotate(_ path: String?) {
        do throws(StartError) {
            try file.open(path)
        } catch {
            Log.write(.error, "audit log not reopened", ["error": .text(error.sentence)])
        }
    }

    /// Remembers that a call begins, or writes down how it ended. The file gets one line for both, at the end.
    func record(
        _ word: ToSupervisor.Audit, _ key: UInt32, in calls: inout OpenCalls, log: LogShare, now: Int
    ) -> Outcome {
        switch word {
        case .begin(let call):
            guard let members = calls.begin(key, call, now: now) else { return .outOfTurn }
            log.write(.info, "call begins", members: members, now: now)
            return .begun(size: members.utf8.count)
        case .end(let outcome):
            guard let record = calls.end(key, outcome, now: now) else { return .outOfTurn }
            write(record, .info, log, now)
            return .written
        }
    }

    /// Takes over the calls whose worker will say no more. `tend` writes them down.
    func abandon(_ calls: inout OpenCalls, log: LogShare, _ how: String) {
        calls.abandon(how)
        left.append(Left(calls: calls, log: log))
    }

    /// Whether abandoned calls are still to be written down.
    var hasWork: Bool { !left.isEmpty }

    /// Writes down one abandoned call, or ends with a worker that left no more.
    func tend(now: Int) {
        guard let last = left.indices.last else { return }
        if let record = left[last].calls.nextLeft(now: now) {
            write(record, .warning, left[last].log, now)
        } else {
            left.removeLast().log.close()
        }
    }

    /// Writes down all of them: the daemon ends.
    func finish(now: Int) {
        while hasWork { tend(now: now) }
    }

    /// The log also has the hash of the call's line in the file. Somebody who cuts lines off the file cannot change the log.
    private func write(_ record: OpenCalls.Record, _ level: LogLevel, _ log: LogShare, _ now: Int) {
        let hash = file.write(record.members)
        let rest = #","begun":\#(record.order)"# + (hash.map { ",\"hash\":\"\($0)\"" } ?? "")
        log.write(level, "call", members: record.members + rest, now: now)
    }
}
