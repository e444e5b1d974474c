internal import CLinux
internal import Glibc
internal import IPC

/// The supervisor's loop: one thread, one epoll(7) set, nothing that blocks. It moves descriptors and messages; whatever
/// a client or a remote host has written is read by workers only.
///
/// Each turn it sees to signals first, then to processes that have ended and clients that come; then it hears its workers,
/// one message of each in turn, as long as a `LoopTurn` lasts; then to clients that speak or go.
final class Daemon {
    /// What a token in the epoll set belongs to. A token carries the connection's number, which is never used again, so
    /// an event of a closed descriptor cannot be taken for one of its successor.
    private enum Source: UInt64 {
        // In the order in which a turn sees to them.
        case signals, process, listener, check, channel, log, client

        func token(_ id: SessionTable.ID = 0) -> UInt64 { id << 8 | rawValue }
    }

    private let configPath: String
    private let environment: [String: String]
    private let workerProgram: String
    private let socket: MCPSocket
    private let epoll: OwnedFD
    private let signals: OwnedFD
    private let audit = AuditTrail()
    private var config: Config
    private let reload: ConfigReload
    private var policy: OwnedFD
    /// For workers that only refuse: no hosts, and no `ssh` that must be there.
    private var refusalPolicy: OwnedFD
    private var table: SessionTable
    private let forwards: Forwards
    private var connections: [SessionTable.ID: Connection] = [:]
    /// The worker that was heard last; the next turn begins behind it.
    private var lastHeard: SessionTable.ID = 0
    private var listening = true
    /// When a drain is over, whatever a worker does.
    private var giveUp: Int?
    /// When to accept again after descriptors ran out.
    private var retryAccept: Int?

    /// Listens on the configured socket. From here on `run` must be called.
    init(config: Config, configPath: String, environment: [String: String], workerProgram: String) throws(StartError) {
        self.config = config
        self.configPath = configPath
        self.environment = environment
        self.workerProgram = workerProgram
        reload = ConfigReload(path: configPath, environment: environment, workerProgram: workerProgram)
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)  // an audit log at the limit of file sizes is a write that fails, not the end
        let wanted = [SIGTERM, SIGINT, SIGHUP]
        epoll = OwnedFD(taking: csd_epoll_create())
        signals = OwnedFD(taking: csd_signal_descriptor(wanted, wanted.count))
        guard epoll.rawValue >= 0, signals.rawValue >= 0 else {
            throw StartError(sentence: "cannot watch for events: errno \(errno)")
        }
        policy = try Self.seal(config.policy)
        refusalPolicy = try Self.seal(Self.refusing(config.policy, workerProgram))
        socket = try MCPSocket(path: config.mcpSocket)
        do throws(StartError) {
            try audit.open(config.auditLog)
        } catch {
            socket.unlinkOwn()
            throw error
        }
        table = SessionTable(socket: config.mcpSocket, waitMilliseconds: config.clientWaitSeconds * 1000)
        forwards = Forwards(
            socket: config.mcpSocket, runtimeDirectory: PathExpansion(environment: environment).runtimeDirectory,
            policy: config.policy)
        watch(socket.rawValue, Source.listener.token())
        watch(signals.rawValue, Source.signals.token())
    }

    /// Its own program stands for `ssh`, which may be what is missing.
    private static func refusing(_ policy: PolicySnapshot, _ workerProgram: String) -> PolicySnapshot {
        var own = PolicySnapshot(hosts: [], defaultHost: "", sshPath: workerProgram)
        own.limits = policy.limits
        own.requireLandlock = policy.requireLandlock
        return own
    }

    private static func seal(_ policy: PolicySnapshot) throws(StartError) -> OwnedFD {
        do throws(IPCError) {
            return try policy.sealed()
        } catch {
            throw StartError(sentence: "the policy cannot be handed to workers: \(error)")
        }
    }

    /// Serves until a signal ends it.
    func run() {
        Log.write(
            .info, "listening",
            ["socket": .text(socket.path), "version": .text(Version.text), "pid": .number(Int(getpid()))])
        var ready = [csd_epoll_ready](repeating: csd_epoll_ready(), count: 64)
        while true {
            tendForwards()
            if table.draining && table.isEmpty { break }
            if let giveUp, giveUp <= now() {
                Log.write(
                    .error, "stopping without workers that do not end", ["sessions": .number(table.sessions.count)])
                for connection in connections.values {
                    audit.abandon(&connection.calls, log: connection.log, "the daemon stopped")
                }
                forwards.noReaper()
                break
            }
            let count = csd_epoll_wait(epoll.rawValue, &ready, ready.count, timeout)
            turn(ready.prefix(Int(max(0, count))).sorted { $0.token & 0xFF < $1.token & 0xFF })
            perform(table.advance(now: now()))
            updateListening()
            reload.advance(now: now())
        }
        audit.finish(now: now())
        reload.abandon()
        socket.unlinkOwn()
        Log.write(.info, "stopped", ["socket": .text(socket.path)])
    }

    /// How long nothing needs to be done, if nothing happens.
    private var timeout: Int32 {
        if audit.hasWork { return 0 }
        let paused = connections.values.compactMap(\.pausedUntil).min()
        let next = [
            table.nextDeadline, giveUp, retryAccept, reload.deadline, forwards.nextLook, forwards.due, paused,
        ].compactMap { $0 }.min()
        return next.map { Int32(clamping: max(0, $0 - now())) } ?? -1
    }

    /// One turn with what has happened, in the order of `Source`.
    private func turn(_ events: [csd_epoll_ready]) {
        let turn = LoopTurn()
        var speaking: Set<SessionTable.ID> = []
        var atTheEnd: [csd_epoll_ready] = []
        for event in events {
            let id = event.token >> 8
            switch Source(rawValue: event.token & 0xFF) {
            case .none: break
            case .signals: takeSignals()
            case .process: if reap(id) { speaking.insert(id) }
            case .listener: acceptAll(turn)
            case .check:
                take(reload.ended())
                if reload.isWantedAgain { take(reload.begin(current: config, now: now())) }
            case .channel: speaking.insert(id)
            case .log: readLog(id)
            case .client: atTheEnd.append(event)
            }
        }
        for (id, connection) in connections {
            if let time = connection.pausedUntil, time <= now() {
                resume(id, connection)
                speaking.insert(id)
            }
        }
        hear(speaking, turn)
        forwards.answer(in: turn, log: { connections[$0]?.log }) { message, requestID, id in
            guard let connection = connections[id] else { return }
            send(id, connection) { worker throws(IPCError) in
                try worker.channel.send(ToWorker.forwards(message), requestID: requestID)
            }
        }
        if audit.hasWork {
            repeat { audit.tend(now: now()) } while audit.hasWork && !turn.isOver
        }
        // After what a worker had to say of its client: it knows more of how that went.
        for event in atTheEnd { clientEvent(event.token >> 8, hungUp: event.what & CSD_EPOLL_HANGUP != 0) }
    }

    private func acceptAll(_ turn: LoopTurn) {
        while table.hasRoom, !turn.isOver {
            switch socket.accept() {
            case .none: return
            case .exhausted(let code):
                Log.write(
                    .warning, "no connection can be accepted now", ["error": .text(String(cString: strerror(code)))])
                retryAccept = now() + 1000
                return
            case .stranger(let peer):
                Log.write(
                    .warning, "connection refused: another user",
                    ["client_pid": .number(Int(peer.pid)), "client_uid": .number(Int(peer.uid))])
            case .client(let client, let peer):
                let descriptor = client.rawValue
                let (id, actions) = table.accepted(pid: peer.pid, now: now())
                // That it has sent something, and that it has hung up: not a byte of it is read in this process.
                watch(descriptor, Source.client.token(id))
                connections[id] = Connection(id, peer: peer, client: consume client, now: now())
                Log.write(.info, "client connected", fields(peer, id))
                perform(actions)
            }
        }
    }

    private func clientEvent(_ id: SessionTable.ID, hungUp: Bool) {
        guard let connection = connections[id], let descriptor = connection.client?.rawValue else { return }
        _ = csd_epoll_remove(epoll.rawValue, descriptor)
        guard hungUp else {
            // It stays readable until a worker has it; from here on only its hang-up may wake the loop.
            watch(descriptor, Source.client.token(id), for: 0)
            return perform(table.spoke(id, now: now()))
        }
        switch table.sessions[id]?.phase {
        case .serving, .starting(.serve): connection.noteGone("the client closed")
        case .unheard, .waitingReady: connection.noteGone("the client closed before it was served")
        case .silent, .waiting, .toRefuse, .starting, .departing, .refusing, .releasing, .reaping, .none: break
        }
        perform(table.hungUp(id, now: now()))
    }

    private func takeSignals() {
        while true {
            switch csd_signal_next(signals.rawValue) {
            case 0: return
            case SIGHUP: take(reload.begin(current: config, now: now()))
            default:
                guard !table.draining else { return endNow() }
                Log.write(.info, "stopping", ["sessions": .number(table.sessions.count)])
                giveUp = now() + SessionTable.Bound.drain + 1000
                perform(table.drain(now: now()))
                forwards.drain()
            }
        }
    }

    /// The second signal: nobody waits for anything any more.
    private func endNow() {
        for connection in connections.values {
            connection.worker?.killGroup()
            audit.abandon(&connection.calls, log: connection.log, "the daemon was stopped at once")
        }
        audit.finish(now: now())
        socket.unlinkOwn()
        Log.write(.warning, "stopped at once by a second signal")
        exit(0)
    }

    private func perform(_ actions: [SessionTable.Action]) {
        for action in actions {
            switch action {
            case .start(let id, let role): start(id, role)
            case .close(let id, let reason): close(id, reason)
            case .kill(let id, let reason): kill(id, reason)
            case .drain(let id): drain(id)
            case .proceed(let id): tell(id, .proceed)
            case .refuse(let id, let reason): tell(id, .refuseClient(reason: reason))
            case .files(let id, let request, let requestID): answer(request, requestID, id)
            case .refuseFiles(let id, let requestID): refuseFiles(requestID, id)
            case .audit(let id, let word, let requestID): record(word, requestID, id)
            case .forwards(let id, let word, let requestID): take(word, requestID, id)
            }
        }
    }

    /// Looks at the forwards when it is time, and sees to a reaper as long as one is needed.
    private func tendForwards() {
        forwards.tick(now: now())
        guard let reaper = table.reaper else {
            guard forwards.hasWork else { return }
            guard let (id, actions) = table.startReaper(now: now()) else { return forwards.noReaper() }
            let peer = MCPSocket.Peer(pid: getpid(), uid: geteuid())
            let null = OwnedFD(taking: open("/dev/null", O_RDWR | O_CLOEXEC))
            connections[id] = Connection(id, peer: peer, client: consume null, now: now())
            return perform(actions)
        }
        guard reaper.ready, let connection = connections[reaper.id] else { return }
        for message in forwards.handOver(to: reaper.id) {
            send(reaper.id, connection) { worker throws(IPCError) in
                try worker.channel.send(ToWorker.forwards(message))
            }
        }
        if !forwards.hasWork { perform(table.reaped(now: now())) }
    }

    private func start(_ id: SessionTable.ID, _ role: WorkerRole) {
        guard let connection = connections[id] else { return }
        let isRefusing =
            switch role {
            case .refuse: true
            case .serve, .reap, .check: false
            }
        do throws(StartError) {
            guard let worker = try launch(role, connection, isRefusing) else { return }
            watch(worker.channel.rawValue, Source.channel.token(id))
            watch(worker.pidfd.rawValue, Source.process.token(id))
            watch(worker.log.rawValue, Source.log.token(id))
            connection.worker = worker
        } catch {
            connection.noteGone(error.sentence, .error)
            connections[id] = nil
            if role == .reap { forwards.noReaper() }
            perform(table.ended(id, now: now()))
        }
    }

    private func launch(
        _ role: WorkerRole, _ connection: Connection, _ isRefusing: Bool
    ) throws(StartError) -> WorkerProcess? {
        switch connection.client {
        case .none: return nil
        case .some(let client):
            return isRefusing
                ? try WorkerProcess.start(program: workerProgram, role: role, policy: refusalPolicy, client: client)
                : try WorkerProcess.start(program: workerProgram, role: role, policy: policy, client: client)
        }
    }

    private func close(_ id: SessionTable.ID, _ reason: String) {
        guard connections.removeValue(forKey: id) != nil else { return }
        Log.write(.info, "client disconnected", ["reason": .text(reason), "session": .number(Int(id))])
    }

    private func kill(_ id: SessionTable.ID, _ reason: String) {
        guard let connection = connections[id] else { return }
        guard connection.killedBecause == nil else { return }
        connection.killedBecause = reason
        connection.pausedUntil = nil
        guard let worker = connection.worker else { return }
        // Nothing more is read from it, so nothing more may wake the loop.
        _ = csd_epoll_remove(epoll.rawValue, worker.channel.rawValue)
        worker.killGroup()
        if let end = connection.end { finish(id, connection, end) }
    }

    private func drain(_ id: SessionTable.ID) {
        guard let connection = connections[id] else { return }
        // A little less than until the kill, so that a worker whose time is up still ends by itself.
        let message = ToWorker.life(.drain(milliseconds: UInt32(SessionTable.Bound.drain - 500)))
        send(id, connection) { worker throws(IPCError) in try worker.channel.send(message) }
    }

    private func tell(_ id: SessionTable.ID, _ word: ToWorker.Life) {
        guard let connection = connections[id] else { return }
        send(id, connection) { worker throws(IPCError) in try worker.channel.send(ToWorker.life(word)) }
    }

    private func send(_ id: SessionTable.ID, _ connection: Connection, _ body: (WorkerProcess) throws(IPCError) -> Void)
    {
        guard let worker = connection.worker else { return }
        do throws(IPCError) {
            try body(worker)
        } catch IPCError.closed {
            // It is ending; the pidfd tells how.
        } catch {
            kill(id, "it does not take messages (\(error))")
        }
    }

    // MARK: What workers say

    /// Hears these workers, one message of each in turn, until none has more to say or the turn is over. Who was not heard
    /// is first in the next one.
    private func hear(_ speaking: Set<SessionTable.ID>, _ turn: LoopTurn) {
        let ids = speaking.sorted()
        let first = ids.firstIndex { $0 > lastHeard } ?? 0
        var line = ids[first...] + ids[..<first]
        while let id = line.popFirst() {
            lastHeard = id
            if hearOne(id) { line.append(id) }
            if turn.isOver { return }
        }
    }

    /// - Returns: whether the worker may have more to say.
    private func hearOne(_ id: SessionTable.ID) -> Bool {
        guard let connection = connections[id], connection.isHeard, let worker = connection.worker else { return false }
        let message: ToSupervisor
        let requestID: UInt32
        do throws(IPCError) {
            guard let incoming = try worker.channel.receive(ToSupervisor.self) else { return false }
            message = incoming.message
            requestID = incoming.requestID
        } catch IPCError.closed {
            _ = csd_epoll_remove(epoll.rawValue, worker.channel.rawValue)
            connection.isSilent = true
            if let end = connection.end { finish(id, connection, end) }
            return false
        } catch {
            kill(id, "it broke the protocol (\(error))")
            return false
        }
        if connection.end != nil {
            connection.lastWords -= 1
            guard connection.lastWords > 0 else {
                kill(id, "it left more messages behind than are taken")
                return false
            }
        }
        if case .life(let word) = message { connection.note(word, now: now()) }
        perform(table.received(message, requestID, from: id, now: now()))
        return connections[id]?.isHeard == true
    }

    /// Leaves a worker unheard for a while; its messages stay in its channel.
    private func pause(_ id: SessionTable.ID, _ connection: Connection, until time: Int) {
        guard connection.isHeard, let worker = connection.worker else { return }
        connection.pausedUntil = time
        _ = csd_epoll_remove(epoll.rawValue, worker.channel.rawValue)
    }

    private func resume(_ id: SessionTable.ID, _ connection: Connection) {
        guard connection.pausedUntil != nil, let worker = connection.worker else { return }
        connection.pausedUntil = nil
        watch(worker.channel.rawValue, Source.channel.token(id))
    }

    private func take(_ word: ToSupervisor.Forwards, _ requestID: UInt32, _ id: SessionTable.ID) {
        guard let connection = connections[id] else { return }
        forwards.take(word, requestID, from: id)
        guard forwards.waiting(of: id) >= Forwards.maximumWaiting, let due = forwards.due else { return }
        pause(id, connection, until: max(due, now() + 1))
    }

    private func refuseFiles(_ requestID: UInt32, _ id: SessionTable.ID) {
        guard let connection = connections[id] else { return }
        send(id, connection) { worker throws(IPCError) in
            try worker.channel.send(
                ToWorker.files(.refused(rule: "", reason: "The client has gone.")), requestID: requestID)
        }
    }

    private func answer(_ request: ToSupervisor.Files, _ requestID: UInt32, _ id: SessionTable.ID) {
        guard let connection = connections[id], let worker = connection.worker else { return }
        do throws(IPCError) {
            try connection.pending.answer(
                request, requestID, over: worker.channel,
                files: localFiles,
                allowed: config.policy.hosts.contains(where: \.capabilities.fileWrite))
        } catch IPCError.closed {
            // It has ended, or is ending: what else it has said still counts.
        } catch {
            kill(id, "it does not take messages (\(error))")
        }
    }

    /// As the config says now.
    private var localFiles: LocalFiles {
        let expansion = PathExpansion(environment: environment)
        let own = OwnPath.all(
            config, at: configPath, socket: socket.path, auditLog: audit.realPath,
            runtimeDirectory: expansion.runtimeDirectory,
            programs: [workerProgram, Startup.ownProgram].compactMap { $0 })
        return LocalFiles(
            LocalRules(roots: config.localRoots, home: expansion.home, own: own, environment: environment),
            allowOverwrite: config.allowOverwrite)
    }

    private func record(_ word: ToSupervisor.Audit, _ requestID: UInt32, _ id: SessionTable.ID) {
        guard let connection = connections[id] else { return }
        switch audit.record(word, requestID, in: &connection.calls, log: connection.log, now: now()) {
        case .begun(let size):
            send(id, connection) { worker throws(IPCError) in
                try worker.channel.send(ToWorker.audit(.begun), requestID: requestID)
            }
            connection.audit.spend(size, now: now())
            guard connection.end == nil, let paid = connection.audit.paid(now: now()) else { return }
            pause(id, connection, until: paid)
        case .written: break
        case .outOfTurn: kill(id, "it spoke of a call out of turn")
        }
    }

    private func readLog(_ id: SessionTable.ID) {
        guard let connection = connections[id], !connection.readLog(now: now()), let worker = connection.worker else {
            return
        }
        _ = csd_epoll_remove(epoll.rawValue, worker.log.rawValue)
    }

    // MARK: How workers end

    /// - Returns: whether what it had still to say is to be heard before its end is dealt with.
    private func reap(_ id: SessionTable.ID) -> Bool {
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

    /// A worker has ended, and all that it had to say is heard.
    private func finish(_ id: SessionTable.ID, _ connection: Connection, _ end: WorkerEnd) {
        // What a pipe holds, in parts; somebody else may go on writing to it.
        var parts = 4
        while parts > 0, connection.readLog(now: now()) { parts -= 1 }
        let phase = table.sessions[id]?.phase
        let (level, how) = connection.killedBecause.map { (.warning, "killed: \($0)") } ?? end.description
        audit.abandon(&connection.calls, log: connection.log, "the worker ended: \(how)")
        if phase == .serving || phase == .unheard || phase == .waitingReady {
            connection.noteGone("the worker ended: \(how)", level)
        }
        Log.write(
            level, "worker ended",
            [
                "how": .text(how), "session": .number(Int(id)),
                "worker_pid": .number(Int(connection.worker?.pid ?? 0)),
            ])
        forwards.ended(id, log: connection.log)
        // One that ends before it is ready would be followed by others like it.
        if phase == .starting(.reap) { forwards.noReaper() }
        if phase == .starting(.serve), !table.draining {
            startFailed(id, connection, end)
        } else {
            // Its descriptor may live on elsewhere, and would go on waking the loop.
            if let client = connection.client?.rawValue { _ = csd_epoll_remove(epoll.rawValue, client) }
            connection.endClient()
            connections[id] = nil
            perform(table.ended(id, now: now()))
        }
    }

    /// A worker ended before it was ready to serve. Nothing of its client was read, so another worker can still tell it.
    private func startFailed(_ id: SessionTable.ID, _ connection: Connection, _ end: WorkerEnd) {
        let failure = StartFailure(end, wasKilled: connection.killedBecause != nil, sshPath: config.policy.sshPath)
        Log.write(
            .error, "a worker could not start",
            ["session": .number(Int(id)), "why": .text(failure.what), "mend": .text(failure.mend(workerProgram))])
        connections[id] = connection.successor(now: now())
        perform(table.failedToServe(id, failure.refusal, now: now()))
    }

    /// HUP: the new config as a whole, or the old one stays.
    private func take(_ step: ConfigReload.Step?) {
        do {
            switch step {
            case .none: break
            case .check(let worker):
                watch(worker.pidfd.rawValue, Source.check.token())
                // A rotation does not wait for that.
                audit.rotate(config.auditLog)
            case .adopt(let new): try adopt(new)
            case .refuse(let error): throw error
            }
        } catch {
            reload.log(error)
            // Nor does it wait for a better config.
            audit.rotate(config.auditLog)
        }
    }

    private func adopt(_ new: Config) throws(StartError) {
        let sealed = try Self.seal(new.policy)
        let sealedRefusal = try Self.seal(Self.refusing(new.policy, workerProgram))
        try audit.open(new.auditLog)
        Startup.warn(new)
        if !socket.isAt(new.mcpSocket) {
            Log.write(
                .warning, "mcp_socket has changed; the daemon must be restarted for that",
                ["socket": .text(socket.path), "config": .text(new.mcpSocket)])
        }
        config = new
        policy = sealed
        refusalPolicy = sealedRefusal
        forwards.configure(new.policy)
        table.waitMilliseconds = new.clientWaitSeconds * 1000
        for (id, session) in table.sessions where session.isToServe {
            guard let connection = connections[id] else { continue }
            send(id, connection) { worker throws(IPCError) in try worker.send(policy: policy) }
        }
        Log.write(.info, "config reloaded", ["path": .text(configPath), "hosts": .number(new.policy.hosts.count)])
    }

    /// Leaves further connections in the kernel's backlog while there is no room for them.
    private func updateListening() {
        if let time = retryAccept, time <= now() { retryAccept = nil }
        let wanted = table.hasRoom && retryAccept == nil
        guard listening != wanted else { return }
        listening = wanted
        if listening {
            watch(socket.rawValue, Source.listener.token())
        } else {
            _ = csd_epoll_remove(epoll.rawValue, socket.rawValue)
        }
    }

    private func watch(_ descriptor: Int32, _ token: UInt64, for wanted: UInt32 = CSD_EPOLL_READABLE) {
        if csd_epoll_add(epoll.rawValue, descriptor, token, wanted) != 0 {
            Log.write(.error, "epoll_ctl failed", ["errno": .number(Int(errno))])
        }
    }

    private func fields(_ peer: MCPSocket.Peer, _ id: SessionTable.ID) -> KeyValuePairs<String, LogValue> {
        ["session": .number(Int(id)), "client_pid": .number(Int(peer.pid)), "client_uid": .number(Int(peer.uid))]
    }

    private func now() -> Int { Clock.milliseconds() }
}
