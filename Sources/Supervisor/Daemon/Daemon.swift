internal import CLinux
internal import Glibc
internal import IPC

/// The supervisor's loop. It has one thread and one epoll(7) set, and nothing in it blocks. It moves descriptors and messages.
/// Only workers read bytes of a client or of a host.
///
/// A turn of the loop handles signals first, then processes that have ended and new clients. Then it takes messages of workers,
/// one of each in turn, as long as a `LoopTurn` lasts. Last come clients that send something or hang up.
final class Daemon {
    /// What a descriptor in the epoll set is. Its token also has the number of the connection, which is never used again. So an
    /// event of a closed descriptor is not taken for one of a later descriptor with the same number.
    enum Source: UInt64 {
        // A turn handles them in this order.
        case signals, process, fileProcess, gateProcess, listener, check, handOver, broker, channel, fileChannel,
            gateChannel, connect,
            log, fileLog, gateLog, client

        func token(_ id: UInt64 = 0) -> UInt64 { id << 8 | rawValue }
    }

    let configPath: String
    let environment: [String: String]
    let workerProgram: String
    let socket: MCPSocket
    let epoll: OwnedFD
    let signals: OwnedFD
    let audit = AuditTrail()
    var config: Config
    let reload: ConfigReload
    var policies: WorkerPolicies
    var table: ConnectionTable
    let forwards: Forwards
    let files: FileBrokers
    let gates: Gates
    /// Of the gates that cancel forwards, which have no connection.
    let cancellerLog = LogShare(connection: Forwards.canceller, now: Clock.milliseconds())
    let programs: [String]
    var connections: [ConnectionTable.ID: Connection] = [:]
    /// For file brokers whose workers have ended.
    let leftBrokersLog = LogShare(connection: nil, now: Clock.milliseconds())
    /// The worker whose message was taken last. The next turn begins with the one after it.
    var lastHeard: ConnectionTable.ID = 0
    var listening = true
    /// When the daemon ends although workers are left, in milliseconds.
    var giveUp: Int?
    /// When to accept clients again after descriptors ran out, in milliseconds.
    var retryAccept: Int?

    /// Listens on the configured socket. From here on `run` must be called.
    init(
        config: Config, configPath: String, environment: [String: String], workerProgram: String, gateProgram: String
    ) throws(StartError) {
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
        policies = try WorkerPolicies(config.policy)
        socket = try MCPSocket(path: config.mcpSocket)
        do throws(StartError) {
            try audit.open(config.auditLog)
        } catch {
            socket.unlinkOwn()
            throw error
        }
        let fileBrokerPlaces = try Startup.fileBrokerPlaces()
        programs = ([workerProgram, gateProgram, Startup.ownProgram].compactMap { $0 }) + fileBrokerPlaces
        files = FileBrokers(
            places: fileBrokerPlaces,
            policy: config.filePolicy(
                at: configPath, socket: config.mcpSocket, auditLog: audit.realPath, environment: environment,
                programs: programs))
        table = ConnectionTable(socket: config.mcpSocket, waitMilliseconds: config.clientWaitSeconds * 1000)
        forwards = Forwards(
            socket: config.mcpSocket, runtimeDirectory: PathExpansion(environment: environment).runtimeDirectory,
            policy: config.policy)
        gates = Gates(program: gateProgram)
        gates.configure(config.policy, sealed: policies.serving, self)
        watch(socket.rawValue, Source.listener.token())
        watch(signals.rawValue, Source.signals.token())
    }

    /// Serves until a signal ends it.
    func run() {
        Log.write(
            .info, "listening",
            [("socket", .text(socket.path)), ("pid", .number(Int(getpid())))] + config.facts(at: configPath)
                + Startup.versions)
        var ready = [csd_epoll_ready](repeating: csd_epoll_ready(), count: 64)
        while true {
            tendForwards()
            if table.draining && table.isEmpty && !forwards.hasWork { break }
            if let giveUp, giveUp <= now() {
                Log.write(
                    .error, "stopping without workers that do not end", ["connections": .number(table.entries.count)])
                for connection in connections.values {
                    audit.abandon(&connection.calls, log: connection.log, "the daemon stopped")
                }
                forwards.noCanceller()
                break
            }
            let count = csd_epoll_wait(epoll.rawValue, &ready, ready.count, timeout)
            turn(ready.prefix(Int(max(0, count))).sorted { $0.token & 0xFF < $1.token & 0xFF })
            perform(table.advance(now: now()))
            files.advance(now: now(), self)
            gates.advance(now: now(), self)
            retryBrokers()
            updateListening()
            reload.advance(now: now())
        }
        files.endAll()
        gates.endAll()
        audit.finish(now: now())
        reload.abandon()
        socket.unlinkOwn()
        Log.write(.info, "stopped", ["socket": .text(socket.path)])
    }

    /// How long epoll_wait(2) may wait, in milliseconds; -1 for ever.
    var timeout: Int32 {
        if audit.hasWork { return 0 }
        let paused = connections.values.compactMap(\.pausedUntil).min()
        let next = [
            table.nextDeadline, giveUp, retryAccept, reload.deadline, forwards.nextLook, forwards.due, paused,
            files.nextDeadline, gates.nextDeadline, connections.values.compactMap { $0.broker?.retry }.min(),
        ].compactMap { $0 }.min()
        return next.map { Int32(clamping: max(0, $0 - now())) } ?? -1
    }

    /// One turn with what has happened, in the order of `Source`.
    func turn(_ events: [csd_epoll_ready]) {
        let turn = LoopTurn()
        var speaking: Set<ConnectionTable.ID> = []
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
            case .handOver: takeListener(id)
            case .broker: broker(id)
            case .channel: speaking.insert(id)
            case .log: readLog(id)
            case .fileProcess: files.event(.process, id, now: now(), self)
            case .fileChannel: files.event(.channel, id, now: now(), self)
            case .fileLog: files.event(.log, id, now: now(), self)
            case .gateProcess: gates.event(.process, id, now: now(), self)
            case .gateChannel: gates.event(.channel, id, now: now(), self)
            case .connect: gates.event(.connect, id, now: now(), self)
            case .gateLog: gates.event(.log, id, now: now(), self)
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
            send(.forwards(message), requestID, to: id)
        }
        if audit.hasWork {
            repeat { audit.tend(now: now()) } while audit.hasWork && !turn.isOver
        }
        // Last, because a worker knows better than this process why its client went.
        for event in atTheEnd { clientEvent(event.token >> 8, hungUp: event.what & CSD_EPOLL_HANGUP != 0) }
    }

    func takeSignals() {
        while true {
            switch csd_signal_next(signals.rawValue) {
            case 0: return
            case SIGHUP: take(reload.begin(current: config, now: now()))
            default:
                guard !table.draining else { return endNow() }
                Log.write(.info, "stopping", ["connections": .number(table.entries.count)])
                giveUp = now() + ConnectionTable.Bound.stop
                perform(table.drain(now: now()))
                forwards.drain()
            }
        }
    }

    /// Ends at once, after a second signal.
    func endNow() {
        for connection in connections.values {
            connection.worker?.killGroup()
            audit.abandon(&connection.calls, log: connection.log, "the daemon was stopped at once")
        }
        files.endAll()
        gates.endAll()
        audit.finish(now: now())
        socket.unlinkOwn()
        Log.write(.warning, "stopped at once by a second signal")
        exit(0)
    }

    func watch(_ descriptor: Int32, _ token: UInt64, for wanted: UInt32 = CSD_EPOLL_READABLE) {
        if csd_epoll_add(epoll.rawValue, descriptor, token, wanted) != 0 {
            Log.write(.error, "epoll_ctl failed", ["errno": .number(Int(errno))])
        }
    }

    func now() -> Int { Clock.milliseconds() }
}

extension Daemon: FileBrokerHost {
    func watch(_ descriptor: Int32, _ source: FileBrokers.Source, _ token: UInt64) {
        let kind: Source =
            switch source {
            case .process: .fileProcess
            case .channel: .fileChannel
            case .log: .fileLog
            }
        watch(descriptor, kind.token(token))
    }

    func unwatch(_ descriptor: Int32) { _ = csd_epoll_remove(epoll.rawValue, descriptor) }

    func tell(_ id: ConnectionTable.ID, _ message: ToWorker, requestID: UInt32, descriptor: SharedFD?) -> Bool {
        guard let connection = connections[id], connection.killedBecause == nil, let worker = connection.worker
        else { return true }
        do throws(IPCError) {
            if let descriptor {
                try worker.channel.send(message, requestID: requestID, descriptor: descriptor.duplicate())
            } else {
                try worker.channel.send(message, requestID: requestID)
            }
        } catch IPCError.closed {
            // The worker is ending. Its pidfd tells how.
        } catch IPCError.system(_, EAGAIN) {
            return false
        } catch {
            kill(id, "it does not take messages (\(error))")
        }
        return true
    }

    var leavingWorkers: Int {
        connections.values.count { connection in
            connection.worker != nil
                && (connection.killedBecause != nil || table.entries[connection.id]?.phase == .releasing)
        }
    }

    func giveUp(_ id: ConnectionTable.ID) { kill(id, "it does not take messages") }

    func log(
        _ id: ConnectionTable.ID, _ level: LogLevel, _ message: String, _ fields: KeyValuePairs<String, LogValue>
    ) {
        // A broker may outlive its worker: at a file system that does not answer, which the log must name.
        let log = id == Forwards.canceller ? cancellerLog : connections[id]?.log ?? leftBrokersLog
        log.write(level, message, fields, now: now())
    }
}
