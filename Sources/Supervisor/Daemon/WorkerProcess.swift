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

    private init(_ program: consuming SpawnedProgram) {
        pid = program.pid
        pidfd = program.pidfd
        channel = program.channel
        log = program.log
    }

    /// Starts a worker on the client's connection, which is descriptor 3 in the worker, and sends it Setup. As 5 it has where it gives
    /// away the listener of its filter, if it has one.
    static func start(
        program: String, role: WorkerRole, policy: borrowing OwnedFD, client: borrowing OwnedFD,
        listener: borrowing OwnedFD? = nil
    ) throws(StartError) -> WorkerProcess {
        var refused: Int32 = 0
        do throws(IPCError) {
            let worker = WorkerProcess(
                try SpawnedProgram(program, channel: 4, other: client, more: listener, refused: &refused))
            try? worker.channel.send(ToWorker.life(.setup(role)), descriptor: policy.duplicateForChild())
            return worker
        } catch {
            throw StartError(starting: "the worker", program, error, refused: refused)
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
