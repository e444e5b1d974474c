internal import CLinux
internal import IPC

extension Daemon: GateHost {
    func watch(_ descriptor: Int32, _ source: Gates.Source, _ token: UInt64) {
        let kind: Source =
            switch source {
            case .process: .gateProcess
            case .channel: .gateChannel
            case .connect: .connect
            case .log: .gateLog
            }
        watch(descriptor, kind.token(token))
    }

    func violated(_ id: ConnectionTable.ID, _ what: WorkerViolation) {
        let how =
            switch what {
            case .message: "it sent its gate what is no message"
            case .descriptor: "it gave a session a descriptor that is no pipe"
            case .number: "it gave a session the number of another one"
            case .request: "it sent on an SFTP channel what no worker sends"
            case .writing: "it asked over SFTP to change something where file_write is off"
            case .outside: "it named over SFTP a path outside base_dir"
            case .words: "it sent its gate words of no command"
            }
        kill(id, how)
    }

    /// The connection ends with its gate. Its worker sees that for itself, answers what is under way, and ends; one that does not
    /// is killed at the deadline of every client that has gone. One that is not ready ends with an exit status that says so.
    func gateEnded(_ id: ConnectionTable.ID, how: String) {
        guard let connection = connections[id], connection.end == nil, connection.killedBecause == nil else { return }
        switch table.entries[id]?.phase {
        case .serving, .unheard, .waitingReady:
            connection.noteGone("its gate ended: \(how)", .error)
            perform(table.hungUp(id, now: now()))
        case .silent, .waiting, .toRefuse, .starting, .departing, .refusing, .releasing, .cancelling, .none: break
        }
    }
}
