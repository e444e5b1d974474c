internal import CLinux
internal import Glibc
internal import IPC

/// The supervisor's loop: one thread, one epoll(7) set, nothing that blocks. It moves descriptors and messages; whatever
/// a client or a remote host has written is read by workers only.
final class Daemon {
    /// What a token in the epoll set belongs to. A token carries the connection's number, which is never used again, so
    /// an event of a closed descriptor cannot be taken for one of its successor.
    private enum Source: UInt64 {
        case listener, signals, client, channel, process, log, check

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
    private var table: SessionTable
    private let forwards: Forwards
    private var connections: [SessionTable.ID: Connection] = [:]
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
            ["socket": .text(config.mcpSocket), "version": .text(Version.text), "pid": .number(Int(getpid()))])
        var ready = [csd_epoll_ready](repeating: csd_epoll_ready(), count: 64)
        while true {
            tendForwards()
            if table.draining && table.isEmpty { break }
            if let giveUp, giveUp <= now() {
                Log.write(
                    .error, "stopping without workers that do not end", ["sessions": .number(table.sessions.count)])
                for connection in connections.values {
                    audit.abandon(&connection.calls, now: now(), "the daemon stopped")
                }
                forwards.noReaper()
                break
            }
            let next = [table.nextDeadline, giveUp, retryAccept, reload.deadline, forwards.nextLook].compactMap { $0 }
                .min()
            let timeout = next.map { Int32(clamping: max(0, $0 - now())) } ?? -1
            let count = csd_epoll_wait(epoll.rawValue, &ready, ready.count, timeout)
            for event in ready.prefix(Int(max(0, count))) { handle(event) }
            perform(table.advance(now: now()))
            updateListening()
            reload.advance(now: now())
        }
        reload.abandon()
        socket.unlinkOwn()
        Log.write(.info, "stopped", ["socket": .text(config.mcpSocket)])
    }

    private func handle(_ event: csd_epoll_ready) {
        let id = event.token >> 8
        switch Source(rawValue: event.token & 0xFF) {
        case .none: break
        case .listener: acceptAll()
        case .signals: takeSignals()
        case .client: clientEvent(id, hungUp: event.what & CSD_EPOLL_HANGUP != 0)
        case .channel: readChannel(id)
        case .log: readLog(id)
        case .process: reap(id)
        case .check:
            take(reload.ended())
            if reload.isWantedAgain { take(reload.begin(current: config, now: now())) }
        }
    }

    private func acceptAll() {
        while table.hasRoom {
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
                connections[id] = Connection(id, peer: peer, client: consume client)
                Log.write(.info, "client connected", fields(peer, id))
                perform(actions)
            }
        }
    }

    private func clientEvent(_ id: SessionTable.ID, hungUp: Bool) {
        guard !hungUp else { return perform(table.hungUp(id, now: now())) }
        // It stays readable until a worker has it; from here on only its hang-up may wake the loop.
        if let connection = connections[id], let descriptor = connection.client?.rawValue {
            _ = csd_epoll_remove(epoll.rawValue, descriptor)
            watch(descriptor, Source.client.token(id), for: 0)
        }
        perform(table.spoke(id, now: now()))
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
            audit.abandon(&connection.calls, now: now(), "the daemon was stopped at once")
        }
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
            // Only a message leads to these, and `readChannel` does them.
            case .local, .forward, .audit: break
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
            connections[id] = Connection(id, peer: peer, client: OwnedFD(taking: open("/dev/null", O_RDWR | O_CLOEXEC)))
            return perform(actions)
        }
        guard reaper.ready, let connection = connections[reaper.id] else { return }
        for message in forwards.handOver(to: reaper.id) {
            send(reaper.id, connection) { worker throws(IPCError) in try worker.channel.send(message) }
        }
        if !forwards.hasWork { perform(table.reaped(now: now())) }
    }

    private func start(_ id: SessionTable.ID, _ role: WorkerRole) {
        guard let connection = connections[id], let client = connection.client.take() else { return }
        _ = csd_epoll_remove(epoll.rawValue, client.rawValue)
        do throws(StartError) {
            let worker = try WorkerProcess.start(program: workerProgram, role: role, policy: policy, client: client)
            watch(worker.channel.rawValue, Source.channel.token(id))
            watch(worker.pidfd.rawValue, Source.process.token(id))
            watch(worker.log.rawValue, Source.log.token(id))
            connection.worker = worker
        } catch {
            Log.write(.error, "client disconnected", ["reason": .text(error.sentence), "session": .number(Int(id))])
            connections[id] = nil
            if role == .reap { forwards.noReaper() }
            perform(table.ended(id, now: now()))
        }
    }

    private func close(_ id: SessionTable.ID, _ reason: String) {
        guard connections.removeValue(forKey: id) != nil else { return }
        Log.write(.info, "client disconnected", ["reason": .text(reason), "session": .number(Int(id))])
    }

    private func kill(_ id: SessionTable.ID, _ reason: String) {
        guard let connection = connections[id] else { return }
        connection.killedBecause = reason
        guard let worker = connection.worker else { return }
        // Nothing more is read from it, so nothing more may wake the loop.
        _ = csd_epoll_remove(epoll.rawValue, worker.channel.rawValue)
        worker.killGroup()
    }

    private func drain(_ id: SessionTable.ID) {
        guard let connection = connections[id] else { return }
        // A little less than until the kill, so that a worker whose time is up still ends by itself.
        let message = ToWorker.drain(milliseconds: UInt32(SessionTable.Bound.drain - 500))
        send(id, connection) { worker throws(IPCError) in try worker.channel.send(message) }
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

    /// Messages taken from a worker in one turn: the others have theirs, however much it says.
    private static let messagesATurn = 64

    private func readChannel(_ id: SessionTable.ID, most: Int = messagesATurn) {
        for _ in 0..<most {
            guard let connection = connections[id], connection.killedBecause == nil else { return }
            guard let worker = connection.worker else { return }
            let message: ToSupervisor
            let requestID: UInt32
            do throws(IPCError) {
                guard let incoming = try worker.channel.receive(ToSupervisor.self) else { return }
                message = incoming.message
                requestID = incoming.requestID
            } catch IPCError.closed {
                _ = csd_epoll_remove(epoll.rawValue, worker.channel.rawValue)
                return
            } catch {
                return kill(id, "it broke the protocol (\(error))")
            }
            connection.note(message)
            let actions = table.received(message, from: id, now: now())
            if actions == [.local(id)] { answer(message, requestID, id, connection) }
            if actions == [.audit(id)] { record(message, requestID, id, connection) }
            if actions == [.forward(id)] {
                send(id, connection) { worker throws(IPCError) in
                    try forwards.answer(message, requestID, from: id, over: worker.channel)
                }
            }
            perform(actions)
        }
    }

    private func answer(_ message: ToSupervisor, _ requestID: UInt32, _ id: SessionTable.ID, _ connection: Connection) {
        guard let worker = connection.worker else { return }
        do throws(IPCError) {
            try connection.pending.answer(
                message, requestID, over: worker.channel,
                files: LocalFiles(config, at: configPath, auditLog: audit.realPath, environment: environment),
                allowed: config.policy.hosts.contains(where: \.capabilities.fileWrite))
        } catch {
            kill(id, "it does not take messages (\(error))")
        }
    }

    private func record(_ message: ToSupervisor, _ requestID: UInt32, _ id: SessionTable.ID, _ connection: Connection) {
        switch audit.record(message, requestID, in: &connection.calls, now: now()) {
        case .begun:
            send(id, connection) { worker throws(IPCError) in
                try worker.channel.send(ToWorker.auditBegun, requestID: requestID)
            }
        case .written: break
        case .outOfTurn: kill(id, "it spoke of a call out of turn")
        }
    }

    private func readLog(_ id: SessionTable.ID) {
        guard let connection = connections[id], !connection.readLog(), let worker = connection.worker else { return }
        _ = csd_epoll_remove(epoll.rawValue, worker.log.rawValue)
    }

    private func reap(_ id: SessionTable.ID) {
        guard let connection = connections[id], let worker = connection.worker else { return }
        let pid = worker.pid
        guard let end = worker.reap() else { return }
        // What it still had to say, before its descriptors close.
        readChannel(id, most: .max)
        readLog(id)
        let served = table.sessions[id].map { $0.phase == .serving || $0.phase == .starting(.serve) } ?? false
        let reason = connection.killedBecause
        let (level, how) = reason.map { (.warning, "killed: \($0)") } ?? end.description
        audit.abandon(&connection.calls, now: now(), "the worker ended: \(how)")
        if served {
            Log.write(
                level, "client disconnected",
                ["reason": .text("the worker ended: \(how)"), "session": .number(Int(id))])
        }
        Log.write(
            level, "worker ended", ["how": .text(how), "session": .number(Int(id)), "worker_pid": .number(Int(pid))])
        connections[id] = nil
        forwards.ended(id)
        // One that ends before it is ready would be followed by others like it.
        if table.sessions[id]?.phase == .starting(.reap) { forwards.noReaper() }
        perform(table.ended(id, now: now()))
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
        try audit.open(new.auditLog)
        Startup.warn(new)
        if new.mcpSocket != config.mcpSocket {
            Log.write(
                .warning, "mcp_socket has changed; the daemon must be restarted for that",
                ["socket": .text(config.mcpSocket)])
        }
        config = new
        policy = sealed
        forwards.configure(new.policy)
        table.waitMilliseconds = new.clientWaitSeconds * 1000
        for (id, session) in table.sessions where session.phase == .serving || session.phase == .starting(.serve) {
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
