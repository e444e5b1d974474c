import IPC
import SSH
import Synchronization

/// A gate that counts how often it is asked about a ControlMaster, says of each ControlMaster that none answers, and opens nothing.
final class AskedGate: MasterGate {
    private let count = Atomic<Int>(0)
    var asked: Int { count.load(ordering: .relaxed) }

    let mark = Nonce.makeMark()
    func beginState(of host: String) -> Awaited<Judgement> {
        count.add(1, ordering: .relaxed)
        return Awaited(.master(.down(.noMaster)))
    }
    func state(of host: String) async -> MasterState { await beginState(of: host).value.state }
    func judge(_ request: GateRequest) async -> Judgement {
        return .master(.down(.noMaster))
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
