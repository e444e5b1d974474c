import IPC
import Tools

/// For the brokers of tests that are about local files.
extension ForwardBroker {
    func ask(forward request: ToSupervisor) async -> ToWorker { .forwardRefused(reason: "no forwards here") }
}

/// A supervisor that opens and forwards nothing.
struct NoLocalFiles: LocalFileBroker, ForwardBroker {
    func ask(_ request: ToSupervisor) async -> LocalAnswer { .refused("no local files here", rule: "") }
    func abandon(handle: UInt32) {}
}
