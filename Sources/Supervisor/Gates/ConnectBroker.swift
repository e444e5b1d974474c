internal import CLinux
internal import Glibc
internal import IPC

/// Answers each connect(2) of a worker with `"transport": "ssh"`, and of all that it starts, by the listener of its seccomp filter,
/// seccomp_unotify(2). Wherever the call wanted to go, the caller's socket becomes one end of a fresh pair. The other end is for
/// the gate. Nothing of the caller's memory is read, and no call is ever carried out.
final class ConnectBroker {
    /// What came of a look at the listener.
    enum Next: ~Copyable {
        /// The gate's end of a connection that a caller has now.
        case connection(OwnedFD)
        /// A call was answered in another way, or has gone. There may be more.
        case other
        /// No call waits, or the caller did not run in time and is to be asked again.
        case nothing
        /// There is no listener any more: no process has the filter.
        case over
    }

    /// A call that waits for its caller to take its end of a pair.
    private struct Pending: ~Copyable {
        let id: UInt64
        let descriptor: Int32
        let callerEnd: OwnedFD
        let gateEnd: OwnedFD

        consuming func takeGateEnd() -> OwnedFD { gateEnd }
    }

    /// How many calls are answered for one worker in a turn of the loop.
    static let perTurn = 4
    /// How long a caller may take to run, in milliseconds, before others go on meanwhile. It takes some 50 µs, and longer where
    /// many processes want to run.
    private static let patience = 5
    /// When such a caller is asked again, in milliseconds.
    private static let pause = 10

    private var handOver: Channel?
    private var listener: OwnedFD?
    private var pending: Pending?
    /// When to ask a caller again that did not run in time, in milliseconds.
    private(set) var retry: Int?
    /// Connections that the gate was given and has not taken notice of.
    var outstanding = 0

    /// Makes the channel over which the listener comes.
    /// - Parameter workerEnd: set to the worker's end of it.
    init(workerEnd: inout OwnedFD?) throws(IPCError) {
        var ends = try Channel.pair()
        guard let own = ends.nonBlocking.take() else { throw .badValue }
        workerEnd = ends.blocking.take()
        handOver = Channel(taking: own)
    }

    /// Where the listener comes, to be watched until then.
    var handOverNumber: Int32? {
        switch handOver {
        case .some(let channel): channel.rawValue
        case .none: nil
        }
    }

    /// The listener, to be watched once it has come.
    var listenerNumber: Int32? {
        switch listener {
        case .some(let listener): listener.rawValue
        case .none: nil
        }
    }

    /// Whether calls are to be answered now.
    var isReady: Bool { retry == nil && outstanding < FromGate.maximumSSHConnections }

    /// Takes the listener, which must have come. Nothing more is taken from the worker that way.
    /// - Throws: what came instead.
    func takeListener() throws(IPCError) {
        guard let channel = handOver.take(), var message = try channel.receive(ListenerMessage.self),
            let descriptor = message.descriptors.take(), Self.isListener(descriptor)
        else { throw .badValue }
        try descriptor.setNonBlocking()
        listener = consume descriptor
    }

    /// Whether a descriptor is what it must be. The kernel tells that without asking a file system.
    private static func isListener(_ descriptor: borrowing OwnedFD) -> Bool {
        var name = [UInt8](repeating: 0, count: 64)
        let count = readlink("/proc/self/fd/\(descriptor.rawValue)", &name, name.count)
        return count > 0 && name[..<count].elementsEqual("anon_inode:seccomp notify".utf8)
    }

    /// Answers a call that waits, if there is one. Nothing here waits longer than `patience`.
    /// - Parameter refuse: answer it with an error: there is no gate to connect to.
    func next(refuse: Bool, now: Int) -> Next {
        guard let listener = listenerNumber else { return .over }
        if let waiting = pending.take() {
            retry = nil
            return install(waiting, listener, now)
        }
        var waiting = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, 0) == 1 else { return .nothing }
        guard waiting.revents & Int16(POLLIN) != 0 else { return .over }
        var id: UInt64 = 0
        var descriptor: Int32 = -1
        guard csd_notification_receive(listener, &id, &descriptor) == 0 else {
            // The caller has gone since.
            return errno == ENOENT || errno == EINTR ? .other : .over
        }
        guard !refuse else { return answer(id, listener, ECONNREFUSED) }
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { return answer(id, listener, EAGAIN) }
        return install(
            Pending(
                id: id, descriptor: descriptor, callerEnd: OwnedFD(taking: ends[0]), gateEnd: OwnedFD(taking: ends[1])),
            listener, now)
    }

    private func install(_ call: consuming Pending, _ listener: Int32, _ now: Int) -> Next {
        let installed = csd_notification_install(
            listener, call.id, call.callerEnd.rawValue, call.descriptor, Int32(Self.patience))
        guard installed == 0 else {
            switch errno {
            case EINTR:
                pending = consume call
                retry = now + Self.pause
                return .nothing
            case ENOENT, ESRCH: return .other
            case let code: return answer(call.id, listener, code)
            }
        }
        // The caller may have gone. The gate sees that.
        _ = csd_notification_answer(listener, call.id, 0)
        return .connection(call.takeGateEnd())
    }

    private func answer(_ id: UInt64, _ listener: Int32, _ error: Int32) -> Next {
        _ = csd_notification_answer(listener, id, error)
        return .other
    }
}
