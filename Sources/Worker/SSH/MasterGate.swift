public import IPC

/// What a gate says of a session, in this order, and nothing after `notOpened`, `ended` or `lost`.
public enum SessionWord: Equatable, Sendable {
    /// See `GateAnswer.opened`.
    case opened
    /// See `GateAnswer.notOpened`.
    case notOpened(SessionFailure)
    /// See `GateAnswer.exited`.
    case exited(UInt32)
    /// See `GateAnswer.ended`.
    case ended
    /// The gate has ended, and the session with its connection. The ControlMaster may hold the pipes for as long as the host does not
    /// answer: nothing more is waited for.
    case lost
}

/// What a gate says of a request that it was to judge.
public enum Judgement: Sendable {
    /// The policy does not allow it.
    case refused(GateRefusal)
    /// The policy allows it.
    case allowed
    /// The policy allows it, and this is to be said of the ControlMaster; or the gate has ended.
    case master(MasterState)
}

extension Judgement {
    /// What there is to say of a ControlMaster.
    public var state: MasterState {
        switch self {
        case .master(let state): state
        // A gate that says so to a question about a master knows nothing.
        case .refused, .allowed: .down(.noGate)
        }
    }
}

/// The gate: it alone speaks to ControlMasters.
public protocol MasterGate: Sendable {
    /// What the nonces of lines begin with that it is asked for; empty where there is no gate.
    var mark: String { get }

    /// Whether the ControlMaster of the host of this name lives, as seen now. Takes `MasterDown.patience` at most.
    func state(of host: String) async -> MasterState

    /// Asks the same, and does not wait: what the gate says of it comes later.
    func beginState(of host: String) -> Awaited<Judgement>

    /// Has this request judged, `GateRequest.judge` or `judgeForward`.
    func judge(_ request: GateRequest) async -> Judgement

    /// Asks for a session over these pipes, see `GateRequest`. `heard` gets each word of it, one after the other, until the last.
    /// - Returns: its number.
    func open(
        _ request: GateRequest, _ pipes: consuming PassedDescriptors, heard: @escaping @Sendable (SessionWord) -> Void
    ) -> UInt32

    /// Tells it whether the shell that reads lines at the host of this name takes `export`.
    func takeNotice(of host: String, exports: Bool)

    /// Ends the session of this number, which may be over already.
    func close(_ session: UInt32)

    /// How long a session may take until its master hears of it, when nothing is wrong with master and host.
    var delay: Duration { get }

    /// The same gate for the sessions of one host.
    func opening(_ host: PolicySnapshot.Host) -> any MasterGate
}

extension MasterGate {
    /// A gate asks at once.
    public var delay: Duration { .zero }

    /// The gate needs to know nothing more of a host than its name in a request.
    public func opening(_ host: PolicySnapshot.Host) -> any MasterGate { self }
}

extension HostSessions {
    /// Whether the ControlMaster lives. Whether the host behind it answers is another question, see `reach`.
    public func masterState() async -> MasterState { await gate.state(of: host.name) }

    /// Asks whether it does, and does not wait.
    public func beginMasterState() -> Awaited<Judgement> { gate.beginState(of: host.name) }

    /// Whether the policy allows a forward through this host to this target.
    public func judgeForward(to target: ForwardTarget) async -> Judgement {
        await gate.judge(.judgeForward(host: host.name, target: target, call: CallInHand.number))
    }

    /// Has the gate judge a command, before anything is done for it.
    /// - Returns: what there is to say of the ControlMaster, where the command is allowed.
    func judged(_ order: GateRequest, _ request: ExecRequest) async throws(ExecFailure) -> MasterState {
        let judgement = await gate.judge(order)
        if case .refused(let refusal) = judgement { throw .notAllowed(refusal) }
        try await request.judgesInput?()
        guard case .master(let state) = judgement else { return .down(.noGate) }
        return state
    }
}
