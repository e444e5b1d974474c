import IPC
import SSH
import Synchronization

/// A gate that counts what it is asked, says of each ControlMaster the same, and opens nothing.
final class AskedGate: MasterGate {
    private let count = Atomic<Int>(0)
    private let judgements = Atomic<Int>(0)
    private let state: MasterState
    /// How often it was asked whether a master lives, and how often to judge.
    var asked: Int { count.load(ordering: .relaxed) }
    var judged: Int { judgements.load(ordering: .relaxed) }

    init(_ state: MasterState = .down(.noMaster)) {
        self.state = state
    }

    let mark = Nonce.makeMark()
    func beginState(of host: String) -> Awaited<Judgement> {
        count.add(1, ordering: .relaxed)
        return Awaited(.master(state))
    }
    func state(of host: String) async -> MasterState { await beginState(of: host).value.state }
    func judge(_ request: GateRequest) async -> Judgement {
        judgements.add(1, ordering: .relaxed)
        return .master(state)
    }
    func takeNotice(of host: String, exports: Bool) {}
    func open(
        _ request: GateRequest, _ pipes: consuming PassedDescriptors, heard: @escaping @Sendable (SessionWord) -> Void
    ) -> UInt32 {
        heard(.notOpened(.down(.noGate)))
        return 0
    }
    func close(_ session: UInt32) {}
}
