internal import IPC

/// Puts every call of a worker on record: its beginning into the daemon's log, its end there and into the audit log.
final class AuditTrail {
    enum Outcome {
        /// It was noted, and may begin.
        case begun
        case written
        /// No such call is open, or too many are.
        case outOfTurn
    }

    private let file = AuditLog()

    /// Where the file lies, without symlinks; nil where there is none.
    var realPath: String? { file.realPath }

    /// As `AuditLog.open`.
    func open(_ path: String?) throws(StartError) { try file.open(path) }

    /// Follows a rotation under a config that stays.
    func rotate(_ path: String?) {
        do throws(StartError) {
            try file.open(path)
        } catch {
            Log.write(.error, "audit log not reopened", ["error": .text(error.sentence)])
        }
    }

    /// Keeps that a call begins; or writes down how it ended. The one line in the file comes with the end.
    func record(_ message: ToSupervisor, _ number: UInt32, in calls: inout OpenCalls, now: Int) -> Outcome {
        if case .auditBegin(let call) = message, let members = calls.begin(number, call, now: now) {
            Log.write(.info, "call begins", members: members)
            return .begun
        }
        if case .auditEnd(let outcome) = message, let members = calls.end(number, outcome, now: now) {
            write(members, .info)
            return .written
        }
        return .outOfTurn
    }

    /// Writes down the calls whose worker will say no more.
    func abandon(_ calls: inout OpenCalls, now: Int, _ how: String) {
        for members in calls.abandon(how, now: now) { write(members, .warning) }
    }

    /// In the log a call also has the hash of its line in the file: who cuts lines off there cannot cut this.
    private func write(_ members: String, _ level: LogLevel) {
        let hash = file.write(members)
        Log.write(level, "call", members: members + (hash.map { ",\"hash\":\"\($0)\"" } ?? ""))
    }
}
