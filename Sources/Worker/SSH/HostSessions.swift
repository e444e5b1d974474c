internal import Exec
public import IPC
internal import Synchronization

/// Runs commands and keeps channels open on one host through its ControlMaster.
public final class HostSessions: Sendable {
    let host: PolicySnapshot.Host
    let sshPath: String
    let master: MasterSessions
    let gate: any MasterGate
    /// Whether `current` made this object, so that its `master` stays as it is.
    let isCurrent: Bool
    /// The master whose shortages this object was told to listen to.
    let listening = Mutex<ObjectIdentifier?>(nil)
    /// What the gate was told of the shell that reads lines there.
    let exports: StreamBox<Bool>
    var budget: SessionBudget { master.budget }
    /// The only way to the host's files, where its config names one.
    public var fileTransport: FileTransport? { host.fileTransport }

    /// Sessions on `host`. They share `master` with every other name of the config that leads to the same socket.
    public init(host: PolicySnapshot.Host, sshPath: String, master: MasterSessions, gate: any MasterGate) {
        self.host = host
        self.sshPath = sshPath
        self.master = master
        self.gate = gate.opening(host)
        exports = StreamBox(false)
        isCurrent = false
    }

    init(current master: MasterSessions, of sessions: HostSessions) {
        host = sessions.host
        sshPath = sessions.sshPath
        gate = sessions.gate
        exports = sessions.exports
        self.master = master
        isCurrent = true
    }

    /// Runs a command to its end. If its time limit passes or the task is cancelled, its processes on the host are stopped.
    /// - Throws: why there is no result.
    public func run(_ request: ExecRequest) async throws(ExecFailure) -> ExecOutput {
        let nonce = Nonce.make(marked: gate.mark)
        let command = GateCommand(
            host: host.name, command: request.command, directory: request.directory,
            environment: request.environment, seconds: UInt32(clamping: request.timeout.components.seconds),
            nonce: nonce, call: CallInHand.number)
        guard let orders = command.requests else {
            throw .tooLong(bytes: command.size, limit: GateCommand.maximumWords)
        }
        let there = try met(try await judged(orders.judge, request))
        return try await there.runThere(request, orders.exec, nonce)
    }

    private func runThere(
        _ request: ExecRequest, _ order: GateRequest, _ nonce: String
    ) async throws(ExecFailure) -> ExecOutput {
        try failWhereStartupHangs()
        let events = AsyncStream.makeStream(of: SessionRun.Event.self)
        let asked = ContinuousClock.now
        let outcome: Result<ExecOutput, ExecFailure>
        do throws(SessionBudget.NoPlace) {
            outcome = try await budget.withPlace(within: request.timeout, probe: probe) { place in
                // Another command may have seen the login shell hang while this one waited.
                do throws(ExecFailure) { try self.failWhereStartupHangs() } catch { return .failure(error) }
                let left = request.timeout - (ContinuousClock.now - asked)
                let run = CommandRun(
                    sessions: self, request: request, nonce: nonce, order: order, place: place, events: events)
                // Detached, so that a cancelled call stops the command and not the code that stops the command.
                let work = Task.detached { await run.result(within: left) }
                return await withTaskCancellationHandler {
                    await work.value
                } onCancel: {
                    events.continuation.yield(.cancelled)
                }
            }
        } catch {
            switch error {
            case .timedOut(let shortage): throw await noPlace(shortage)
            case .cancelled: throw .cancelled(.confirmed)
            }
        }
        return try outcome.get()
    }
}

extension HostSessions {
    /// Why nobody got a place in time: a host that says nothing holds up all who wait, whatever its limits are.
    func noPlace(_ shortage: SessionShortage) async -> ExecFailure {
        guard !master.pulse.isFresh else { return .noSession(shortage) }
        let reach = await reach()
        return reach == .answers ? .noSession(shortage) : .unanswered(reach, wasAsked: false)
    }

    /// The same host with the master that answers at its socket now. Each piece of work asks for this once and keeps it, so that it
    /// gives its places back to the budget that it took them from.
    ///
    /// Throws where no ControlMaster answers: nothing is begun then. Anything may listen at its socket, and what takes a
    /// connection and says nothing would hold a command until its timeout, with an outcome that nobody knows.
    func met() async throws(ExecFailure) -> HostSessions { try met(await masterState()) }

    /// The same, by what was just seen of the master.
    func met(_ state: MasterState) throws(ExecFailure) -> HostSessions {
        switch state {
        case .alive(let processID):
            guard let registry = master.registry, !isCurrent else { return self }
            return HostSessions(current: registry.sessions(of: processID, host.master, own: master), of: self)
        case .down(let why): throw .masterDown(why)
        }
    }

    /// The same, or this where no ControlMaster answers.
    var current: HostSessions {
        get async {
            do throws(ExecFailure) { return try await met() } catch { return self }
        }
    }
}
