/// What all that runs through one ControlMaster shares, whatever names the config has for it and however often it is
/// loaded: how many sessions there may be, the stopping of commands, and the question whether the host answers.
public final class MasterSessions: Sendable {
    let budget: SessionBudget
    let stops = StopQueue()
    let answer = HostAnswer()
    let presence = MasterPresence()
    let startup = StartupMemory()

    /// At most so many sessions at once.
    public init(sessions: Int) {
        budget = SessionBudget(sessions: sessions)
    }

    /// Changes that number; sessions that are open stay open.
    public func limit(to sessions: Int) {
        Task { await budget.limit(to: sessions) }
    }
}
