internal import JSON
internal import IPC
internal import MCP
internal import Synchronization

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
