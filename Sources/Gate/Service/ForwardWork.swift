internal import IPC
internal import Mux
internal import Policy

/// One order about a forward while its master is asked: first whether it lives, which tells its process id, then to listen, or to
/// listen no more.
final class ForwardWork {
    /// How long a master may take for both answers, in milliseconds. A daemon that stops waits for it.
    static let patience = 2_000

    private let forward: MuxForward
    private let isOpening: Bool
    private let link: MasterLink
    private var masterPID: UInt32?
    /// When the master has had its time.
    let deadline: Int

    /// - Returns: nil where there is no such forward.
    /// - Throws: if the connection cannot be used.
    init?(_ order: ForwardOrder, over socket: consuming OwnedFD, now: Int) throws(IPCError) {
        let route = order.route
        guard let forward = MuxForward(listenPort: route.localPort, target: route.target) else { return nil }
        self.forward = forward
        switch order {
        case .open: isOpening = true
        case .close: isOpening = false
        }
        deadline = now + Self.patience
        link = try MasterLink(taking: socket, asking: .alive)
    }

    /// The rule by which the policy refuses it; nil where it is allowed. What closes a port is always allowed.
    static func refusal(of order: ForwardOrder, by policy: PolicySnapshot) -> PolicyRule? {
        switch order {
        case .close: return nil
        case .open(let name, let route):
            guard let host = policy.hosts.first(where: { $0.name == name }), host.master == route.master else {
                return .capability
            }
            do throws(GateRefusal) {
                try judge(route.target, on: host)
                return nil
            } catch {
                return error.rule
            }
        }
    }

    /// Judges where a forward through this host leads. Throws if the policy does not allow it.
    static func judge(_ target: ForwardTarget, on host: PolicySnapshot.Host) throws(GateRefusal) {
        guard host.capabilities.portForward else { throw GateRefusal(host: host.name, .capability(.portForward)) }
        try ForwardPolicy(host.forwardAllowlist, host: host.name).judge(target)
    }

    /// The descriptor to wait on, and for what.
    var rawValue: Int32? { link.rawValue }
    var wants: MasterLink.Wants { link.wants }

    /// Begins.
    func begin() -> ForwardOutcome? { took(link.writable()) }
    /// There is something to read, or room to send.
    func attend() -> ForwardOutcome? { took(link.readable()) }
    /// The master has had its time.
    func timedOut() -> ForwardOutcome { took(link.timedOut()) ?? .unknown }

    /// What was seen of the master; nil where there is more to come.
    private func took(_ facts: [MasterFact]) -> ForwardOutcome? {
        for fact in facts {
            if let outcome = took(fact) {
                link.close()
                return outcome
            }
        }
        return nil
    }

    private func took(_ fact: MasterFact) -> ForwardOutcome? {
        guard masterPID == nil else { return answered(fact) }
        guard case .alive(let pid) = fact, link.ask(isOpening ? .openForward(forward) : .closeForward(forward)) else {
            switch MasterState(fact) {
            case .alive: return .down(.noMaster)
            case .down(let why): return .down(why)
            }
        }
        masterPID = pid
        return took(link.writable())
    }

    private func answered(_ fact: MasterFact) -> ForwardOutcome {
        switch fact {
        case .forwardOpened where isOpening: .opened(masterPID: masterPID ?? 0)
        case .forwardClosed where !isOpening: .closed
        case .refused: .refused
        case .failed(_, .nothingAsked): .down(.closed)
        case .failed(_, .unknown), .alive, .sessionOpened, .sessionExited, .sessionEnded, .forwardOpened,
            .forwardClosed:
            .unknown
        }
    }
}
