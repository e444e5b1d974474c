internal import IPC
internal import SSH
internal import Synchronization

/// Where the gate is when this client has the place. A worker starts without one, and no call begins before it is here.
final class GateSeat: Sendable {
    private let link = Mutex<GateLink?>(nil)

    /// Takes the gate, which is ready.
    func take(_ gate: GateLink) { link.withLock { $0 = gate } }
}

extension GateSeat: TicketGate {
    var mark: String { link.withLock { $0 }?.mark ?? "" }

    func state(of host: String) async -> MasterState {
        guard let gate = link.withLock({ $0 }) else { return .down(.noGate) }
        return await gate.state(of: host)
    }

    func beginState(of host: String) -> Awaited<Judgement> {
        link.withLock { $0 }?.beginState(of: host) ?? Awaited(.master(.down(.noGate)))
    }

    func takeNotice(of host: String, exports: Bool) {
        link.withLock { $0 }?.takeNotice(of: host, exports: exports)
    }

    func judge(_ request: GateRequest) async -> Judgement {
        guard let gate = link.withLock({ $0 }) else { return .master(.down(.noGate)) }
        return await gate.judge(request)
    }

    func open(
        _ request: GateRequest, _ pipes: consuming PassedDescriptors, heard: @escaping @Sendable (SessionWord) -> Void
    ) -> UInt32 {
        guard let gate = link.withLock({ $0 }) else {
            heard(.notOpened(.unknown(.noGate)))
            return 0
        }
        return gate.open(request, pipes, heard: heard)
    }

    func ticket(
        for request: GateRequest, given: @escaping @Sendable (_ session: UInt32, _ ticket: String) -> Void,
        heard: @escaping @Sendable (SessionWord) -> Void
    ) -> UInt32 {
        guard let gate = link.withLock({ $0 }) else {
            heard(.notOpened(.unknown(.noGate)))
            return 0
        }
        return gate.ticket(for: request, given: given, heard: heard)
    }

    func close(_ session: UInt32) { link.withLock { $0 }?.close(session) }
}
