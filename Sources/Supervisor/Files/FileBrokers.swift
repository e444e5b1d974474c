internal import Glibc
internal import IPC

/// Starts, asks, kills and reaps the file brokers of all workers. It never waits for one.
final class FileBrokers {
    /// Which descriptor of a broker an event is about.
    enum Source { case process, channel, log }

    /// How many programs may be leaving at once: workers whose clients have gone, and brokers that were killed, were told to end,
    /// or have lost their worker. A program that does not leave hangs at a file system. If there are as many as this, no broker
    /// is started, so that their number does not grow.
    static let maximumLeaving = 16

    private struct Running {
        let connection: ConnectionTable.ID
        let number: FileRequests.Broker
        let process: FileBrokerProcess
        let program: String
    }

    private let places: [String]
    private var policy: FilePolicy
    /// The policy as brokers get it; nil until one is needed.
    private var sealed: SharedFD?
    private var requests: [ConnectionTable.ID: FileRequests] = [:]
    private var running: [UInt64: Running] = [:]
    private var nextToken: UInt64 = 1
    private var outboxes: [ConnectionTable.ID: Outbox] = [:]
    /// When to try again to send what waits in outboxes.
    private var retry: Int?

    /// - Parameter places: where the broker's program can be. The first path where there is a program counts.
    init(places: [String], policy: FilePolicy) {
        self.places = places
        self.policy = policy
    }

    /// When `advance` must be called next if nothing happens before, in milliseconds; nil if never.
    var nextDeadline: Int? { ([retry] + requests.values.map(\.nextDeadline)).compactMap { $0 }.min() }

    // MARK: What workers say

    /// Takes a worker's request.
    /// - Parameter isOpen: whether the config allows transfers.
    func take(
        _ ask: ToSupervisor.Files, _ requestID: UInt32, of connection: ConnectionTable.ID, isOpen: Bool, now: Int,
        _ host: some FileBrokerHost
    ) {
        if requests[connection] == nil { requests[connection] = FileRequests(policy: policy, now: now) }
        perform(requests[connection]?.take(ask, requestID, isOpen: isOpen, now: now), connection, now, host)
    }

    /// Takes notice that a worker has ended or is being killed.
    func close(_ connection: ConnectionTable.ID, now: Int, _ host: some FileBrokerHost) {
        outboxes[connection] = nil
        perform(requests[connection]?.close(now: now), connection, now, host)
        forget(connection)
    }

    /// Takes a new policy, by which requests are judged from now on.
    func configure(_ new: FilePolicy, now: Int, _ host: some FileBrokerHost) {
        guard new != policy else { return }
        policy = new
        sealed = nil
        for connection in requests.keys.sorted() {
            perform(requests[connection]?.configure(new, now: now), connection, now, host)
        }
    }

    /// Does what is due: ends what has lasted too long, and sends what waits in outboxes.
    func advance(now: Int, _ host: some FileBrokerHost) {
        for connection in requests.keys.sorted() {
            guard let deadline = requests[connection]?.nextDeadline, deadline <= now else { continue }
            perform(requests[connection]?.advance(now: now), connection, now, host)
        }
        if let time = retry, time <= now { flush(now, host) }
    }

    /// Ends all brokers, because the daemon ends. Idle brokers end when their channel closes, and busy ones are killed.
    func endAll() {
        for broker in running.values where requests[broker.connection]?.isAtWork(broker.number) != false {
            broker.process.killNow()
        }
    }

    // MARK: What brokers say

    /// Handles an event of a broker's descriptor.
    func event(_ source: Source, _ token: UInt64, now: Int, _ host: some FileBrokerHost) {
        guard let broker = running[token] else { return }
        switch source {
        case .log: readLog(broker, host)
        case .channel: hear(broker, now, host)
        case .process:
            guard let end = broker.process.reap() else { return }
            // The broker may have answered before it ended.
            hear(broker, now, host, all: true)
            readLog(broker, host)
            stopHearing(broker, host)
            host.unwatch(broker.process.pidfd.rawValue)
            if broker.process.isLogOpen { host.unwatch(broker.process.log.rawValue) }
            running[token] = nil
            ended(broker, end, now, host)
        }
    }

    /// Takes one message of a broker, or all that are left.
    private func hear(_ broker: Running, _ now: Int, _ host: some FileBrokerHost, all: Bool = false) {
        let connection = broker.connection
        do throws(IPCError) {
            repeat {
                guard broker.process.channelDescriptor != nil, let (message, id) = try broker.process.receive() else {
                    return
                }
                if case .ready(let abi) = message {
                    host.log(
                        connection, .info, "file broker ready",
                        [
                            "connection": .number(Int(connection)), "pid": .number(Int(broker.process.pid)),
                            "landlock_abi": .number(Int(abi)),
                        ])
                }
                if case .undelivered(let code) = message { noteUndelivered(code, connection, host) }
                guard let actions = requests[connection]?.received(message, id, from: broker.number, now: now) else {
                    return violated(broker, .outOfTurn, "it sent a message out of turn", now, host)
                }
                perform(actions, connection, now, host)
            } while all
        } catch .closed {
            // The broker is ending, or has only closed its channel. Its pidfd tells how it ended.
            stopHearing(broker, host)
            broker.process.killNow()
        } catch {
            violated(broker, .brokeProtocol, "it broke the protocol (\(error))", now, host)
        }
    }

    private func noteUndelivered(_ code: UInt32, _ connection: ConnectionTable.ID, _ host: some FileBrokerHost) {
        let mend =
            Int32(clamping: code) == ETOOMANYREFS
            ? "find the program of this user that does not receive the descriptors that it is sent, unix(7), or raise the limit "
                + "of open files (LimitNOFILE=, ulimit -n)"
            : "the worker does not read, or memory is short; if it stays so, restart the client"
        host.log(
            connection, .warning, "a file broker could not hand its answer over",
            ["connection": .number(Int(connection)), "errno": .number(Int(code)), "mend": .text(mend)])
    }

    private func violated(
        _ broker: Running, _ how: ProgramFailure, _ reason: String, _ now: Int, _ host: some FileBrokerHost
    ) {
        let actions = requests[broker.connection]?.violated(broker.number, how, reason, now: now)
        perform(actions, broker.connection, now, host)
    }

    private func readLog(_ broker: Running, _ host: some FileBrokerHost) {
        guard broker.process.isLogOpen else { return }
        for line in broker.process.readLog() {
            host.log(
                broker.connection, .warning, "file broker said",
                ["connection": .number(Int(broker.connection)), "text": .text(line)])
        }
        if !broker.process.isLogOpen { host.unwatch(broker.process.log.rawValue) }
    }

    private func ended(_ broker: Running, _ end: ProcessEnd, _ now: Int, _ host: some FileBrokerHost) {
        let connection = broker.connection
        let (level, how) = broker.process.isKilled ? (.info, "killed") : (end.level, "\(end)")
        host.log(
            connection, level, "file broker ended",
            ["how": .text(how), "connection": .number(Int(connection)), "pid": .number(Int(broker.process.pid))])
        let failure = ProgramFailure(end)
        if level == .error { tell(failure, broker.program, connection, host) }
        perform(requests[connection]?.ended(broker.number, failure, now: now), connection, now, host)
        if !broker.process.isKilled {
            tell(connection, .files(.brokerEnded(broker.number)), 0, nil, now, host)
        }
        forget(connection)
    }

    private func tell(
        _ failure: ProgramFailure, _ program: String, _ connection: ConnectionTable.ID, _ host: some FileBrokerHost
    ) {
        let mend = ProgramMend.of(failure, program: program, said: "file broker said")
        host.log(
            connection, .error, "a file broker failed",
            [
                "connection": .number(Int(connection)), "why": .text(failure.clause(.fileBroker)), "mend": .text(mend),
            ])
    }

    /// Forgets a connection whose worker and brokers have all ended.
    private func forget(_ connection: ConnectionTable.ID) {
        if requests[connection]?.isOver == true { requests[connection] = nil }
    }

    // MARK: What workers are told

    /// Sends a worker a message of another part of the supervisor. It takes its turn behind the messages in the outbox.
    func deliver(
        _ message: ToWorker, _ requestID: UInt32, _ descriptor: SharedFD?, to connection: ConnectionTable.ID, now: Int,
        _ host: some FileBrokerHost
    ) {
        tell(connection, message, requestID, descriptor, now, host)
    }

    private func tell(
        _ connection: ConnectionTable.ID, _ message: ToWorker, _ id: UInt32, _ descriptor: SharedFD?, _ now: Int,
        _ host: some FileBrokerHost
    ) {
        if outboxes[connection] == nil, host.tell(connection, message, requestID: id, descriptor: descriptor) { return }
        // A worker that has gone gets no messages.
        guard requests[connection]?.isClosed != true else { return }
        let outbox = outboxes[connection] ?? Outbox()
        outboxes[connection] = outbox
        retry = retry ?? now + Outbox.pause
        if !outbox.add(message, id, descriptor, now: now) { host.giveUp(connection) }
    }

    private func flush(_ now: Int, _ host: some FileBrokerHost) {
        for (connection, outbox) in outboxes {
            let isTaken = outbox.flush(now: now) { host.tell(connection, $0, requestID: $1, descriptor: $2) }
            if outbox.isEmpty { outboxes[connection] = nil }
            if !isTaken { host.giveUp(connection) }
        }
        retry = outboxes.isEmpty ? nil : now + Outbox.pause
    }

    // MARK: What is done

    private func perform(
        _ actions: [FileRequests.Action]?, _ connection: ConnectionTable.ID, _ now: Int, _ host: some FileBrokerHost
    ) {
        for action in actions ?? [] {
            switch action {
            case .start(let number, let leftOut): start(number, leftOut, connection, now, host)
            case .ask(let number, let message, let id): send(message, id, to: number, connection, host)
            case .update(let number): update(number, connection, now, host)
            case .tell(let message, let id): tell(connection, message, id, nil, now, host)
            case .end(let number):
                guard let (_, broker) = broker(number, connection) else { continue }
                stopHearing(broker, host)
                broker.process.end()
            case .kill(let number, let reason, let place): kill(number, reason, place, connection, now, host)
            }
        }
    }

    private func broker(_ number: FileRequests.Broker, _ connection: ConnectionTable.ID) -> (UInt64, Running)? {
        running.first { $0.value.connection == connection && $0.value.number == number }.map { ($0.key, $0.value) }
    }

    private func isLeaving(_ broker: Running) -> Bool {
        broker.process.isKilled || broker.process.channelDescriptor == nil
            || requests[broker.connection]?.isClosed != false
    }

    private func start(
        _ number: FileRequests.Broker, _ leftOut: [Int], _ connection: ConnectionTable.ID, _ now: Int,
        _ host: some FileBrokerHost
    ) {
        let leaving = running.values.count(where: isLeaving) + host.leavingWorkers
        guard leaving < Self.maximumLeaving else {
            return notStarted(number, .leaving(UInt32(leaving)), connection, now, host)
        }
        let found = places.first { access($0, X_OK) == 0 }
        do throws(ProgramFailure) {
            guard let program = found else { throw .missing }
            let memory = try sealedPolicy(leftOut)
            let process = try FileBrokerProcess.start(program: program, policy: memory) { channel in
                tell(connection, .files(.broker(number)), 0, SharedFD(channel), now, host)
            }
            let token = nextToken
            nextToken += 1
            running[token] = Running(connection: connection, number: number, process: process, program: program)
            if let channel = process.channelDescriptor { host.watch(channel, .channel, token) }
            host.watch(process.pidfd.rawValue, .process, token)
            host.watch(process.log.rawValue, .log, token)
        } catch {
            tell(error, found ?? places.joined(separator: " or "), connection, host)
            notStarted(number, .unavailable(error), connection, now, host)
        }
    }

    private func notStarted(
        _ number: FileRequests.Broker, _ failure: LocalFailure, _ connection: ConnectionTable.ID, _ now: Int,
        _ host: some FileBrokerHost
    ) {
        perform(requests[connection]?.notStarted(number, failure, now: now), connection, now, host)
    }

    private func sealedPolicy(_ leftOut: [Int]) throws(ProgramFailure) -> OwnedFD {
        do throws(IPCError) {
            if let sealed, leftOut.isEmpty { return try sealed.duplicate() }
            var policy = policy
            policy.leftOut = leftOut
            let memory = try policy.sealed()
            if leftOut.isEmpty { sealed = SharedFD(try memory.duplicateForChild()) }
            return memory
        } catch {
            throw .notStarted(error)
        }
    }

    private func send(
        _ message: ToFileBroker, _ id: UInt32, to number: FileRequests.Broker, _ connection: ConnectionTable.ID,
        _ host: some FileBrokerHost
    ) {
        guard let (_, broker) = broker(number, connection) else { return }
        do throws(IPCError) {
            try broker.process.send(message, requestID: id)
        } catch {
            // A broker that has only closed its channel is killed here. The pidfd tells how it ended.
            broker.process.killNow()
        }
    }

    private func update(
        _ number: FileRequests.Broker, _ connection: ConnectionTable.ID, _ now: Int, _ host: some FileBrokerHost
    ) {
        guard let (_, broker) = broker(number, connection) else { return }
        do {
            let memory = try sealedPolicy([])
            try broker.process.send(.policy, descriptor: consume memory)
        } catch IPCError.closed {
            // The broker is ending. Its pidfd tells how.
        } catch {
            // The broker would go on naming files by the old policy.
            violated(
                broker, .ended(.signalled(UInt8(SIGKILL))), "it cannot be given the new policy (\(error))", now, host)
        }
    }

    private func kill(
        _ number: FileRequests.Broker, _ reason: String, _ place: String?, _ connection: ConnectionTable.ID, _ now: Int,
        _ host: some FileBrokerHost
    ) {
        guard let (_, broker) = broker(number, connection) else { return }
        let (id, pid): (LogValue, LogValue) = (.number(Int(connection)), .number(Int(broker.process.pid)))
        if let place {
            host.log(
                connection, .warning, "file broker killed",
                [
                    "connection": id, "pid": pid, "reason": .text(reason), "path": .text(place),
                    "mend": .text("look at the file system of that path: mount it anew, or umount -l it"),
                ])
        } else {
            host.log(
                connection, .warning, "file broker killed", ["connection": id, "pid": pid, "reason": .text(reason)])
        }
        stopHearing(broker, host)
        broker.process.kill()
        tell(connection, .files(.brokerEnded(number)), 0, nil, now, host)
    }

    private func stopHearing(_ broker: Running, _ host: some FileBrokerHost) {
        if broker.process.stopHearing(), let channel = broker.process.channelDescriptor { host.unwatch(channel) }
    }
}
