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
    private var said = WorkerLog()
    private(set) var isLogOpen = true

    /// To be watched.
    var logDescriptor: Int32 { log.rawValue }

    private init(_ child: consuming SpawnedProcess, channel: consuming Channel, log: consuming OwnedFD) {
        pid = child.pid
        pidfd = child.release()
        self.channel = channel
        self.log = log
    }

    /// Starts a gate, and sends it Setup. In the child only these are open: /dev/null as 0 and 1, the log pipe as 2, the
    /// supervisor's channel as 3, the worker's as 4.
    /// - Parameter handOver: takes the worker's end of the channel between the two.
    static func start(
        program: String, policy: borrowing OwnedFD, number: UInt32, handOver: (consuming OwnedFD) -> Void
    ) throws(StartError) -> GateProcess {
        var refused: Int32 = 0
        do throws(IPCError) {
            var ends = try Channel.pair()
            guard let own = ends.supervisor.take(), let theirs = ends.worker.take() else { throw .badValue }
            // No message of a gate carries one.
            csd_refuse_descriptors(own.rawValue)
            // The gate does not wait for its worker, and gets the descriptors of sessions from it.
            var requests = try Channel.pair()
            guard let gateEnd = requests.supervisor.take(), let workerEnd = requests.worker.take() else {
                throw .badValue
            }
            csd_refuse_descriptors(workerEnd.rawValue)
            var pipe = try Pipe()
            guard let log = pipe.readEnd.take(), let logWriter = pipe.writeEnd.take() else { throw .badValue }
            try log.setNonBlocking()
            let null = OwnedFD(taking: open("/dev/null", O_RDWR | O_CLOEXEC))
            let nullHigh = try null.duplicateForChild()
            let logHigh = try logWriter.duplicateForChild()
            let channelHigh = try theirs.duplicateForChild()
            let requestsHigh = try gateEnd.duplicateForChild()
            let child = try SpawnedProcess(
                program,
                [nullHigh.rawValue, nullHigh.rawValue, logHigh.rawValue, channelHigh.rawValue, requestsHigh.rawValue],
                &refused)
            let gate = GateProcess(child, channel: Channel(taking: own), log: log)
            try gate.channel.send(ToGate.setup(policy: number), descriptor: policy.duplicateForChild())
            handOver(workerEnd)
            return gate
        } catch {
            let why =
                refused == 0
                ? "\(error)"
                : "\(String(cString: strerror(refused))); \(ProgramMend.executing(program, errno: UInt32(refused)))"
            throw StartError(sentence: "the gate \(program) could not be started: \(why)")
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
    func readLog() -> [String] {
        guard isLogOpen else { return [] }
        var chunk = [UInt8](repeating: 0, count: 16_384)
        let count = uninterrupted { read(log.rawValue, &chunk, chunk.count) }
        if count < 0 && errno == EAGAIN { return [] }
        if count > 0 { return said.append(chunk[..<count]) }
        isLogOpen = false
        return said.flush()
    }
}
