internal import Glibc
internal import IPC

/// The open calls of one worker, each of which will have one record. What was called is noted when the call begins, so that the
/// worker cannot change it when the call ends. Both are the worker's word. What goes to hosts for a call is told by its gate and
/// has lines of its own: a host hears nothing for a call that is not open.
///
/// A record gets its number when it is made, so that the records of a connection have the numbers 1, 2, 3 and so on. If a number
/// is missing in the file, that record was removed.
struct OpenCalls {
    private struct Call {
        /// The members of its record that tell who called what.
        let subject: String
        /// How many calls had begun with this one.
        let order: Int
        let began: Int
    }

    /// The end of a call.
    struct Record: Equatable {
        /// The members of the line in the file.
        let members: String
        /// The number under which the daemon's log has the beginning of the call.
        let order: Int
    }

    /// How many calls one worker may have open. An honest one has fewer.
    static let maximum = 1024
    /// How many bytes of a line are for `prev`, `time`, `event`, numbers and the end of the call.
    private static let room = 2048
    private static let maximumReason = 500
    /// To how many bytes each text is cut, one after the other until the line fits.
    private static let limits = [AuditCall.maximumText, 1024, 256, 24]

    let client: AuditClient
    private var calls: [UInt32: Call] = [:]
    private var begun = 0
    /// Whether a call has begun that had the place.
    private var hasBegun = false
    private var recorded = 0
    /// The calls of a worker that has ended, the oldest last, and how the worker ended.
    private var left: [Call] = []
    private var how = ""

    init(client: AuditClient) {
        self.client = client
    }

    /// Notes that a call begins. `key` is the worker's number for it.
    /// - Returns: the members for the daemon's log; nil if the worker may not begin this call.
    mutating func begin(_ key: UInt32, _ call: AuditCall, now: Int) -> String? {
        guard calls.count < Self.maximum, calls[key] == nil else { return nil }
        begun += 1
        hasBegun = true
        let subject = subject(call)
        calls[key] = Call(subject: subject, order: begun, began: now)
        return #""connection":\#(client.connection),"begun":\#(begun),\#(subject)"#
    }

    /// How many calls had begun with the one that is open under this number; nil if none is.
    func order(of key: UInt32) -> Int? { calls[key]?.order }

    /// Whether what a gate reports may be opened. A command, files or a forward need a call that is open. A line of the gate's own
    /// may belong to a call that has ended, so it only needs that one has begun.
    func admits(_ report: GateReport) -> Bool {
        switch report.subject {
        case .command, .files, .shell, .forward: calls[report.call] != nil
        case .errand: hasBegun
        }
    }

    /// The members of the line about what a gate has reported.
    /// - Parameter rule: the rule that refuses it; nil where it is let through.
    func told(_ report: GateReport, refusedBy rule: PolicyRule?) -> String {
        told(
            order(of: report.call), host: report.host,
            "\"verdict\":" + (rule.map { "\"refused\",\"rule\":\"\($0.name)\"" } ?? "\"allowed\"")
        ) { limit in
            switch report.subject {
            case .command(let fields): #""session":"command",\#(Self.what(fields, limit: limit))"#
            case .files(let writes): #""session":"files","writing":\#(writes)"#
            case .shell(let fields):
                #""session":"shell""# + (fields.isEmpty ? "" : "," + Self.what(fields, limit: limit))
            case .errand(let kind): #""session":"\#(kind.name)""#
            case .forward(let fields): #""forward":"open",\#(Self.what(fields, limit: limit))"#
            }
        }
    }

    /// The members of the line about what a gate did for an order about a forward.
    /// - Parameter order: how many calls had begun with the one that it is for; nil if that is not known.
    func told(_ outcome: ForwardOutcome, of forward: ForwardOrder, for order: Int?, host: String) -> String {
        let (verb, end) =
            switch forward {
            case .open: ("open", outcome.word(of: "opened"))
            case .close: ("close", outcome.word(of: "closed"))
            }
        let route = forward.route
        let verdict =
            switch outcome {
            case .notAllowed(let rule): #""verdict":"refused","rule":"\#(rule.name)""#
            case .opened, .closed, .refused, .down, .unknown: #""verdict":"allowed","outcome":"\#(end)""#
            }
        return told(order, host: host, verdict) { limit in
            #""forward":"\#(verb)","local_port":\#(route.localPort),\#(Self.what(route.target.fields, limit: limit))"#
        }
    }

    private func told(_ order: Int?, host: String, _ verdict: String, _ what: (Int) -> String) -> String {
        var text = ""
        for limit in Self.limits {
            text =
                #""event":"gate","connection":\#(client.connection),"#
                + (order.map { #""begun":\#($0),"# } ?? "")
                + #""word_of":"gate","host":\#(LogText.quoted(host)),"what":{\#(what(limit))},\#(verdict)"#
            if text.utf8.count <= AuditChain.maximumLine - Self.room { break }
        }
        return text
    }

    /// Ends a call.
    /// - Returns: its record; nil if no such call is open.
    mutating func end(_ key: UInt32, _ outcome: AuditOutcome, now: Int) -> Record? {
        guard let open = calls.removeValue(forKey: key) else { return nil }
        var end = #","verdict":"\#(outcome.rule.isEmpty ? "allowed" : "refused")""#
        if !outcome.rule.isEmpty { end += #","rule":\#(LogText.quoted(outcome.rule))"# }
        end += #","outcome":"\#(outcome.rule.isEmpty ? "\(outcome.ending)" : "refused")""#
        if let code = outcome.exitCode { end += #","exit_code":\#(code)"# }
        end += #","bytes_in":\#(outcome.bytesIn),"bytes_out":\#(outcome.bytesOut),"duration_ms":\#(now - open.began)"#
        return record(open, end)
    }

    /// The record of a call that never began, because another client has the place. What was called is not known here.
    mutating func refusedForPlace() -> Record {
        begun += 1
        let subject =
            #""client_pid":\#(client.pid),"client_uid":\#(client.uid),"client_executable":\#(LogText.quoted(client.executable))"#
        return record(
            Call(subject: subject, order: begun, began: 0), #","verdict":"refused","rule":"place","outcome":"refused""#,
            wordOf: "supervisor")
    }

    /// Takes notice that the worker ended in this way. `nextLeft` gives the records of the calls that are still open.
    mutating func abandon(_ how: String) {
        left = calls.values.sorted { $0.order > $1.order }
        calls = [:]
        self.how = AuditCall.cut(how, to: Self.maximumReason)
    }

    /// The record of the next call that was abandoned.
    mutating func nextLeft(now: Int) -> Record? {
        guard let open = left.popLast() else { return nil }
        return record(
            open, #","outcome":"unknown","reason":\#(LogText.quoted(how)),"duration_ms":\#(now - open.began)"#)
    }

    private mutating func record(_ call: Call, _ end: String, wordOf teller: String = "worker") -> Record {
        recorded += 1
        return Record(
            members: #""event":"call","connection":\#(client.connection),"call":\#(recorded),"begun":\#(call.order),"#
                + #""word_of":"\#(teller)",\#(call.subject)\#(end)"#,
            order: call.order)
    }

    /// The members that tell who calls what. If the escaped texts do not fit into a line, they are cut further.
    private func subject(_ call: AuditCall) -> String {
        var text = ""
        for limit in Self.limits {
            text =
                #""client_pid":\#(client.pid),"client_uid":\#(client.uid),"#
                + #""client_executable":\#(LogText.quoted(client.executable)),"tool":\#(LogText.quoted(call.tool))"#
            if !call.host.isEmpty { text += #","host":\#(LogText.quoted(call.host))"# }
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
            case .env: return "\"env\":[\(texts.map(LogText.quoted).joined(separator: ","))]"
            case .localPort, .remotePort, .forwardID:
                return "\"\(key.rawValue)\":\(Int(first).map(String.init) ?? LogText.quoted(first))"
            case .command, .cwd, .path, .pathBase64, .localPath, .remotePath, .remotePathBase64, .remoteHost,
                .remoteSocket:
                return "\"\(key.rawValue)\":\(LogText.quoted(first))"
            }
        }.joined(separator: ",")
    }
}

extension ForwardOutcome {
    /// What came of an order, in a word for the audit log.
    fileprivate func word(of done: String) -> String {
        switch self {
        case .opened, .closed: done
        case .refused: "refused by the ControlMaster"
        case .down: "no ControlMaster"
        case .unknown: "unknown"
        case .notAllowed: "refused"
        }
    }
}
