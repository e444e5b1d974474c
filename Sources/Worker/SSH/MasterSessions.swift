/// What is kept once for each ControlMaster, however many names and socket paths the config has for it, and however often the
/// config is loaded: the budget of sessions, the queue of commands to be stopped, and what is known of the host.
public final class MasterSessions: Sendable {
    let budget: SessionBudget
    let stops = StopQueue()
    let answer = HostAnswer()
    let startup = StartupMemory()
    let pulse = HostPulse()
    let identity = IdentityMemory()

    let registry: MasterRegistry?

    /// - Parameters:
    ///   - sessions: how many sessions may be open at once, `limits.sessions_per_host` of the config.
    ///   - registry: finds the object of another name of the same master; nil if there is no other.
    public init(sessions: Int, registry: MasterRegistry? = nil) {
        self.registry = registry
        budget = SessionBudget(sessions: sessions)
    }

    /// Changes how many sessions may be open at once. Open sessions stay open.
    public func limit(to sessions: Int) {
        Task { await budget.limit(to: sessions) }
    }
}
