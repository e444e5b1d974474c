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
                try gates.startCanceller(policy: policies.serving, self)
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

    func performed(
        _ outcome: ForwardOutcome, of forward: UInt32, _ order: ForwardOrder, by connection: ConnectionTable.ID
    ) {
        record(outcome, of: order, forward, connection)
        forwards.take(outcome, of: forward, from: connection)
    }

    func leftUndone(_ order: ForwardOrder, of forward: UInt32, by connection: ConnectionTable.ID) {
        record(.unknown, of: order, forward, connection)
    }

    /// Writes down what came of a worker's forward, or of one that it had closed. What the daemon itself closes is in its log.
    private func record(_ outcome: ForwardOutcome, of order: ForwardOrder, _ forward: UInt32, _ id: ConnectionTable.ID)
    {
        guard let connection = connections[id], let (host, call) = forwards.origin(of: forward) else { return }
        let level: LogLevel =
            switch outcome {
            case .notAllowed: .warning
            case .opened, .closed, .refused, .down, .unknown: .info
            }
        let members = connection.calls.told(outcome, of: order, for: call, host: host)
        audit.record(members, level, log: connection.log, now: now())
        if let paid = connection.spend(members, now: now()) { pause(id, connection, until: paid) }
    }

    func reported(_ report: GateReport, refusedBy rule: PolicyRule?, by id: ConnectionTable.ID) -> Gates.Heard {
        guard let connection = connections[id] else { return Gates.Heard(isAdmitted: false, pausedUntil: nil) }
        let isAdmitted = connection.calls.admits(report)
        let members = connection.calls.told(report, refusedBy: rule ?? (isAdmitted ? nil : .call))
        audit.record(members, isAdmitted ? .info : .warning, log: connection.log, now: now())
        return Gates.Heard(isAdmitted: isAdmitted, pausedUntil: connection.spend(members, now: now()))
    }

    /// The connection ends with its gate. Its worker sees that for itself, answers what is under way, and ends; one that does not
    /// is killed at the deadline of every client that has gone.
    func gateEnded(_ id: ConnectionTable.ID, how: String, wasReady: Bool) {
        forwards.ended(id, log: connections[id]?.log)
        // The next canceller would end in the same way, so none is started.
        if id == Forwards.canceller, !wasReady { forwards.noCanceller() }
        guard let connection = connections[id], connection.end == nil, connection.killedBecause == nil else { return }
        switch table.entries[id]?.phase {
        case .serving:
            connection.noteGone("its gate ended: \(how)", .error)
            perform(table.hungUp(id, now: now()))
        // Its worker notices that when it gets the gate.
        case .starting, .listening: break
        case .silent, .waiting, .toRefuse, .unheard, .waitingReady, .departing, .leaving, .refusing, .releasing, .none:
            break
        }
    }

    func gateFailed(_ id: ConnectionTable.ID) {
        guard id != Forwards.canceller else { return }
        log(
            id, .error, "a worker could not start",
            [
                "connection": .number(Int(id)), "why": .text(ProgramFailure.gate.clause(.worker)),
                "mend": .text(ProgramMend.of(.gate, program: workerProgram, said: "gate said")),
            ])
    }
}
