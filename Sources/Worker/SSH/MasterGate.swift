public import IPC

/// What a gate says of a session, in this order, and nothing after `notOpened` or `ended`.
public enum SessionWord: Equatable, Sendable {
    /// See `GateAnswer.opened`.
    case opened
    /// See `GateAnswer.notOpened`.
    case notOpened(SessionFailure)
    /// See `GateAnswer.exited`.
    case exited(UInt32)
    /// See `GateAnswer.ended`.
    case ended
}

/// The gate: it alone speaks to ControlMasters.
public protocol MasterGate: Sendable {
    /// Whether the ControlMaster of the host of this name lives, as seen now. Takes `MasterDown.patience` at most.
    func state(of host: String) async -> MasterState

    /// Asks for a session over these pipes, see `GateRequest`. `heard` gets each word of it, one after the other, until the last.
    /// - Returns: its number.
    func open(
        _ request: GateRequest, _ pipes: consuming PassedDescriptors, heard: @escaping @Sendable (SessionWord) -> Void
    ) -> UInt32

    /// Ends the session of this number, which may be over already.
    func close(_ session: UInt32)

    /// The same gate for the sessions of one host.
    func opening(_ host: PolicySnapshot.Host) -> any MasterGate
}

extension MasterGate {
    /// The gate needs to know nothing more of a host than its name in a request.
    public func opening(_ host: PolicySnapshot.Host) -> any MasterGate { self }
}

extension HostSessions {
    /// Whether the ControlMaster lives. Whether the host behind it answers is another question, see `reach`.
    public func masterState() async -> MasterState { await gate.state(of: host.name) }
}
