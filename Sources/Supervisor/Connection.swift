internal import Glibc
internal import IPC

/// A connection's descriptors, the client's until its worker has it, then the worker; and what that worker has open.
final class Connection {
    let id: SessionTable.ID
    let peer: MCPSocket.Peer
    var client: OwnedFD?
    var worker: WorkerProcess?
    var killedBecause: String?
    let pending = PendingFiles()
    var calls: OpenCalls
    private var log = WorkerLog()

    init(_ id: SessionTable.ID, peer: MCPSocket.Peer, client: consuming OwnedFD) {
        self.id = id
        self.peer = peer
        let executable = AuditClient.executable(of: peer.pid)
        calls = OpenCalls(client: AuditClient(session: id, pid: peer.pid, uid: peer.uid, executable: executable))
        self.client = consume client
    }

    /// Logs what its worker has written to its standard error so far.
    ///
    /// - Returns: false when there will be no more, or too much.
    func readLog() -> Bool {
        guard let worker else { return true }
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = read(worker.log.rawValue, &chunk, chunk.count)
            if count < 0 && (errno == EAGAIN || errno == EINTR) { return true }
            let lines = count > 0 ? log.append(chunk[..<count]) : nil
            for line in lines ?? log.flush() {
                Log.write(.warning, "worker said", ["session": .number(Int(id)), "text": .text(line)])
            }
            guard lines != nil else { return false }
        }
    }

    /// Logs what a message tells of the connection itself.
    func note(_ message: ToSupervisor) {
        let session: LogValue = .number(Int(id))
        switch message {
        case .ready(let abi):
            Log.write(
                .info, "worker ready",
                [
                    "session": session, "worker_pid": .number(Int(worker?.pid ?? 0)),
                    "landlock_abi": .number(Int(abi)),
                ])
        case .clientGone:
            Log.write(.info, "client disconnected", ["reason": "the client closed", "session": session])
        case .clientDropped(let reason):
            Log.write(.warning, "client disconnected", ["reason": .text(reason), "session": session])
        case .openLocal, .createLocal, .commitLocal, .abandonLocal: break
        case .auditBegin, .auditEnd, .patternInvalid, .patternsChecked: break
        case .requestForward, .forwardEstablished, .forwardFailed, .listForwards, .cancelForward, .forwardCancelled:
            break
        }
    }
}
