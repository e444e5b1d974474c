internal import CLinux
internal import Glibc
internal import IPC

/// Starts workers, sends them messages, and handles their ends.
extension Daemon {
    func perform(_ actions: [ConnectionTable.Action]) {
        for action in actions {
            switch action {
            case .start(let id, let role): start(id, role)
            case .close(let id, let reason): close(id, reason)
            case .kill(let id, let reason): kill(id, reason)
            case .drain(let id): drain(id)
            case .proceed(let id): proceed(id)
            case .takeGate(let id): takeGate(id)
            case .wait(let id): send(.life(.wait), to: id)
            case .refuse(let id, let refusal): send(.life(.refuseClient(refusal)), to: id)
            case .refuseCall(let id, let refusal, let requestID): refuseCall(refusal, requestID, id)
            case .files(let id, let request, let requestID): answer(request, requestID, id)
            case .refuseFiles(let id, let requestID): refuseFiles(requestID, id)
            case .audit(let id, let word, let requestID): record(word, requestID, id)
            case .forwards(let id, let word, let requestID): take(word, requestID, id)
            }
        }
    }

    func start(_ id: ConnectionTable.ID, _ role: WorkerRole) {
        guard let connection = connections[id] else { return }
        let isRefusing =
            switch role {
            case .refuse: true
            case .serve, .check: false
            }
        connection.transport = config.policy.transport
        // The gate of a client that has the place starts beside the worker, which gets it when the client has sent a request.
        if role == .serve, table.entries[id]?.hasPlace == true {
            do throws(StartError) {
                connection.gate = SharedFD(
                    try gates.start(id, policy: policies.serving, transport: connection.transport, self))
            } catch {
                Log.write(
                    .error, "a worker could not start", ["connection": .number(Int(id)), "why": .text(error.sentence)])
                return perform(table.failedToServe(id, .gate, now: now()))
            }
        }
        do throws(StartError) {
            guard let worker = try launch(role, connection, isRefusing) else { return }
            watch(worker.channel.rawValue, Source.channel.token(id))
            watch(worker.pidfd.rawValue, Source.process.token(id))
            watch(worker.log.rawValue, Source.log.token(id))
            connection.worker = worker
        } catch {
            connection.noteGone(error.sentence, .error)
            gates.close(id, self)
            connections[id] = nil
            perform(table.ended(id, now: now()))
        }
    }

    func launch(
        _ role: WorkerRole, _ connection: Connection, _ isRefusing: Bool
    ) throws(StartError) -> WorkerProcess? {
        switch connection.client {
        case .none: return nil
        case .some(let client):
            return isRefusing
                ? try WorkerProcess.start(program: workerProgram, role: role, policy: policies.refusing, client: client)
                : try serve(role, connection, client)
        }
    }

    private func serve(
        _ role: WorkerRole, _ connection: Connection, _ client: borrowing OwnedFD
    ) throws(StartError) -> WorkerProcess {
        let broker: ConnectBroker
        var listener: OwnedFD?
        switch connection.transport {
        case .mux:
            return try WorkerProcess.start(
                program: workerProgram, role: role, policy: policies.serving, client: client)
        case .ssh:
            do throws(IPCError) {
                broker = try ConnectBroker(workerEnd: &listener)
            } catch {
                throw StartError(sentence: "what a worker connects cannot be brokered: \(error)")
            }
        }
        let worker = try WorkerProcess.start(
            program: workerProgram, role: role, policy: policies.serving, client: client, listener: listener)
        connection.broker = broker
        if let number = broker.handOverNumber { watch(number, Source.handOver.token(connection.id)) }
        return worker
    }

    func kill(_ id: ConnectionTable.ID, _ reason: String) {
        guard let connection = connections[id] else { return }
        guard connection.killedBecause == nil else { return }
        connection.killedBecause = reason
        connection.pausedUntil = nil
        guard let worker = connection.worker else { return }
        // Nothing more is read from its channel, so the channel must not wake the loop.
        _ = csd_epoll_remove(epoll.rawValue, worker.channel.rawValue)
        worker.killGroup()
        endBroker(connection)
        files.close(id, now: now(), self)
        gates.close(id, self)
        if let end = connection.end { finish(id, connection, end) }
    }

    func drain(_ id: ConnectionTable.ID) {
        // The worker gets a little less time than the kill leaves it, so that it can end by itself.
        send(.life(.drain(milliseconds: UInt32(ConnectionTable.Bound.drain - 500))), to: id)
    }

    /// Sends a worker a message. If the channel has no room now, the message waits in the worker's outbox.
    func send(
        _ message: ToWorker, _ requestID: UInt32 = 0, descriptor: SharedFD? = nil, to id: ConnectionTable.ID
    ) {
        guard connections[id]?.worker != nil else { return }
        switch message {
        case .life, .files, .audit: files.deliver(message, requestID, descriptor, to: id, now: now(), self)
        // A worker can ask for any number of these, and they are long, so they are not kept for a worker that does not read.
        case .forwards: if !tell(id, message, requestID: requestID, descriptor: descriptor) { giveUp(id) }
        }
    }

    /// Sends a worker the current policy.
    func sendPolicy(to id: ConnectionTable.ID) {
        do throws(IPCError) {
            send(.life(.policy), descriptor: SharedFD(try policies.serving.duplicateForChild()), to: id)
        } catch {
            // The worker would go on by the old policy.
            kill(id, "it cannot be given the new policy (\(error))")
        }
    }

    /// Reaps a worker that has ended.
    /// - Returns: whether its last messages must be taken before `finish` is called.
    func reap(_ id: ConnectionTable.ID) -> Bool {
        guard let connection = connections[id], connection.end == nil, let worker = connection.worker,
            let end = worker.reap()
        else { return false }
        _ = csd_epoll_remove(epoll.rawValue, worker.pidfd.rawValue)
        connection.end = end
        guard connection.killedBecause == nil, !connection.isSilent else {
            finish(id, connection, end)
            return false
        }
        resume(id, connection)
        return true
    }

    /// Forgets a worker that has ended and whose messages were all taken.
    func finish(_ id: ConnectionTable.ID, _ connection: Connection, _ end: ProcessEnd) {
        // Reads what a pipe holds, in parts. There is a bound, because another process may go on writing to the pipe.
        var parts = 4
        while parts > 0, connection.readLog(now: now()) { parts -= 1 }
        let phase = table.entries[id]?.phase
        let (level, how) = connection.killedBecause.map { (.warning, "killed: \($0)") } ?? (end.level, "\(end)")
        audit.abandon(&connection.calls, log: connection.log, "the worker ended: \(how)")
        if phase == .serving || phase == .listening || phase == .unheard || phase == .waitingReady {
            connection.noteGone("the worker ended: \(how)", level)
        }
        Log.write(
            level, "worker ended",
            [
                "how": .text(how), "connection": .number(Int(id)),
                "worker_pid": .number(Int(connection.worker?.pid ?? 0)),
            ])
        forwards.ended(id, log: connection.log)
        endBroker(connection)
        files.close(id, now: now(), self)
        gates.close(id, self)
        if phase == .starting(.serve), !table.draining {
            startFailed(id, connection, end)
        } else {
            // Another process may hold the client's descriptor, which would go on waking the loop.
            if let client = connection.client?.rawValue { _ = csd_epoll_remove(epoll.rawValue, client) }
            connection.endClient()
            connections[id] = nil
            perform(table.ended(id, now: now()))
        }
    }

    /// Handles a worker that ended before it was ready to serve. Nothing of its client was read, so another worker can tell the
    /// client why.
    func startFailed(_ id: ConnectionTable.ID, _ connection: Connection, _ end: ProcessEnd) {
        let failure = ProgramFailure(
            ofWorker: end, wasKilled: connection.killedBecause != nil,
            sshPath: connection.transport == .ssh ? config.policy.sshPath : nil)
        Log.write(
            .error, "a worker could not start",
            [
                "connection": .number(Int(id)), "why": .text(failure.clause(.worker)),
                "mend": .text(ProgramMend.of(failure, program: workerProgram, said: "worker said")),
            ])
        connections[id] = connection.successor(now: now())
        perform(table.failedToServe(id, failure, now: now()))
    }
}
