internal import Synchronization

/// The call that a task works for. Hosts are asked for nothing but for a call that is open. So the supervisor is told of its end
/// only when nothing opens for it any more: a connection that several calls wait for is still opened when the call that began with
/// it was cancelled.
public final class CallInHand: Sendable {
    private struct State {
        /// The call itself, and what opens for it.
        var holders = 1
        var end: (@Sendable () -> Void)?
    }

    /// The call of the current task; nil where there is none.
    @TaskLocal public static var current: CallInHand?

    /// The number of the current task's call, for requests. No call has the number 0.
    public static var number: UInt32 { current?.number ?? 0 }

    /// Its number, as the supervisor knows it.
    public let number: UInt32
    private let state = Mutex(State())

    /// A call that has begun.
    public init(_ number: UInt32) {
        self.number = number
    }

    /// Something begins to open for it, until `letGo`.
    public func hold() { state.withLock { $0.holders += 1 } }

    /// What began with `hold` is open, or has failed.
    public func letGo() {
        let end = state.withLock { state -> (@Sendable () -> Void)? in
            state.holders -= 1
            return state.holders == 0 ? state.end : nil
        }
        end?()
    }

    /// It has a result. `tell` is called when nothing opens for it any more.
    public func finish(_ tell: @escaping @Sendable () -> Void) {
        state.withLock { $0.end = tell }
        letGo()
    }
}
