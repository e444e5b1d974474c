internal import Synchronization

/// What is kept once for each ControlMaster, however many names and socket paths the config has for it, and however often the
/// config is loaded: the budget of sessions, the queue of commands to be stopped, and what is known of the host.
public final class MasterSessions: Sendable {
    let budget: SessionBudget
    let stops = StopQueue()
    let answer = HostAnswer()
    let startup = StartupMemory()

    let registry: MasterRegistry?

    private struct Found {
        weak var sessions: MasterSessions?
        let since: ContinuousClock.Instant
    }

    /// What answered at this socket last.
    private let found = Mutex<Found?>(nil)

    /// - Parameters:
    ///   - sessions: how many sessions may be open at once, `limits.sessions_per_host` of the config.
    ///   - registry: finds the object of another name of the same master; nil if there is no other.
    public init(sessions: Int, registry: MasterRegistry? = nil) {
        self.registry = registry
        budget = SessionBudget(sessions: sessions)
    }

    /// What answered at this socket a moment ago; nil where that is too long ago, or nothing did. It saves a question for each piece
    /// of work: whether a master still answers is seen again when a session is opened, within `MasterDown.patience` as well.
    var recent: MasterSessions? {
        get { found.withLock { found in found.flatMap { .now - $0.since < .seconds(5) ? $0.sessions : nil } } }
        set { found.withLock { $0 = newValue.map { Found(sessions: $0, since: .now) } } }
    }

    /// Changes how many sessions may be open at once. Open sessions stay open.
    public func limit(to sessions: Int) {
        Task { await budget.limit(to: sessions) }
    }
}
