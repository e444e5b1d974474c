internal import Glibc
internal import IPC

/// Who calls, as the kernel named them when they connected. With socat as the bridge it is socat.
struct AuditClient: Equatable {
    let session: UInt64
    let pid: Int32
    let uid: UInt32
    /// Absolute path of the program, empty where it cannot be told.
    let executable: String

    /// Bytes kept of the path.
    private static let maximumPath = 512

    /// The program of a process, proc_pid_exe(5).
    static func executable(of pid: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/\(pid)/exe", &buffer, buffer.count)
        return AuditCall.cut(String(decoding: buffer.prefix(max(0, count)), as: UTF8.self), to: maximumPath)
    }
}

/// The calls that one worker has begun and not ended, and the one record that each leads to. What was called is kept from
/// the beginning, which comes before the call's work: what a worker says at the end cannot change it. Pure.
struct OpenCalls {
    private struct Call {
        let call: AuditCall
        let began: Int
    }

    /// Calls that one worker may have open; its own bound is lower.
    static let maximum = 1024

    let client: AuditClient
    private var calls: [UInt32: Call] = [:]

    init(client: AuditClient) {
        self.client = client
    }

    /// Who calls what, for the daemon's log; nil where the worker may not begin the call.
    mutating func begin(_ number: UInt32, _ call: AuditCall, now: Int) -> String? {
        guard calls.count < Self.maximum, calls[number] == nil else { return nil }
        calls[number] = Call(call: call, began: now)
        return members(number, call, "")
    }

    /// The record of a call's end; nil where no such call is open.
    mutating func end(_ number: UInt32, _ outcome: AuditOutcome, now: Int) -> String? {
        guard let open = calls.removeValue(forKey: number) else { return nil }
        var end = #","verdict":"\#(outcome.rule.isEmpty ? "allowed" : "refused")""#
        if !outcome.rule.isEmpty { end += #","rule":\#(Log.quoted(outcome.rule))"# }
        end += #","outcome":"\#(outcome.rule.isEmpty ? "\(outcome.ending)" : "refused")""#
        if let code = outcome.exitCode { end += #","exit_code":\#(code)"# }
        end += #","bytes_in":\#(outcome.bytesIn),"bytes_out":\#(outcome.bytesOut),"duration_ms":\#(now - open.began)"#
        return #""event":"call","# + members(number, open.call, end)
    }

    /// The records of all calls that are still open, whose worker ended in this way.
    mutating func abandon(_ how: String, now: Int) -> [String] {
        defer { calls = [:] }
        return calls.sorted { $0.key < $1.key }.map { number, open in
            let end = #","outcome":"unknown","reason":\#(Log.quoted(how)),"duration_ms":\#(now - open.began)"#
            return #""event":"call","# + members(number, open.call, end)
        }
    }

    /// A record's members. Its texts are cut further where, escaped, they do not fit a line.
    private func members(_ number: UInt32, _ call: AuditCall, _ end: String) -> String {
        var text = ""
        for limit in [AuditCall.maximumText, 1024, 256, 24] {
            text =
                #""session":\#(client.session),"call":\#(number),"client_pid":\#(client.pid),"#
                + #""client_uid":\#(client.uid),"client_executable":\#(Log.quoted(client.executable)),"#
                + #""tool":\#(Log.quoted(call.tool))"#
            if !call.host.isEmpty { text += #","host":\#(Log.quoted(call.host))"# }
            text += #","what":{\#(Self.what(call.fields, limit: limit))}\#(end)"#
            // Room for `prev`, `time` and `event`.
            if text.utf8.count <= AuditChain.maximumLine - 200 { break }
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
