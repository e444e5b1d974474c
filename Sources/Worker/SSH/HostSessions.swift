public import IPC
internal import Synchronization

/// All that runs on one host through its ControlMaster. `CommandRun` sees one command to its end.
public final class HostSessions: Sendable {
    let host: PolicySnapshot.Host
    let sshPath: String
    let master: MasterSessions
    let gate: any MasterGate
    /// It is what `current` gave.
    let isCurrent: Bool
    /// The master whose shortages are listened to.
    let listening = Mutex<ObjectIdentifier?>(nil)
    var budget: SessionBudget { master.budget }

    /// Sessions on `host`, which share `master` with all others that go through its socket.
    public init(host: PolicySnapshot.Host, sshPath: String, master: MasterSessions, gate: any MasterGate) {
        self.host = host
        self.sshPath = sshPath
        self.master = master
        self.gate = gate
        isCurrent = false
    }

    init(current master: MasterSessions, of sessions: HostSessions) {
        host = sessions.host
        sshPath = sessions.sshPath
        gate = sessions.gate
        self.master = master
        isCurrent = true
    }

    /// Runs a command to its end, or until its timeout or the task's cancellation; then its remote processes are stopped.
    public func run(_ request: ExecRequest) async throws(ExecFailure) -> ExecOutput {
        try await current.runThere(request)
    }

    private func runThere(_ request: ExecRequest) async throws(ExecFailure) -> ExecOutput {
        let nonce = Nonce.make()
        let command = GateCommand(
            host: host.name, command: request.command, directory: request.directory,
            environment: request.environment, seconds: UInt32(clamping: request.timeout.components.seconds),
            nonce: nonce)
        guard let order = command.request else {
            throw .tooLong(bytes: command.size, limit: GateCommand.maximumWords)
        }
        try failWhereStartupHangs()
        try await meetMaster()
        let events = AsyncStream.makeStream(of: SessionRun.Event.self)
        let asked = ContinuousClock.now
        let outcome: Result<ExecOutput, ExecFailure>
        do throws(SessionBudget.NoPlace) {
            outcome = try await budget.withPlace(within: request.timeout, probe: probe) { place in
                // It may have been found out while this one waited.
                do throws(ExecFailure) { try self.failWhereStartupHangs() } catch { return .failure(error) }
                let left = request.timeout - (ContinuousClock.now - asked)
                let run = CommandRun(
                    sessions: self, request: request, nonce: nonce, order: order, place: place, events: events)
                // Detached: cancelling the call must stop the command, not the code that stops it.
                let work = Task.detached { await run.result(within: left) }
                return await withTaskCancellationHandler {
                    await work.value
                } onCancel: {
                    events.continuation.yield(.cancelled)
                }
            }
        } catch {
            switch error {
            case .timedOut(let shortage): throw .noSession(shortage)
            case .cancelled: throw .cancelled(.confirmed)
            }
        }
        return try outcome.get()
    }
}
