import Foundation
import Testing

/// What has come in on one connection: responses by id, and everything else in order.
// @unchecked: all state is only touched under `condition`.
final class Inbox: @unchecked Sendable {
    struct Message: Sendable {
        let raw: Data
        /// nil when the line is no JSON, or not UTF-8.
        let json: JSON?
    }

    private enum Slot {
        case open
        /// With the number of other lines that had come before it.
        case answered(JSON, after: Int)
    }

    private let condition = NSCondition()
    private var slots: [JSON: Slot] = [:]
    private var unmatched: [Message] = []
    /// What `unmatched` ever held.
    private var others: [Message] = []
    private var lastID = 0
    private var end: (error: Int32, partial: Data)?

    /// Opens a slot; returns its id.
    func expectResponse(_ id: JSON?) -> JSON {
        condition.withLock {
            lastID += id == nil ? 1 : 0
            let id = id ?? .int(lastID)
            slots[id] = .open
            return id
        }
    }

    func deliver(_ line: Data) {
        // Parsed outside the lock: a long line takes a while.
        let json = try? JSON(parsing: line)
        condition.withLock {
            if let json, let id = json["id"], json["method"] == nil, case .open? = slots[id] {
                slots[id] = .answered(json, after: others.count)
            } else {
                // A second answer to one request also comes here.
                unmatched.append(Message(raw: line, json: json))
                others.append(Message(raw: line, json: json))
            }
            condition.broadcast()
        }
    }

    func end(error: Int32, partial: Data) {
        condition.withLock {
            end = (error, partial)
            condition.broadcast()
        }
    }

    var hasEnded: Bool { condition.withLock { end != nil } }

    var unmatchedCount: Int { condition.withLock { unmatched.count } }

    /// All lines so far that answered no open request, also those that were taken.
    var allUnmatched: [Message] { condition.withLock { others } }

    /// How many of them had come before this answer.
    func countBefore(_ id: JSON) -> Int? {
        condition.withLock { if case .answered(_, let count)? = slots[id] { count } else { nil } }
    }

    func response(_ id: JSON) -> JSON? { condition.withLock { answer(id) } }

    func waitForResponse(_ id: JSON, _ timeout: Duration, _ location: SourceLocation) throws -> JSON {
        try wait("an answer to request \(id)", timeout, location) { answer(id) }
    }

    func nextUnmatched(_ timeout: Duration, _ location: SourceLocation) throws -> Message {
        try wait("a line", timeout, location) { unmatched.isEmpty ? nil : unmatched.removeFirst() }
    }

    func waitForEnd(_ timeout: Duration, _ location: SourceLocation) throws -> Data {
        try wait("end of file", timeout, location) { end?.partial }
    }

    /// Only under the lock.
    private func answer(_ id: JSON) -> JSON? {
        if case .answered(let json, _)? = slots[id] { json } else { nil }
    }

    private func wait<Value>(
        _ what: String, _ timeout: Duration, _ location: SourceLocation, _ find: () -> Value?
    ) throws -> Value {
        let limit = Deadline(in: timeout).date
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let found = find() { return found }
            if let end {
                let how = end.error == 0 ? "closed" : "broke (\(String(cString: strerror(end.error))))"
                throw HarnessError("the daemon's side \(how) while waiting for \(what)", at: location)
            }
            guard condition.wait(until: limit) else {
                throw HarnessError(
                    "not within \(timeout): \(what); lines not asked for: \(unmatched.count)", at: location)
            }
        }
    }
}
