internal import Glibc
internal import IPC

/// The calls that one worker has begun and not ended, and the one record that each leads to. What was called is kept from the
/// beginning of the call, before its work: what a worker says at its end cannot change it. Pure.
///
/// A call has its number from its record, so that the records of a connection count 1, 2, 3 …: a number that is missing in the
/// file is a record that was taken out.
struct OpenCalls {
    private struct Call {
        /// Members of its record: who called what.
        let subject: String
        /// How many had begun, this one included.
        let order: Int
        let began: Int
    }

    /// The end of a call.
    struct Record: Equatable {
        /// Members of the line in the file.
        let members: String
        /// What only the daemon's log needs: it tells of the beginning under this number.
        let order: Int
    }

    /// Calls that one worker may have open; its own bound is lower.
    static let maximum = 1024
    /// Bytes of a line that are not the subject: `prev`, `time`, `event` and numbers, and how the call ended.
    private static let room = 2048
    private static let maximumReason = 500

    let client: AuditClient
    private var calls: [UInt32: Call] = [:]
    private var begun = 0
    private var recorded = 0
    /// Calls whose worker has ended, the oldest last, and how it ended.
    private var left: [Call] = []
    private var how = ""

    init(client: AuditClient) {
        self.client = client
    }

    /// A call begins; `key` is the worker's name for it until it ends. What the daemon's log tells of it; nil where the worker
    /// may not begin it.
    mutating func begin(_ key: UInt32, _ call: AuditCall, now: Int) -> String? {
        guard calls.count < Self.maximum, calls[key] == nil else { return nil }
        begun += 1
        let subject = subject(call)
        calls[key] = Call(subject: subject, order: begun, began: now)
        return #""connection":\#(client.connection),"begun":\#(begun),\#(subject)"#
    }

    /// The record of a call's end; nil where no such call is open.
    mutating func end(_ key: UInt32, _ outcome: AuditOutcome, now: Int) -> Record? {
        guard let open = calls.removeValue(forKey: key) else { return nil }
        var end = #","verdict":"\#(outcome.rule.isEmpty ? "allowed" : "refused")""#
        if !outcome.rule.isEmpty { end += #","rule":\#(Log.quoted(outcome.rule))"# }
        end += #","outcome":"\#(outcome.rule.isEmpty ? "\(outcome.ending)" : "refused")""#
        if let code = outcome.exitCode { end += #","exit_code":\#(code)"# }
        end += #","bytes_in":\#(outcome.bytesIn),"bytes_out":\#(outcome.bytesOut),"duration_ms":\#(now - open.began)"#
        return record(open, end)
    }

    /// The worker ended in this way: what is still open has records of its own, which `nextLeft` gives.
    mutating func abandon(_ how: String) {
        left = calls.values.sorted { $0.order > $1.order }
        calls = [:]
        self.how = AuditCall.cut(how, to: Self.maximumReason)
    }

    /// The record of the next call that was abandoned.
    mutating func nextLeft(now: Int) -> Record? {
        guard let open = left.popLast() else { return nil }
        return record(open, #","outcome":"unknown","reason":\#(Log.quoted(how)),"duration_ms":\#(now - open.began)"#)
    }

    private mutating func record(_ call: Call, _ end: String) -> Record {
        recorded += 1
        return Record(
            members: #""event":"call","connection":\#(client.connection),"call":\#(recorded),\#(call.subject)\#(end)"#,
            order: call.order)
    }

    /// Who calls what. Its texts are cut further where, escaped, they do not fit a line.
    private func subject(_ call: AuditCall) -> String {
        var text = ""
        for limit in [AuditCall.maximumText, 1024, 256, 24] {
            text =
                #""client_pid":\#(client.pid),"client_uid":\#(client.uid),"#
                + #""client_executable":\#(Log.quoted(client.executable)),"tool":\#(Log.quoted(call.tool))"#
            if !call.host.isEmpty { text += #","host":\#(Log.quoted(call.host))"# }
            text += #","what":{\#(Self.what(call.fields, limit: limit))}"#
            if text.utf8.count <= AuditChain.maximumLine - Self.room { break }
        }
        return text
    }

    private static func what(_ fields: [AuditCall.Field], limit: Int) -> String {
        AuditKey.allCases.compactMap { key in
            let texts = fields.filter { $0.key == key }.map { AuditCall.cut($0.text, to: limit) }
            guard let first = texts.first else { return nil }
            switch key {
            case .env: return "\"env\":[\(texts.map(Log.quoted).joined(separator: ","))]"
            case .localPort, .remotePort, .forwardID:
                return "\"\(key.rawValue)\":\(Int(first).map(String.init) ?? Log.quoted(first))"
            case .command, .cwd, .path, .localPath, .remotePath, .remoteHost:
                return "\"\(key.rawValue)\":\(Log.quoted(first))"
            }
        }.joined(separator: ",")
    }
}
