internal import Glibc
internal import IPC

/// A connection's descriptors, those of its client and of its worker, and what that worker has open.
final class Connection {
    /// How many messages are taken from the channel of a worker that has ended. The channel's buffer holds fewer, unless the
    /// worker made it larger than an honest one does.
    static let maximumLastWords = 4096

    /// What the worker may put into the audit log, in bytes: at once, and in each second after that. One that has used it up
    /// is not heard until it has earned more, so that no record is lost.
    static let auditBurst = 4 << 20
    static let auditPerSecond = 256 << 10

    let id: ConnectionTable.ID
    let peer: MCPSocket.Peer
    /// Kept as long as the worker lives, so that this process sees by itself that the client has gone.
    var client: OwnedFD?
    var worker: WorkerProcess?
    var killedBecause: String?
    /// How the worker ended; what it has said before may still be in its channel.
    var end: ProcessEnd?
    var lastWords = maximumLastWords
    /// Nothing more comes out of the worker's channel.
    var isSilent = false
    /// The worker is not heard before that time, in milliseconds.
    var pausedUntil: Int?
    /// The log says already that the client has gone.
    var isGoneTold = false
    var calls: OpenCalls
    /// The part of the daemon's log that this worker's lines may take.
    let log: LogShare
    var audit: Allowance
    private var stderr = WorkerLog()

    init(_ id: ConnectionTable.ID, peer: MCPSocket.Peer, client: consuming OwnedFD?, now: Int) {
        self.id = id
        self.peer = peer
        let executable = AuditClient.executable(of: peer.pid)
        calls = OpenCalls(client: AuditClient(connection: id, pid: peer.pid, uid: peer.uid, executable: executable))
        log = LogShare(connection: id, now: now)
        audit = Allowance(burst: Self.auditBurst, perSecond: Self.auditPerSecond, now: now)
        self.client = consume client
    }

    /// Whether its worker may be heard now.
    var isHeard: Bool { worker != nil && killedBecause == nil && !isSilent && pausedUntil == nil }

    /// A connection of the same client for its next worker; the worker of this one has ended.
    func successor(now: Int) -> Connection {
        let next = Connection(id, peer: peer, client: client.take(), now: now)
        next.isGoneTold = isGoneTold
        return next
    }

    /// Ends the conversation for the client, also where the worker has given its descriptor to somebody else.
    func endClient() {
        guard let number = client?.rawValue else { return }
        shutdown(number, Int32(SHUT_RDWR))
        client = nil
    }

    /// Logs a part of what its worker has written to its standard error.
    ///
    /// - Returns: false when there will be no more.
    func readLog(now: Int) -> Bool {
        guard let worker else { return false }
        var chunk = [UInt8](repeating: 0, count: 16_384)
        let count = uninterrupted { read(worker.log.rawValue, &chunk, chunk.count) }
        if count < 0 && errno == EAGAIN { return true }
        for line in count > 0 ? stderr.append(chunk[..<count]) : stderr.flush() {
            log.write(.warning, "worker said", ["connection": .number(Int(id)), "text": .text(line)], now: now)
        }
        return count > 0
    }

    /// Logs what its worker says of itself and of its client.
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
        case .clientUnheard, .clientSpeaks: break
        }
    }

    /// Logs once why the client is not connected any more.
    func noteGone(_ reason: String, _ level: LogLevel = .info) {
        guard !isGoneTold else { return }
        isGoneTold = true
        Log.write(level, "client disconnected", ["reason": .text(reason), "connection": .number(Int(id))])
    }
}
