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
    /// The gate of a connection has ended, and its worker has not.
    func gateEnded(_ connection: ConnectionTable.ID, how: String)
}

/// The gates of all workers, one beside each that serves. They are started, given connections to ControlMasters and reaped here.
final class Gates {
    /// What is watched: of a gate, or of a process that connects for one.
    enum Source { case process, channel, log, connect }

    private final class Running {
        let connection: ConnectionTable.ID
        let process: GateProcess
        var isReady = false
        /// Why it was ended, where that was not with its worker.
        var killedBecause: String?
        /// Its worker has ended, or is ending: nobody needs to hear of its end.
        var isReleased = false
        /// Its channel is watched.
        var isHeard = true
        /// Connections to ControlMasters that it was given, and those of them that became sessions.
        var connections = 0
        var sessions = 0

        init(connection: ConnectionTable.ID, process: GateProcess) {
            self.connection = connection
            self.process = process
        }
    }

    private let program: String
    private let connector = MasterConnector()
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
    var nextDeadline: Int? { connector.nextDeadline }

    /// What is started from now on works by this policy, and so do those that run.
    /// - Parameter sealed: the same.
    func configure(_ policy: PolicySnapshot, sealed: borrowing OwnedFD, _ host: some GateHost) {
        sockets = policy.hosts.map(\.master.socket)
        number &+= 1
        for (token, gate) in running where gate.killedBecause == nil && !gate.isReleased {
            do throws(IPCError) {
                try gate.process.channel.send(ToGate.policy(number), descriptor: sealed.duplicateForChild())
            } catch {
                // It would judge by what held before.
                kill(token, gate, "it does not take messages (\(error))", host)
            }
        }
    }

    /// Starts the gate of a connection.
    /// - Returns: the worker's end of the channel between the two.
    func start(
        _ connection: ConnectionTable.ID, policy: borrowing OwnedFD, _ host: some GateHost
    ) throws(StartError) -> OwnedFD {
        var workerEnd: OwnedFD?
        let process = try GateProcess.start(program: program, policy: policy, number: number) { end in
            workerEnd = consume end
        }
        let token = nextToken
        nextToken += 1
        running[token] = Running(connection: connection, process: process)
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
            end(token, gate, host)
        }
    }

    /// The daemon ends.
    func endAll() {
        for gate in running.values { gate.process.kill() }
    }

    /// Gives up connections that last too long.
    func advance(now: Int, _ host: some GateHost) {
        for asker in connector.advance(now: now) { tell(asker, .hung, host) }
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
                connect(token, gate, index, policy, incoming.requestID, now, host)
            case .opened(_, _, let policy):
                gate.sessions += 1
                guard gate.sessions <= gate.connections, policy <= number else {
                    return kill(token, gate, "it told of a session that there cannot be", host)
                }
            case .violation(let what):
                guard gate.isReady else { return kill(token, gate, "it sent a message out of turn", host) }
                host.violated(gate.connection, what)
            }
        } catch .closed {
            // How it ended is told by its pidfd; one that only hears nothing any more is ended here.
            end(token, gate, host)
        } catch {
            kill(token, gate, "it broke the protocol (\(error))", host)
        }
    }

    private func connect(
        _ token: UInt64, _ gate: Running, _ index: UInt32, _ policy: UInt32, _ requestID: UInt32, _ now: Int,
        _ host: some GateHost
    ) {
        let asker = MasterConnector.Asker(gate: token, requestID: requestID)
        guard policy == number else {
            // It has the new policy by the time that it reads this.
            guard policy < number else { return kill(token, gate, "it named a policy that there is not", host) }
            return tell(asker, .otherPolicy, host)
        }
        guard Int(index) < sockets.count else { return kill(token, gate, "it named a host that there is not", host) }
        switch connector.connect(to: sockets[Int(index)], for: asker, now: now) {
        case .started(let started): host.watch(started.pidfd, .connect, started.token)
        case .failed(let failure): tell(asker, failure, host)
        }
    }

    private func connected(_ token: UInt64, _ host: some GateHost) {
        guard let ended = connector.ended(token) else { return }
        let asker = ended.asker
        switch ended.take() {
        case .failed(let failure): tell(asker, failure, host)
        case .connected(let socket):
            running[asker.gate]?.connections += 1
            send(.connected, consume socket, to: asker, host)
        }
    }

    private func tell(_ asker: MasterConnector.Asker, _ failure: ConnectFailure, _ host: some GateHost) {
        send(.notConnected(failure), nil, to: asker, host)
    }

    private func send(
        _ message: ToGate, _ descriptor: consuming OwnedFD?, to asker: MasterConnector.Asker, _ host: some GateHost
    ) {
        guard let gate = running[asker.gate], gate.killedBecause == nil, !gate.isReleased else { return }
        do throws(IPCError) {
            try gate.process.channel.send(message, requestID: asker.requestID, descriptor: descriptor)
        } catch .closed {
            // It is ending; the pidfd tells how.
        } catch {
            kill(asker.gate, gate, "it does not take messages (\(error))", host)
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
        if gate.isHeard { host.unwatch(gate.process.channel.rawValue) }
        gate.isHeard = false
    }

    private func ended(_ gate: Running, _ end: ProcessEnd, _ host: some GateHost) {
        guard !gate.isReleased else { return }
        let (level, how) =
            gate.killedBecause.map { (LogLevel.warning, "killed: \($0)") } ?? (.error, "\(end)")
        host.log(
            gate.connection, level, "gate ended",
            ["how": .text(how), "connection": .number(Int(gate.connection)), "pid": .number(Int(gate.process.pid))])
        host.gateEnded(gate.connection, how: how)
    }
}
