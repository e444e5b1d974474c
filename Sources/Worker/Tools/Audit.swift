public import IPC
internal import JSON
internal import MCP
internal import Synchronization

/// Where calls are written down: in the supervisor, out of this process's reach.
public protocol AuditBroker: Sendable {
    /// Says that a call begins, and returns when the supervisor knows, with the call's number.
    /// - Returns: nil where nobody takes it; then the call must not be made.
    func begin(_ call: AuditCall) async -> UInt32?
    /// Says how a call ended.
    func end(_ number: UInt32, _ outcome: AuditOutcome)
}

/// What is noted of one call while it is judged and done.
final class CallNotes: Sendable {
    private struct State {
        var rule = ""
        var bytesIn: UInt64 = 0
        var bytesOut: UInt64 = 0
    }

    private let state = Mutex(State())

    /// A rule refused the call.
    func refused(by rule: String) { state.withLock { $0.rule = rule } }

    /// So many bytes of content went to the host.
    func sent(_ count: Int) { state.withLock { $0.bytesIn += UInt64(clamping: count) } }

    /// So many bytes of content came from the host.
    func received(_ count: Int) { state.withLock { $0.bytesOut += UInt64(clamping: count) } }

    /// How the call went, by what was noted and what it came to; nil is no such tool.
    func outcome(_ result: ToolResult?, cancelled: Bool) -> AuditOutcome {
        var ending = cancelled ? AuditOutcome.Ending.cancelled : .error
        var exitCode: Int32?
        if case .success(let members) = result {
            if !cancelled { ending = members["timed_out"] == true ? .timeout : .ok }
            if case .integer(let code) = members["exit_code"] { exitCode = Int32(truncatingIfNeeded: code) }
        }
        return state.withLock {
            AuditOutcome(
                rule: $0.rule, ending: ending, exitCode: exitCode, bytesIn: $0.bytesIn, bytesOut: $0.bytesOut)
        }
    }
}

extension AuditCall {
    /// What the arguments say that may be written down. Names that the log does not know and values of variables stay here.
    init(tool: String, host: String, _ arguments: JSONObject) {
        var fields: [Field] = []
        for member in arguments.members {
            guard let key = AuditKey(rawValue: member.name) else { continue }
            switch (key, member.value) {
            case (.env, .object(let variables)):
                let names = variables.members.map { Arguments.isShellName($0.name) ? $0.name : "?" }
                fields += names.sorted().prefix(30).map { Field(.env, $0) }
                if names.count > 30 { fields.append(Field(.env, "… [\(names.count) in all]")) }
            case (.env, _): continue
            case (_, .string(let text)): fields.append(Field(key, text))
            case (_, .integer(let number)): fields.append(Field(key, String(number)))
            default: continue
            }
        }
        self.init(tool: tool, host: host, fields: fields)
    }
}
