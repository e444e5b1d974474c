internal import Dispatch
internal import IPC
internal import MCP
internal import Synchronization

/// Whether this client has the place that it was given: only one that has sent a whole request keeps it while others wait.
///
/// Until then the supervisor is told once that it has not, and from then on it is asked before the first request is served. Called
/// on the reading thread, but for `answered`.
final class ClientTurn: Sendable {
    private enum State {
        /// Nothing was read, or nothing that is a request.
        case first
        /// So it was when all had been read that the client had sent.
        case unheard
        case served
        case refused(String)
    }

    private let supervisor: SupervisorLink
    private let state = Mutex(State.first)
    private let answer = DispatchSemaphore(value: 0)

    init(_ supervisor: SupervisorLink) {
        self.supervisor = supervisor
    }

    /// All that came so far was handed over.
    func unheard() {
        let isNew = state.withLock { state in
            guard case .first = state else { return false }
            state = .unheard
            return true
        }
        if isNew { supervisor.send(.life(.clientUnheard)) }
    }

    /// Before a line is served: waits for the place where it was given away and the line is a request.
    /// - Returns: why this line and those after it are not served.
    func refusal(of line: [UInt8]) -> String? {
        switch state.withLock({ $0 }) {
        case .served: return nil
        case .refused(let reason): return reason
        case .first:
            if RefusedClient.isRequest(line) { heard() }
            return nil
        case .unheard:
            guard RefusedClient.isRequest(line) else { return nil }
            supervisor.send(.life(.clientSpeaks))
            answer.wait()
            guard case .refused(let reason) = state.withLock({ $0 }) else { return nil }
            return reason
        }
    }

    /// A request was read and need not wait.
    func heard() { state.withLock { $0 = .served } }

    /// The supervisor's answer to a client that has spoken late.
    func answered(refusal reason: String?) {
        state.withLock { $0 = reason.map { .refused($0) } ?? .served }
        answer.signal()
    }
}
