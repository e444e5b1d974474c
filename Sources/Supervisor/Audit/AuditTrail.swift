internal import IPC

/// Records the calls of workers: the beginning of each in the daemon's log, and its end there and in the audit log.
final class AuditTrail {
    enum Outcome: Equatable {
        /// The call was noted and may begin. Its record will have about so many bytes.
        case begun(size: Int)
        case written
        /// There is no such call, or there are too many calls.
        case outOfTurn
    }

    private struct Left {
        var calls: OpenCalls
        let log: LogShare
    }

    private let file = AuditLog()
    /// The calls of workers that have ended. Their records are still to be written.
    private var left: [Left] = []

    /// The path of the file without symlinks; nil if there is no file.
    var realPath: String? { file.realPath }

    /// See `AuditLog.open`.
    func open(_ path: String?) throws(StartError) { try file.open(path) }

    /// Opens the file again, because it may have been rotated.
    func rotate(_ path: String?) {
        do throws(StartError) {
            try file.open(path)
        } catch {
            Log.write(.error, "audit log not reopened", ["error": .text(error.sentence)])
        }
    }

    /// Notes that a call begins, or writes how it ended. The file gets one line for both, at the end.
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

    /// Writes down what a gate has told. `members` are those of the line.
    func record(_ members: String, _ level: LogLevel, log: LogShare, now: Int) {
        write("gate", members, level, log, now)
    }

    /// Writes down that a call was refused because another client has the place.
    /// - Returns: about how many bytes the record has.
    func refused(in calls: inout OpenCalls, log: LogShare, now: Int) -> Int {
        let record = calls.refusedForPlace()
        write(record, .info, log, now)
        return record.members.utf8.count
    }

    /// Takes the open calls of a worker that has ended. `tend` writes their records.
    func abandon(_ calls: inout OpenCalls, log: LogShare, _ how: String) {
        calls.abandon(how)
        left.append(Left(calls: calls, log: log))
    }

    /// Whether there are such calls whose records are not written yet.
    var hasWork: Bool { !left.isEmpty }

    /// Writes the record of one such call, or finishes with a worker that has none left.
    func tend(now: Int) {
        guard let last = left.indices.last else { return }
        if let record = left[last].calls.nextLeft(now: now) {
            write(record, .warning, left[last].log, now)
        } else {
            left.removeLast().log.close()
        }
    }

    /// Writes the records of all such calls, because the daemon ends.
    func finish(now: Int) {
        while hasWork { tend(now: now) }
    }

    /// Logs a record. It has the hash of the record's line in the file, so that lines which were cut off the file can be noticed.
    private func write(_ record: OpenCalls.Record, _ level: LogLevel, _ log: LogShare, _ now: Int) {
        write("call", record.members, level, log, now)
    }

    private func write(_ message: String, _ members: String, _ level: LogLevel, _ log: LogShare, _ now: Int) {
        let hash = file.write(members)
        log.write(level, message, members: members + (hash.map { ",\"hash\":\"\($0)\"" } ?? ""), now: now)
    }
}
