/// What all that runs through one ControlMaster shares, whatever names the config has for it, however often it is loaded and
/// whatever paths lead to its socket: how many sessions there may be, the stopping of commands, and the question whether the host answers.
public final class MasterSessions: Sendable {
    let budget: SessionBudget
    let stops = StopQueue()
    let answer = HostAnswer()
    let startup = StartupMemory()

    let registry: SocketRegistry?

    /// At most so many sessions at once. `registry` finds others that go through the same socket.
    public init(sessions: Int, registry: SocketRegistry? = nil) {
        self.registry = registry
        budget = SessionBudget(sessions: sessions)
    }

    /// Changes that number; sessions that are open stay open.
    public func limit(to sessions: Int) {
        Task { await budget.limit(to: sessions) }
    }
}
