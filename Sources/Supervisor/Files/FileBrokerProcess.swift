internal import CLinux
internal import Glibc
internal import IPC

/// A running file broker as the supervisor holds it: process, IPC channel and log pipe. Nothing here waits for the broker,
/// because it may hang.
final class FileBrokerProcess {
    let pid: Int32
    /// Readable when the process has ended, pidfd_open(2).
    let pidfd: OwnedFD
    /// nil when nothing more will be asked of the broker.
    private(set) var channel: Channel?
    /// The broker's standard error.
    let log: OwnedFD
    private var said = ProgramLog()
    /// Whether its channel is watched.
    private var isHeard = true
    var isLogOpen: Bool { said.isOpen }
    /// Whether it was killed on purpose.
    private(set) var isKilled = false

    private init(_ program: consuming SpawnedProgram) {
        pid = program.pid
        pidfd = program.pidfd
        let own = program.channel
        channel = consume own
        log = program.log
    }

    /// Starts a broker and sends it Setup. Descriptor 4 in the broker is its channel to the worker.
    /// - Parameter handOver: gets the worker's end of that channel.
    static func start(
        program: String, policy: borrowing OwnedFD, handOver: (consuming OwnedFD) -> Void
    ) throws(ProgramFailure) -> FileBrokerProcess {
        var refused: Int32 = 0
        do throws(IPCError) {
            // The broker sends its worker answers without waiting, and receives nothing from it.
            var answers = try Channel.pair()
            guard let sender = answers.nonBlocking.take(), let receiver = answers.blocking.take() else {
                throw .badValue
            }
            try receiver.setNonBlocking()
            let brokersEnd = try sender.duplicateForChild()
            let sendOnly = Channel(taking: sender)
            sendOnly.refuseDescriptors()
            sendOnly.refuseMessages()
            let broker = FileBrokerProcess(
                try SpawnedProgram(program, channel: 3, other: brokersEnd, refused: &refused))
            try? broker.send(.setup, descriptor: policy.duplicateForChild())
            handOver(receiver)
            return broker
        } catch {
            throw refused == 0 ? .notStarted(error) : .notExecuted(errno: UInt32(clamping: refused))
        }
    }

    func send(
        _ message: ToFileBroker, requestID: UInt32 = 0, descriptor: borrowing OwnedFD? = nil
    ) throws(IPCError) {
        switch channel {
        case .none: throw .closed
        case .some(let channel): try channel.send(message, requestID: requestID, descriptor: descriptor)
        }
    }

    func receive() throws(IPCError) -> (message: FromFileBroker, requestID: UInt32)? {
        switch channel {
        case .none: throw .closed
        case .some(let channel):
            guard let incoming = try channel.receive(FromFileBroker.self) else { return nil }
            return (incoming.message, incoming.requestID)
        }
    }

    /// The channel's descriptor, to be watched; nil if the channel is closed.
    var channelDescriptor: Int32? {
        switch channel {
        case .none: nil
        case .some(let channel): channel.rawValue
        }
    }

    /// Takes notice that the channel is no longer watched.
    /// - Returns: whether it was watched until now.
    func stopHearing() -> Bool {
        defer { isHeard = false }
        return isHeard
    }

    /// Closes the channel. The broker ends when it notices that.
    func end() { channel = nil }

    /// Kills the broker on purpose. It ends as soon as the file system that it waits for lets it.
    func kill() {
        isKilled = true
        killNow()
    }

    /// Kills a broker that is ending, or should have ended.
    func killNow() { _ = csd_pidfd_send_signal(pidfd.rawValue, SIGKILL) }

    /// Reaps the ended process; nil while it still runs.
    func reap() -> ProcessEnd? {
        var code: Int32 = 0
        var status: Int32 = 0
        guard csd_pidfd_reap(pidfd.rawValue, &code, &status) == 1 else { return nil }
        // The messages in the channel can still be read. Another process may have the other end, but adds nothing now.
        switch channel {
        case .none: break
        case .some(let channel): channel.shutDown()
        }
        return ProcessEnd(code: code, status: status)
    }

    /// Reads the lines that are now on the broker's standard error. `isLogOpen` is false after the last one.
    func readLog() -> [String] { said.read(from: log) }
}
