public import IPC

/// The gate, as far as it tells of ControlMasters.
public protocol MasterGate: Sendable {
    /// Whether the ControlMaster of the host of this name lives, as seen now. Takes `MasterDown.patience` at most.
    func state(of host: String) async -> MasterState
}

extension HostSessions {
    /// Whether the ControlMaster lives. Whether the host behind it answers is another question, see `reach`.
    public func masterState() async -> MasterState { await gate.state(of: host.name) }

    /// Throws where no ControlMaster answers: nothing is begun then. Anything may listen at its socket, and what takes a
    /// connection and says nothing would hold a command until its timeout, with an outcome that nobody knows.
    func meetMaster() async throws(ExecFailure) {
        switch await masterState() {
        case .alive: return
        case .down(let why): throw .masterDown(why)
        }
    }
}
