internal import CLinux
internal import IPC

extension Daemon {
    /// Looks at the forwards when it is time, gives gates their orders, and keeps one to cancel forwards as long as there are some
    /// to cancel.
    func tendForwards() {
        forwards.tick(now: now())
        switch gates.isCancellerReady {
        case nil where forwards.hasWork:
            do throws(StartError) {
                try gates.startCanceller(policy: policies.serving, now: now(), self)
            } catch {
                Log.write(.error, "forwards cannot be cancelled", ["why": .text(error.sentence)])
                forwards.noCanceller()
            }
        case true? where forwards.hasWork: forwards.handOver()
        case true?: gates.close(Forwards.canceller, self)
        case nil, false?: break
        }
        for order in forwards.takeOrders() {
            gates.order(order.order, of: order.forward, by: order.connection, now: now(), self)
        }
    }
}

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
            case .transport: "it asked its gate for a session by another transport than the config's"
            case .ticket: "its ssh showed a ticket that was not given for this, or was used before"
            case .mux: "its ssh asked its gate for what no session needs"
            case .connections: "it connected more than its sessions can"
            }
        kill(id, how)
    }

    func performed(_ outcome: ForwardOutcome, of forward: UInt32, by connection: ConnectionTable.ID) {
        forwards.take(outcome, of: forward, from: connection)
    }

    /// The connection ends with its gate. Its worker sees that for itself, answers what is under way, and ends; one that does not
    /// is killed at the deadline of every client that has gone. One that is not ready ends with an exit status that says so.
    func gateEnded(_ id: ConnectionTable.ID, how: String, wasReady: Bool) {
        forwards.ended(id, log: connections[id]?.log)
        // The next canceller would end in the same way, so none is started.
        if id == Forwards.canceller, !wasReady { forwards.noCanceller() }
        guard let connection = connections[id], connection.end == nil, connection.killedBecause == nil else { return }
        switch table.entries[id]?.phase {
        case .serving, .unheard, .waitingReady:
            connection.noteGone("its gate ended: \(how)", .error)
            perform(table.hungUp(id, now: now()))
        case .silent, .waiting, .toRefuse, .starting, .departing, .refusing, .releasing, .none: break
        }
    }
}
