internal import CLinux
internal import Glibc
internal import IPC

/// What the loop does for gates: it watches their descriptors, logs for them, and ends the connection of one that has ended.
protocol GateHost: AnyObject {
    func watch(_ descriptor: Int32, _ source: Gates.Source, _ token: UInt64)
    func unwatch(_ descriptor: Int32)
    /// A line of what this connection makes the daemon log.
    func log(
        _ connection: ConnectionTable.ID, _ level: LogLevel, _ message: String,
        _ fields: KeyValuePairs<String, LogValue>)
    /// The worker of a connection did what no honest one does, as its gate saw.
    func violated(_ connection: ConnectionTable.ID, _ what: WorkerViolation)
    /// The gate of a connection has taken notice of a connection that it was given.
    func sshConnected(_ connection: ConnectionTable.ID)
    /// The gate of a connection ended before it was ready.
    func gateFailed(_ connection: ConnectionTable.ID)
    /// The gate of a connection has ended, and its worker has not.
    func gateEnded(_ connection: ConnectionTable.ID, how: String, wasReady: Bool)
    /// What came of an order about this forward.
    func performed(
        _ outcome: ForwardOutcome, of forward: UInt32, _ order: ForwardOrder, by connection: ConnectionTable.ID)
    /// A gate has ended with an order about this forward.
    func leftUndone(_ order: ForwardOrder, of forward: UInt32, by connection: ConnectionTable.ID)
    /// The gate of a connection is about to open this, or has refused it by a rule. It is written down.
    func reported(_ report: GateReport, refusedBy rule: PolicyRule?, by connection: ConnectionTable.ID) -> Gates.Heard
}

/// The gates of all workers, one beside each that serves. They are started, given connections to ControlMasters and reaped here.
final class Gates {
    /// What is watched: of a gate, or of a process that connects for one.
    enum Source { case process, channel, log, connect }

    /// What follows from a gate's report.
    struct Heard {
        /// Whether it may be opened: a call is open that it is for.
        let isAdmitted: Bool
        /// Until when the gate is not heard, in milliseconds, so that no line of the audit log is lost; nil if it is.
        let pausedUntil: Int?
    }

    private final class Running {
        let connection: ConnectionTable.ID
        let process: GateProcess
        var isReady = false
        /// When it must be ready, in milliseconds; nil once it is.
        var startDeadline: Int?
        /// Until when it must take the policy in force, in milliseconds; nil once it has. One that hangs would let go on what that
        /// policy does not allow.
        var policyDeadline: Int?
        /// Why it was ended, where that was not with its worker.
        var killedBecause: String?
        /// Its worker has ended, or is ending: nobody needs to hear of its end.
        var isReleased = false
        /// Its channel may be listened to.
        var isHeard = true
        /// Until when its channel is not watched; nil if it is.
        var pausedUntil: Int?
        /// Connections to ControlMasters that it was given, and those of them that became sessions.
        var connections = 0
        var sessions = 0
        /// Connections of `ssh` that it was given and has not taken notice of.
        var sshConnections = 0

        init(connection: ConnectionTable.ID, process: GateProcess) {
            self.connection = connection
            self.process = process
        }
    }

    private struct Order {
        let gate: UInt64
        let forward: UInt32
        let order: ForwardOrder
        let deadline: Int
    }

    /// How long an order may take, in milliseconds: more than a gate gives a ControlMaster.
    static let patience = 10_000
    /// How long a gate may take to get ready, in milliseconds.
    private static let start = 10_000

    private let program: String
    private let connector = MasterConnector()
    private var orders: [UInt32: Order] = [:]
    private var nextOrder: UInt32 = 1
    private var running: [UInt64: Running] = [:]
    private var nextToken: UInt64 = 1
    /// The sockets of the hosts of the policy in force, in its order, and its number.
    private var sockets: [String] = []
    private var number: UInt32 = 0

    /// - Parameter program: the gate's.
    init(program: String) {
        self.program = program
    }

    /// When `advance` must be called next, if nothing happens before.
    var nextDeadline: Int? {
        (orders.values.map(\.deadline)
            + running.values.flatMap { [$0.startDeadline, $0.policyDeadline, $0.pausedUntil].compactMap(\.self) }
            + [connector.nextDeadline].compactMap { $0 }).min()
    }

    /// What is started from now on works by this policy, and so do those that run.
    /// - Parameter sealed: the same.
    func configure(_ policy: PolicySnapshot, sealed: borrowing OwnedFD, _ host: some GateHost) {
        sockets = policy.hosts.map(\.master.socket)
        number &+= 1
        for (token, gate) in running where gate.killedBecause == nil && !gate.isReleased {
            do throws(IPCError) {
                try gate.process.channel.send(ToGate.policy(number), descriptor: sealed.duplicateForChild())
                gate.policyDeadline = Clock.milliseconds() + Self.patience
            } catch {
                // It would judge by what held before.
                kill(token, gate, "it does not take messages (\(error))", host)
            }
        }
    }

    /// Starts the gate of a connection.
    /// - Parameter transport: that of its worker.
    /// - Returns: the worker's end of the channel between the two.
    func start(
        _ connection: ConnectionTable.ID, policy: borrowing OwnedFD, transport: Transport, _ host: some GateHost
    ) throws(StartError) -> OwnedFD {
        var workerEnd: OwnedFD?
        let process = try GateProcess.start(
            program: program, policy: policy, number: number, transport: transport
        ) { end in
            workerEnd = consume end
        }
        let token = nextToken
        nextToken += 1
        let gate = Running(connection: connection, process: process)
        gate.startDeadline = Clock.milliseconds() + Self.start
        running[token] = gate
        host.watch(process.channel.rawValue, .channel, token)
        host.watch(process.pidfd.rawValue, .process, token)
        host.watch(process.logDescriptor, .log, token)
        guard let end = workerEnd.take() else { throw StartError(sentence: "the gate has no channel to its worker") }
        return end
    }

    /// The worker of a connection has ended, or is being killed: its gate ends with it.
    func close(_ connection: ConnectionTable.ID, _ host: some GateHost) {
        for (token, gate) in running where gate.connection == connection && !gate.isReleased {
            gate.isReleased = true
            leaveOrders(of: token, gate, host)
            end(token, gate, host)
        }
    }

    /// Nobody will tell what came of the orders of a gate that ends.
    private func leaveOrders(of token: UInt64, _ gate: Running, _ host: some GateHost) {
        for order in orders.values where order.gate == token {
            host.leftUndone(order.order, of: order.forward, by: gate.connection)
        }
        orders = orders.filter { $0.value.gate != token }
    }

    /// The daemon ends.
    func endAll() {
        for gate in running.values { gate.process.kill() }
    }

    /// Gives up connections that last too long, and ends gates that do not get ready or do not answer.
    func advance(now: Int, _ host: some GateHost) {
        for asker in connector.advance(now: now) { tell(asker, .hung, host) }
        let late = Set(orders.values.filter { $0.deadline <= now }.map(\.gate))
        for (token, gate) in running {
            if let deadline = gate.startDeadline, deadline <= now {
                gate.startDeadline = nil
                kill(token, gate, "it was not ready in time", host)
            }
            if let deadline = gate.policyDeadline, deadline <= now {
                gate.policyDeadline = nil
                kill(token, gate, "it did not take the new policy in time", host)
            }
            if let until = gate.pausedUntil, until <= now, gate.isHeard {
                gate.pausedUntil = nil
                host.watch(gate.process.channel.rawValue, .channel, token)
            }
            if late.contains(token) {
                leaveOrders(of: token, gate, host)
                kill(token, gate, "it did not answer in time", host)
            }
        }
    }

    // MARK: Connections of `ssh`

    /// Whether there is a gate that what this connection's worker connects can lead to.
    func takesSSH(_ connection: ConnectionTable.ID) -> Bool { gate(of: connection)?.gate.isReady == true }

    /// Gives the gate of a connection the other end of what its worker has connected.
    func giveSSH(_ connection: ConnectionTable.ID, _ socket: consuming OwnedFD, _ host: some GateHost) {
        guard let (token, gate) = gate(of: connection) else { return }
        gate.sshConnections += 1
        send(.sshConnection, 0, consume socket, to: token, host)
    }

    // MARK: Forwards

    /// Whether there is a gate that only cancels forwards, and it is ready.
    var isCancellerReady: Bool? { gate(of: Forwards.canceller)?.gate.isReady }

    /// Starts a gate without a worker, which cancels forwards.
    func startCanceller(policy: borrowing OwnedFD, _ host: some GateHost) throws(StartError) {
        // It has nobody to answer but the supervisor.
        _ = try start(Forwards.canceller, policy: policy, transport: .mux, host)
    }

    private func gate(of connection: ConnectionTable.ID) -> (token: UInt64, gate: Running)? {
        running.first { $0.value.connection == connection && !$0.value.isReleased && $0.value.killedBecause == nil }
            .map { ($0.key, $0.value) }
    }

    /// Connects to the ControlMaster of a forward, and has the gate of a connection do this with it.
    func order(
        _ order: ForwardOrder, of forward: UInt32, by connection: ConnectionTable.ID, now: Int, _ host: some GateHost
    ) {
        guard let (token, _) = gate(of: connection) else {
            return host.performed(.down(.noGate), of: forward, order, by: connection)
        }
        let number = nextOrder
        nextOrder &+= 1
        orders[number] = Order(gate: token, forward: forward, order: order, deadline: now + Self.patience)
        let asker = MasterConnector.Asker(gate: token, purpose: .order(number))
        switch connector.connect(to: order.route.master.socket, for: asker, now: now) {
        case .started(let started): host.watch(started.pidfd, .connect, started.token)
        case .failed(let failure): tell(asker, failure, host)
        }
    }

    private func settle(_ number: UInt32, _ outcome: ForwardOutcome, _ host: some GateHost) {
        guard let order = orders.removeValue(forKey: number), let gate = running[order.gate] else { return }
        host.performed(outcome, of: order.forward, order.order, by: gate.connection)
    }

    // MARK: What happens

    /// Something has come from a gate, or it has ended; or a process that connects has.
    func event(_ source: Source, _ token: UInt64, now: Int, _ host: some GateHost) {
        if source == .connect { return connected(token, host) }
        guard let gate = running[token] else { return }
        switch source {
        case .connect: break
        case .log: readLog(gate, host)
        case .channel: hear(token, gate, now, host)
        case .process:
            guard let end = gate.process.reap() else { return }
            stopHearing(gate, host)
            host.unwatch(gate.process.pidfd.rawValue)
            readLog(gate, host)
            if gate.process.isLogOpen { host.unwatch(gate.process.logDescriptor) }
            running[token] = nil
            connector.forget(token)
            leaveOrders(of: token, gate, host)
            ended(gate, end, host)
        }
    }

    private func hear(_ token: UInt64, _ gate: Running, _ now: Int, _ host: some GateHost) {
        do throws(IPCError) {
            guard let incoming = try gate.process.channel.receive(FromGate.self) else { return }
            switch incoming.message {
            case .ready(let abi):
                guard !gate.isReady else { return kill(token, gate, "it sent a message out of turn", host) }
                gate.isReady = true
                gate.startDeadline = nil
                host.log(
                    gate.connection, .info, "gate ready",
                    [
                        "connection": .number(Int(gate.connection)), "pid": .number(Int(gate.process.pid)),
                        "landlock_abi": .number(Int(abi)),
                    ])
            case .connect(let index, let policy):
                guard gate.isReady, connector.count(of: token) < FromGate.maximumConnects else {
                    return kill(token, gate, "it sent a message out of turn", host)
                }
                connect(token, gate, nil, index, policy, incoming.requestID, now, host)
            case .open(let report, let index, let policy):
                guard gate.isReady, connector.count(of: token) < FromGate.maximumConnects else {
                    return kill(token, gate, "it sent a message out of turn", host)
                }
                connect(token, gate, report, index, policy, incoming.requestID, now, host)
            case .admit(let report, let policy):
                guard gate.isReady else { return kill(token, gate, "it sent a message out of turn", host) }
                admit(token, gate, report, policy, incoming.requestID, host)
            case .refused(let report, let rule):
                guard gate.isReady else { return kill(token, gate, "it sent a message out of turn", host) }
                pause(gate, host.reported(report, refusedBy: rule, by: gate.connection).pausedUntil, host)
                send(.noted, incoming.requestID, nil, to: token, host)
            case .opened(_, _, let policy):
                gate.sessions += 1
                guard gate.sessions <= gate.connections, policy <= number else {
                    return kill(token, gate, "it told of a session that there cannot be", host)
                }
            case .sshConnected:
                guard gate.sshConnections > 0 else { return kill(token, gate, "it sent a message out of turn", host) }
                gate.sshConnections -= 1
                host.sshConnected(gate.connection)
            case .policyTaken(let policy):
                guard policy <= number else {
                    return kill(token, gate, "it named a policy that there is not", host)
                }
                if policy == number { gate.policyDeadline = nil }
            case .violation(let what):
                guard gate.isReady else { return kill(token, gate, "it sent a message out of turn", host) }
                host.violated(gate.connection, what)
            case .forward(let outcome):
                guard orders[incoming.requestID]?.gate == token else {
                    return kill(token, gate, "it sent a message out of turn", host)
                }
                settle(incoming.requestID, outcome, host)
            }
        } catch .closed {
            // How it ended is told by its pidfd; one that only hears nothing any more is ended here.
            end(token, gate, host)
        } catch {
            kill(token, gate, "it broke the protocol (\(error))", host)
        }
    }

    /// - Parameter report: what a session is for. Only what may be opened gets as far as its ControlMaster, and it is written
    ///   down before.
    private func connect(
        _ token: UInt64, _ gate: Running, _ report: GateReport?, _ index: UInt32, _ policy: UInt32,
        _ requestID: UInt32, _ now: Int, _ host: some GateHost
    ) {
        let asker = MasterConnector.Asker(gate: token, purpose: .request(requestID))
        guard isInForce(policy, token, gate, requestID, host) else { return }
        guard Int(index) < sockets.count else { return kill(token, gate, "it named a host that there is not", host) }
        if let report {
            guard isAdmitted(report, token, gate, requestID, host) else { return }
        }
        switch connector.connect(to: sockets[Int(index)], for: asker, now: now) {
        case .started(let started): host.watch(started.pidfd, .connect, started.token)
        case .failed(let failure): tell(asker, failure, host)
        }
    }

    /// A gate may open this over a connection that it has.
    private func admit(
        _ token: UInt64, _ gate: Running, _ report: GateReport, _ policy: UInt32, _ requestID: UInt32,
        _ host: some GateHost
    ) {
        guard isInForce(policy, token, gate, requestID, host),
            isAdmitted(report, token, gate, requestID, host)
        else { return }
        send(.noted, requestID, nil, to: token, host)
    }

    /// Whether the policy of this number is the one in force. A gate that names another hears so.
    private func isInForce(
        _ policy: UInt32, _ token: UInt64, _ gate: Running, _ requestID: UInt32, _ host: some GateHost
    ) -> Bool {
        if policy > number {
            kill(token, gate, "it named a policy that there is not", host)
        } else if policy < number {
            // It has the new policy by the time that it reads this.
            send(.notConnected(.otherPolicy), requestID, nil, to: token, host)
        }
        return policy == number
    }

    /// Writes down what a session is for.
    /// - Returns: whether it may be opened. A gate that may not hears so.
    private func isAdmitted(
        _ report: GateReport, _ token: UInt64, _ gate: Running, _ requestID: UInt32, _ host: some GateHost
    ) -> Bool {
        let heard = host.reported(report, refusedBy: nil, by: gate.connection)
        pause(gate, heard.pausedUntil, host)
        if !heard.isAdmitted { send(.notConnected(.noCall), requestID, nil, to: token, host) }
        return heard.isAdmitted
    }

    private func connected(_ token: UInt64, _ host: some GateHost) {
        guard let ended = connector.ended(token) else { return }
        let asker = ended.asker
        switch ended.take() {
        case .failed(let failure): tell(asker, failure, host)
        case .connected(let socket):
            switch asker.purpose {
            case .request(let id):
                running[asker.gate]?.connections += 1
                send(.connected, id, consume socket, to: asker.gate, host)
            case .order(let number):
                guard let order = orders[number] else { return }
                send(.forward(order.order), number, consume socket, to: asker.gate, host)
            }
        }
    }

    private func tell(_ asker: MasterConnector.Asker, _ failure: ConnectFailure, _ host: some GateHost) {
        switch asker.purpose {
        case .request(let id): send(.notConnected(failure), id, nil, to: asker.gate, host)
        case .order(let number): settle(number, .down(failure.down ?? .hung), host)
        }
    }

    private func send(
        _ message: ToGate, _ requestID: UInt32, _ descriptor: consuming OwnedFD?, to token: UInt64,
        _ host: some GateHost
    ) {
        guard let gate = running[token], gate.killedBecause == nil, !gate.isReleased else { return }
        do throws(IPCError) {
            try gate.process.channel.send(message, requestID: requestID, descriptor: descriptor)
        } catch .closed {
            // It is ending; the pidfd tells how.
        } catch {
            kill(token, gate, "it does not take messages (\(error))", host)
        }
    }

    private func readLog(_ gate: Running, _ host: some GateHost) {
        guard gate.process.isLogOpen else { return }
        for line in gate.process.readLog() {
            host.log(
                gate.connection, .warning, "gate said",
                ["connection": .number(Int(gate.connection)), "text": .text(line)])
        }
        if !gate.process.isLogOpen { host.unwatch(gate.process.logDescriptor) }
    }

    // MARK: Ends

    private func kill(_ token: UInt64, _ gate: Running, _ reason: String, _ host: some GateHost) {
        guard gate.killedBecause == nil else { return }
        gate.killedBecause = reason
        end(token, gate, host)
    }

    private func end(_ token: UInt64, _ gate: Running, _ host: some GateHost) {
        stopHearing(gate, host)
        connector.forget(token)
        gate.process.kill()
    }

    private func stopHearing(_ gate: Running, _ host: some GateHost) {
        if gate.isHeard, gate.pausedUntil == nil { host.unwatch(gate.process.channel.rawValue) }
        gate.isHeard = false
    }

    /// Takes no messages of a gate until this time. They stay in its channel.
    private func pause(_ gate: Running, _ until: Int?, _ host: some GateHost) {
        guard let until, gate.isHeard else { return }
        if gate.pausedUntil == nil { host.unwatch(gate.process.channel.rawValue) }
        gate.pausedUntil = until
    }

    private func ended(_ gate: Running, _ end: ProcessEnd, _ host: some GateHost) {
        // A gate that failed is told although its worker has ended for that: SIGKILL comes too late for such a one.
        guard !gate.isReleased || !gate.isReady && end != .signalled(UInt8(SIGKILL)) else { return }
        let (level, how) =
            gate.killedBecause.map { (LogLevel.warning, "killed: \($0)") } ?? (.error, "\(end)")
        host.log(
            gate.connection, level, "gate ended",
            ["how": .text(how), "connection": .number(Int(gate.connection)), "pid": .number(Int(gate.process.pid))])
        if !gate.isReady { host.gateFailed(gate.connection) }
        if !gate.isReleased { host.gateEnded(gate.connection, how: how, wasReady: gate.isReady) }
    }
}
