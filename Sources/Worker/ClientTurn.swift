internal import Dispatch
internal import IPC
internal import MCP
internal import Synchronization

/// Holds a client's first request until the supervisor has said how the client is served.
///
/// If the client has sent bytes and no whole request, the supervisor is told so once. All functions but `answered` are called on
/// the reading thread.
final class ClientTurn: Sendable {
    private enum State {
        /// No request was read so far.
        case first
        /// All bytes that the client had sent were read, and there was no request. The supervisor was told.
        case unheard
        /// A request was read, and the supervisor was told.
        case asked
        case served
        case refused(String)
    }

    private let supervisor: SupervisorLink
    private let state = Mutex(State.first)
    private let answer = DispatchSemaphore(value: 0)

    init(_ supervisor: SupervisorLink) {
        self.supervisor = supervisor
    }

    /// Takes notice that all bytes that came so far were handled.
    func unheard() {
        let isNew = state.withLock { state in
            guard case .first = state else { return false }
            state = .unheard
            return true
        }
        if isNew { supervisor.send(.life(.clientUnheard)) }
    }

    /// Called before a line is served. If the line is the first request, this waits for the supervisor's answer.
    /// - Returns: why this line and those after it are not served; nil if they are.
    func refusal(of line: [UInt8]) -> String? {
        switch state.withLock({ $0 }) {
        case .served: return nil
        case .refused(let reason): return reason
        case .first, .unheard, .asked:
            guard RefusedClient.isRequest(line) else { return nil }
            state.withLock { $0 = .asked }
            supervisor.send(.life(.clientSpeaks))
            answer.wait()
            guard case .refused(let reason) = state.withLock({ $0 }) else { return nil }
            return reason
        }
    }

    /// Takes notice that a request was read which need not wait.
    func heard() { state.withLock { $0 = .served } }

    /// Takes the supervisor's first answer: nil if the client is served. Later ones change nothing.
    /// - Returns: whether the first request waited for it.
    @discardableResult func answered(refusal reason: String?) -> Bool {
        let isFirst = state.withLock { state in
            guard case .asked = state else { return false }
            state = reason.map { .refused($0) } ?? .served
            return true
        }
        if isFirst { answer.signal() }
        return isFirst
    }
}
