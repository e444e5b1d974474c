internal import IPC
internal import SSH

/// Questions whether ControlMasters live, which are under way.
struct MasterStates: Sendable {
    private var asked: [ObjectIdentifier: Awaited<Judgement>] = [:]

    /// Asks about the master of this host.
    mutating func ask(_ sessions: HostSessions) {
        asked[ObjectIdentifier(sessions)] = sessions.beginMasterState()
    }

    /// The question about a host's master, where it was asked.
    func question(about sessions: HostSessions) -> Awaited<Judgement>? { asked[ObjectIdentifier(sessions)] }

    /// What there is to say of a host's master. It is asked now where it was not before.
    func state(of sessions: HostSessions) async -> MasterState {
        await (asked[ObjectIdentifier(sessions)] ?? sessions.beginMasterState()).value.state
    }
}
