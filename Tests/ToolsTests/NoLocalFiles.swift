import Exec
import IPC
import Policy
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

/// A gate that judges by a policy as the real one does, whose every ControlMaster answers, and that opens nothing.
struct LivingMasters: MasterGate {
    var policy = PolicySnapshot(hosts: [], defaultHost: "")
    var mark = Nonce.makeMark()

    func state(of host: String) async -> MasterState { .alive(masterPID: 1) }
    func takeNotice(of host: String, exports: Bool) {}
    func beginState(of host: String) -> Awaited<Judgement> { Awaited(.master(.alive(masterPID: 1))) }

    func judge(_ request: GateRequest) async -> Judgement {
        do throws(GateRefusal) {
            switch request {
            case .judge(let name, let seconds, let nonce, let words, let call):
                var ahead = WordsAhead()
                guard let host = policy.hosts.first(where: { $0.name == name }),
                    let command = try? ahead.command(
                        host: name, seconds: seconds, nonce: nonce, words: words, call: call, 1)
                else { break }
                try CommandJudge.judge(command, on: host, allowDelete: policy.allowDelete)
            case .judgeForward(let name, let target, _):
                guard let host = policy.hosts.first(where: { $0.name == name }) else { break }
                guard host.capabilities.portForward else {
                    throw GateRefusal(host: name, .capability(.portForward))
                }
                try ForwardPolicy(host.forwardAllowlist, host: name).judge(target)
                return .allowed
            case .alive, .sftp, .shell, .words, .exec, .errand, .close, .ticket, .exports: break
            }
        } catch {
            return .refused(error)
        }
        return .master(.alive(masterPID: 1))
    }

    func open(
        _ request: GateRequest, _ pipes: consuming PassedDescriptors, heard: @escaping @Sendable (SessionWord) -> Void
    ) -> UInt32 {
        heard(.notOpened(.down(.noGate)))
        return 0
    }
    func close(_ session: UInt32) {}
}
