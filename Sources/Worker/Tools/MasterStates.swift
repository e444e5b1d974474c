internal import IPC
internal import SSH

/// Questions whether ControlMasters live, which are under way.
struct MasterStates: Sendable {
    private var asked: [ObjectIdentifier: Awaited<Judgement>] = [:]

    /// Asks about the master of this host.
    mutating func ask(_ sessions: HostSessions) {
        asked[ObjectIdentifier(sessions)] = sessions.beginMasterState()
    }

    /// What there is to say of a host's master. It is asked now where it was not before.
    func state(of sessions: HostSessions) async -> MasterState {
        await (asked[ObjectIdentifier(sessions)] ?? sessions.beginMasterState()).value.state
    }
}
