internal import Dispatch
public import IPC

/// The gate as a worker sees it whose sessions `ssh` opens (`"transport": "ssh"`): each request gets a ticket, and an `ssh` with that
/// ticket brings the gate the session's pipes. What a session comes to is still told by the gate alone.
public final class SSHSessions: MasterGate {
    private let gate: any TicketGate
    private let program: String
    /// The host that stands in the command lines; nil for that of no host.
    private let destination: String?
    /// Where processes are started, so that nobody else waits for that.
    private let starting: DispatchQueue

    /// - Parameters:
    ///   - gate: gives the tickets.
    ///   - program: the path of `ssh`, the one program that this worker may execute.
    public convenience init(over gate: any TicketGate, program: String) {
        self.init(gate, program, nil, DispatchQueue(label: "ssh.start"))
    }

    private init(_ gate: any TicketGate, _ program: String, _ destination: String?, _ starting: DispatchQueue) {
        self.gate = gate
        self.program = program
        self.destination = destination
        self.starting = starting
    }

    /// See `MasterGate`.
    public func opening(_ host: PolicySnapshot.Host) -> any MasterGate {
        SSHSessions(gate, program, host.master.destination, starting)
    }

    /// See `MasterGate`.
    public var mark: String { gate.mark }

    /// Each session waits for its `ssh`, see `TicketRequest.patience`.
    public var delay: Duration { .milliseconds(TicketRequest.patience) }

    /// See `MasterGate`.
    public func state(of host: String) async -> MasterState { await gate.state(of: host) }

    /// See `MasterGate`.
    public func beginState(of host: String) -> Awaited<Judgement> { gate.beginState(of: host) }

    /// See `MasterGate`.
    public func judge(_ request: GateRequest) async -> Judgement { await gate.judge(request) }

    /// See `MasterGate`.
    public func open(
        _ request: GateRequest, _ pipes: consuming PassedDescriptors, heard: @escaping @Sendable (SessionWord) -> Void
    ) -> UInt32 {
        let (gate, program, starting) = (gate, program, starting)
        let destination = destination ?? ""
        let carrier = SSHCarrier(pipes, of: gate, heard)
        return gate.ticket(
            for: request,
            given: { session, ticket in
                let arguments = SSHInvocation.session(destination, ticket: ticket, isSubsystem: request.isSubsystem)
                starting.async { carrier.start(program, arguments, for: session) }
            },
            heard: { carrier.hear($0) })
    }

    /// See `MasterGate`.
    public func takeNotice(of host: String, exports: Bool) { gate.takeNotice(of: host, exports: exports) }

    /// See `MasterGate`.
    public func close(_ session: UInt32) { gate.close(session) }
}

extension GateRequest {
    /// Whether the session that it asks for is a subsystem of the host's sshd.
    fileprivate var isSubsystem: Bool {
        switch self {
        case .sftp, .errand(_, .question): true
        case .alive, .words, .shell, .exec, .errand, .close, .ticket, .judge, .judgeForward, .exports: false
        }
    }
}
