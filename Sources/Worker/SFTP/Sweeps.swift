internal import Synchronization

/// The directories of a host in which leftovers are being looked for, and where that was done a short while ago.
final class Sweeps: Sendable {
    private struct State {
        var underWay: [[UInt8]] = []
        var done: [[UInt8]: ContinuousClock.Instant] = [:]
    }

    /// How long one counts for a directory: a leftover is an hour old.
    private static let pause = Duration.seconds(60)
    /// How many may be under way at once, and how many directories are remembered.
    private static let most = 4
    private static let mostRemembered = 64

    private let state = Mutex(State())

    /// Begins one.
    /// - Parameter always: also where it was done a short while ago.
    /// - Returns: whether it may be done now. If it may, `end` must be called.
    func begin(_ directory: [UInt8], always: Bool) -> Bool {
        state.withLock { state in
            let isRecent = state.done[directory].map { .now - $0 < Self.pause } ?? false
            guard always || !isRecent && !state.underWay.contains(directory), state.underWay.count < Self.most else {
                return false
            }
            state.underWay.append(directory)
            return true
        }
    }

    /// Ends one.
    /// - Parameter isDone: the directory was looked at, and what had to be removed is.
    func end(_ directory: [UInt8], isDone: Bool) {
        state.withLock { state in
            if let index = state.underWay.firstIndex(of: directory) { state.underWay.remove(at: index) }
            guard isDone else { return }
            if state.done.count >= Self.mostRemembered {
                state.done = state.done.filter { .now - $0.value < Self.pause }
            }
            if state.done.count < Self.mostRemembered { state.done[directory] = .now }
        }
    }
}
