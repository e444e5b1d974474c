internal import Glibc
internal import IPC

/// The client and the worker of one connection, with their descriptors, and the calls that the worker has open.
final class Connection {
    /// How many messages are taken from the channel of a worker that has ended. The channel's buffer holds fewer, unless the
    /// worker made it larger than an honest one does.
    static let maximumLastWords = 4096

    /// How many bytes the worker may put into the audit log at once. If it has used them up, its messages are not taken until it
    /// may again, so that no record is lost.
    static let auditBurst = 4 << 20
    /// How many more bytes it may put there in each second.
    static let auditPerSecond = 512 << 10

    let id: ConnectionTable.ID
    let peer: MCPSocket.Peer
    /// Kept as long as the worker lives, so that this process sees by itself that the client has gone.
    var client: OwnedFD?
    var worker: WorkerProcess?
    /// That of the worker, which keeps it. The config may have another one by now.
    var transport = Transport.mux
    /// Answers what the worker's processes connect, with `"transport": "ssh"`.
    var broker: ConnectBroker?
    var isBrokerWatched = false
    /// The worker's end of the channel to its gate, until the worker gets it.
    var gate: SharedFD?
    var killedBecause: String?
    /// How the worker ended; nil if it has not. Its last messages may still be in the channel.
    var end: ProcessEnd?
    /// How many messages may still be taken after the worker has ended.
    var lastWords = maximumLastWords
    /// Whether nothing more comes from the worker's channel.
    var isSilent = false
    /// Until when no messages of the worker are taken, in milliseconds; nil if they are.
    var pausedUntil: Int?
    /// Whether it was logged that the client has gone.
    var isGoneTold = false
    var calls: OpenCalls
    /// Logs lines about this connection, within its allowance.
    let log: LogShare
    var audit: Allowance
    private var stderr = ProgramLog()

    /// - Parameter program: the client's, see `AuditClient`.
    init(_ id: ConnectionTable.ID, peer: MCPSocket.Peer, program: String, client: consuming OwnedFD?, now: Int) {
        self.id = id
        self.peer = peer
        calls = OpenCalls(client: AuditClient(connection: id, pid: peer.pid, uid: peer.uid, executable: program))
        log = LogShare(connection: id, now: now)
        audit = Allowance(burst: Self.auditBurst, perSecond: Self.auditPerSecond, now: now)
        self.client = consume client
    }

    /// Whether messages of the worker may be taken now.
    var isHeard: Bool { worker != nil && killedBecause == nil && !isSilent && pausedUntil == nil }

    /// Takes notice of a line in the audit log that the worker has caused.
    /// - Returns: until when it must not cause another one, in milliseconds; nil if it may.
    func spend(_ members: String, now: Int) -> Int? {
        audit.spend(members.utf8.count, now: now)
        return audit.paid(now: now)
    }

    /// A connection of the same client for its next worker, because the worker of this one has ended.
    func successor(now: Int) -> Connection {
        let next = Connection(
            id, peer: peer, program: calls.client.executable, client: client.take(), now: now)
        next.isGoneTold = isGoneTold
        return next
    }

    /// Ends the connection for the client, even if the worker has given its descriptor to another process.
    func endClient() {
        guard let number = client?.rawValue else { return }
        shutdown(number, Int32(SHUT_RDWR))
        client = nil
    }

    /// Reads from the worker's standard error once, and logs the lines.
    /// - Returns: whether there may be more.
    func readLog(now: Int) -> Bool {
        guard let worker else { return false }
        for line in stderr.read(from: worker.log) {
            log.write(.warning, "worker said", ["connection": .number(Int(id)), "text": .text(line)], now: now)
        }
        return stderr.isOpen
    }

    /// Logs the worker's report on itself or on its client.
    func note(_ word: ToSupervisor.Life, now: Int) {
        let number: LogValue = .number(Int(id))
        switch word {
        case .ready(let abi):
            log.write(
                .info, "worker ready",
                [
                    "connection": number, "worker_pid": .number(Int(worker?.pid ?? 0)),
                    "landlock_abi": .number(Int(abi)),
                ], now: now)
        case .clientGone: noteGone("the client closed")
        case .clientDropped(let reason): noteGone(AuditCall.cut(reason, to: 1000), .warning)
        case .clientNamed(let name):
            log.write(.info, "client named itself", ["connection": number, "name": .text(name)], now: now)
        case .clientUnheard, .clientSpeaks, .callWaited: break
        }
    }

    /// Logs once why the client is not connected any more.
    func noteGone(_ reason: String, _ level: LogLevel = .info) {
        guard !isGoneTold else { return }
        isGoneTold = true
        Log.write(level, "client disconnected", ["reason": .text(reason), "connection": .number(Int(id))])
    }
}
