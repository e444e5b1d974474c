internal import CLinux
internal import Glibc
internal import IPC

/// A running gate as the supervisor holds it: process, IPC channel and log pipe.
final class GateProcess {
    let pid: Int32
    /// Readable when the process has ended, pidfd_open(2).
    let pidfd: OwnedFD
    let channel: Channel
    /// Its standard error.
    private let log: OwnedFD
    private var said = ProgramLog()
    var isLogOpen: Bool { said.isOpen }

    /// To be watched.
    var logDescriptor: Int32 { log.rawValue }

    private init(_ program: consuming SpawnedProgram) {
        pid = program.pid
        pidfd = program.pidfd
        channel = program.channel
        log = program.log
    }

    /// Starts a gate, and sends it Setup. Descriptor 4 in the gate is its channel to the worker.
    /// - Parameter handOver: takes the worker's end of that channel.
    static func start(
        program: String, policy: borrowing OwnedFD, number: UInt32, transport: Transport,
        handOver: (consuming OwnedFD) -> Void
    ) throws(StartError) -> GateProcess {
        var refused: Int32 = 0
        do throws(IPCError) {
            // The gate does not wait for its worker, and gets the descriptors of sessions from it.
            var requests = try Channel.pair()
            guard let gateEnd = requests.nonBlocking.take(), let workerEnd = requests.blocking.take() else {
                throw .badValue
            }
            // The gate sends its worker none.
            csd_refuse_descriptors(workerEnd.rawValue)
            let gate = GateProcess(try SpawnedProgram(program, channel: 3, other: gateEnd, refused: &refused))
            // One that has ended already says so by its pidfd.
            try? gate.channel.send(
                ToGate.setup(policy: number, transport: transport), descriptor: policy.duplicateForChild())
            handOver(workerEnd)
            return gate
        } catch {
            throw StartError(starting: "the gate", program, error, refused: refused)
        }
    }

    /// It has nothing to finish: what it asked a master has ended with its connections.
    func kill() { _ = csd_pidfd_send_signal(pidfd.rawValue, SIGKILL) }

    /// Reaps the ended process; nil while it still runs. From then on its channel gives what is in it, and no more.
    func reap() -> ProcessEnd? {
        var code: Int32 = 0
        var status: Int32 = 0
        guard csd_pidfd_reap(pidfd.rawValue, &code, &status) == 1 else { return nil }
        channel.shutDown()
        return ProcessEnd(code: code, status: status)
    }

    /// Lines of its standard error, as far as there are any now; `isLogOpen` is false behind the last one.
    func readLog() -> [String] { said.read(from: log) }
}
