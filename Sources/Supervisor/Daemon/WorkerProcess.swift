internal import CLinux
internal import Glibc
internal import IPC

/// A running worker as the supervisor holds it: process, IPC channel and log pipe.
final class WorkerProcess {
    let pid: Int32
    /// Readable when the process has ended, pidfd_open(2).
    let pidfd: OwnedFD
    let channel: Channel
    /// The worker's standard error.
    let log: OwnedFD
    /// It has been reaped, so another process may have its number by now.
    private var isReaped = false

    private init(pid: Int32, pidfd: consuming OwnedFD, channel: consuming Channel, log: consuming OwnedFD) {
        self.pid = pid
        self.pidfd = pidfd
        self.channel = channel
        self.log = log
    }

    /// Starts a worker on the client's connection and sends it Setup. In the child only these are open: /dev/null as 0
    /// and 1, the log pipe as 2, the client as 3, the channel as 4, and of one that serves the channel to its gate as 5.
    static func start(
        program: String, role: WorkerRole, policy: borrowing OwnedFD, client: borrowing OwnedFD,
        gate: borrowing OwnedFD? = nil
    ) throws(StartError) -> WorkerProcess {
        var refused: Int32 = 0
        do throws(IPCError) {
            var ends = try Channel.pair()
            guard let own = ends.supervisor.take(), let theirs = ends.worker.take() else { throw .badValue }
            // A worker sends no descriptors, see `ToSupervisor`.
            csd_refuse_descriptors(own.rawValue)
            var pipe = try Pipe()
            guard let log = pipe.readEnd.take(), let logWriter = pipe.writeEnd.take() else { throw .badValue }
            try log.setNonBlocking()
            let null = OwnedFD(taking: open("/dev/null", O_RDWR | O_CLOEXEC))
            // Their numbers must be above those that they become, see `duplicateForChild`.
            let nullHigh = try null.duplicateForChild()
            let logHigh = try logWriter.duplicateForChild()
            let clientHigh = try client.duplicateForChild()
            let channelHigh = try theirs.duplicateForChild()
            let gateHigh: OwnedFD? =
                switch gate {
                case .some(let gate): try gate.duplicateForChild()
                case .none: nil
                }
            var descriptors = [
                nullHigh.rawValue, nullHigh.rawValue, logHigh.rawValue, clientHigh.rawValue, channelHigh.rawValue,
            ]
            switch gateHigh {
            case .some(let gate): descriptors.append(gate.rawValue)
            case .none: break
            }
            let child = try SpawnedProcess(program, descriptors, &refused)
            let worker = WorkerProcess(
                pid: child.pid, pidfd: child.release(), channel: Channel(taking: own), log: log)
            try? worker.channel.send(ToWorker.life(.setup(role)), descriptor: policy.duplicateForChild())
            return worker
        } catch {
            let why =
                refused == 0
                ? "\(error)"
                : "\(String(cString: strerror(refused))); \(ProgramMend.executing(program, errno: UInt32(clamping: refused)))"
            throw StartError(sentence: "the worker \(program) could not be started: \(why)")
        }
    }

    /// Ends the worker and every `ssh` that it started.
    func killGroup() {
        guard !isReaped else { return }
        kill(-pid, SIGKILL)
        _ = csd_pidfd_send_signal(pidfd.rawValue, SIGKILL)
    }

    /// Reaps the ended process; nil while it still runs. Its group is killed before that, while its number still belongs to it.
    /// Messages that are in the channel can still be read. Another process may have the other end, but adds nothing now.
    func reap() -> ProcessEnd? {
        var code: Int32 = 0
        var status: Int32 = 0
        killGroup()
        guard csd_pidfd_reap(pidfd.rawValue, &code, &status) == 1 else { return nil }
        isReaped = true
        channel.shutDown()
        return ProcessEnd(code: code, status: status)
    }
}
