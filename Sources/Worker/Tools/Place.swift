public import IPC
internal import MCP
internal import SSH
internal import Synchronization

extension PolicySnapshot {
    /// How long a call waits for the place that another client has.
    public var clientWait: Duration { .seconds(clientWaitSeconds) }
}

/// The calls that wait because another client has the place. They begin when this client gets it. A call that has waited as long as
/// it may is refused by the supervisor, which knows who is in the way.
public final class Place: Sendable {
    /// What came of waiting.
    enum Outcome: Equatable {
        case given
        case refused(String)
        /// The call was cancelled meanwhile.
        case cancelled
    }

    private struct Held {
        let call: CheckedContinuation<Outcome, Never>
        let timer: Timer

        func end(_ outcome: Outcome) {
            timer.cancel()
            call.resume(returning: outcome)
        }
    }

    private struct State {
        var isGiven = false
        var patience: Duration
        var held: [UInt32: Held] = [:]
        var nextID: UInt32 = 1
    }

    private let state: Mutex<State>
    private let ask: @Sendable (UInt32) -> Void

    /// - Parameters:
    ///   - patience: how long a call waits.
    ///   - ask: asks the supervisor to refuse the call with this number. It may be called on any thread.
    public init(patience: Duration, ask: @escaping @Sendable (UInt32) -> Void) {
        state = Mutex(State(patience: patience))
        self.ask = ask
    }

    /// Replaces the time that calls wait which come from now on.
    public func wait(atMost patience: Duration) { state.withLock { $0.patience = patience } }

    /// The client has the place: all calls that wait begin, and no later one waits.
    public func given() {
        let held = state.withLock { state in
            defer { state.held = [:] }
            state.isGiven = true
            return state.held.values
        }
        for call in held { call.end(.given) }
    }

    /// Refuses the call with this number, if it still waits.
    public func refused(_ id: UInt32, _ sentence: String) { settle(id, .refused(sentence)) }

    private func settle(_ id: UInt32, _ outcome: Outcome) {
        state.withLock { $0.held.removeValue(forKey: id) }?.end(outcome)
    }

    /// Waits until the client has the place, if it does not have it.
    func enter(_ progress: Progress) async -> Outcome {
        let (id, patience) = state.withLock { state in
            defer { state.nextID &+= 1 }
            return (state.nextID, state.isGiven ? nil : state.patience)
        }
        guard let patience else { return .given }
        let seconds = patience.components.seconds
        progress.report(0, message: "Another client has the place. This call waits for it, at most \(seconds) s.")
        return await withTaskCancellationHandler {
            await withCheckedContinuation { call in
                let isGiven = state.withLock { state in
                    if state.isGiven { return true }
                    // The timer may fire at once, and finds the call held then.
                    state.held[id] = Held(call: call, timer: Timer(patience) { self.askAbout(id) })
                    return false
                }
                if isGiven { call.resume(returning: .given) } else if Task.isCancelled { settle(id, .cancelled) }
            }
        } onCancel: {
            settle(id, .cancelled)
        }
    }

    private func askAbout(_ id: UInt32) {
        if state.withLock({ $0.held[id] != nil }) { ask(id) }
    }
}
