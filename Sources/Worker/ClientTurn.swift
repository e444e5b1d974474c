internal import Dispatch
internal import IPC
internal import MCP
internal import Synchronization

/// Keeps account of whether this client has the place. While others wait, a client keeps it only if it has sent a whole request.
///
/// If the client has sent bytes and no whole request, the supervisor is told so once. From then on the supervisor is asked before
/// the first request is served. All functions but `answered` are called on the reading thread.
final class ClientTurn: Sendable {
    private enum State {
        /// No request was read so far.
        case first
        /// All bytes that the client had sent were read, and there was no request. The supervisor was told.
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

    /// Takes notice that all bytes that came so far were handled.
    func unheard() {
        let isNew = state.withLock { state in
            guard case .first = state else { return false }
            state = .unheard
            return true
        }
        if isNew { supervisor.send(.life(.clientUnheard)) }
    }

    /// Called before a line is served. If the place was given away and the line is a request, this waits for the place.
    /// - Returns: why this line and those after it are not served; nil if they are.
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

    /// Takes notice that a request was read which need not wait.
    func heard() { state.withLock { $0 = .served } }

    /// Takes the supervisor's answer about the place.
    func answered(refusal reason: String?) {
        state.withLock { $0 = reason.map { .refused($0) } ?? .served }
        answer.signal()
    }
}
