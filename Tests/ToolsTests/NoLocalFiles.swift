import IPC
import SSH
import Tools

/// For the brokers of tests that are about local files.
extension ForwardBroker {
    func ask(_ word: ToSupervisor.Forwards) async throws(IPCError) -> ToWorker.Forwards { .refused(.noPort) }
}

/// A supervisor that opens and forwards nothing.
struct NoLocalFiles: LocalFileBroker, ForwardBroker {
    func ask(_ request: ToSupervisor.Files) async -> LocalAnswer { .refused("no local files here", rule: "") }
    func abandon(handle: UInt32) {}
}

/// Every ControlMaster answers.
struct LivingMasters: MasterGate {
    func state(of host: String) async -> MasterState { .alive(masterPID: 1) }
    func open(
        _ request: GateRequest, _ pipes: consuming PassedDescriptors, heard: @escaping @Sendable (SessionWord) -> Void
    ) -> UInt32 {
        heard(.notOpened(.down(.noGate)))
        return 0
    }
    func close(_ session: UInt32) {}
}
