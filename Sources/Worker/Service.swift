internal import Dispatch
internal import Glibc
internal import IPC
internal import MCP
internal import Guard
internal import SSH
internal import Tools

/// The work of the worker after its confinement. It serves one client until the client, the supervisor or a drain ends that.
///
/// The process always ends by `_exit`, on any thread. `exit` would destroy what other threads still use (RE2's tables, queues), and
/// two calls of it at once are undefined, exit(3). Nothing needs to be flushed, because all output goes by write(2) and send(2).
enum Service {
    static func run(
        _ role: WorkerRole, policy: PolicySnapshot, client: Int32, supervisor: SupervisorLink
    ) async -> Never {
        switch role {
        case .serve: await serve(policy, client, supervisor)
        case .refuse(let refusal): await refuse(refusal.sentence, policy, client, supervisor)
        case .check: check(policy.patterns, supervisor)
        }
    }

    /// What each call that fails is told after the end of the gate.
    private static let gateEnded =
        "The daemon's program claude-ssh-gate, which speaks to ControlMasters, has ended, and with it this connection: connect "
        + "to this server again. If that does not mend it, ask the user to look into the daemon's log."

    private static func serve(_ policy: PolicySnapshot, _ client: Int32, _ supervisor: SupervisorLink) async -> Never {
        let seat = GateSeat()
        let sessions: any MasterGate =
            switch policy.transport {
            case .mux: seat
            case .ssh: SSHSessions(over: seat, program: policy.sshPath)
            }
        let toolbox = Toolbox(policy: policy, broker: supervisor, audit: supervisor, gate: sessions)
        let place = Place(patience: policy.clientWait) { supervisor.send(.life(.callWaited), $0) }
        let connection = ClientStream(descriptor: client)
        let server = Server(
            name: "claude-ssh-daemon", version: Version.text, tools: PlacedTools(toolbox, in: place),
            writer: connection,
            clientNamed: { supervisor.send(.life(.clientNamed($0))) })
        let turn = ClientTurn(supervisor)
        // The client is not served, or no longer.
        let giveUp: @Sendable (String, String) -> Void = { sentence, reason in
            if turn.answered(refusal: sentence) { return }
            Task {
                await server.close(telling: sentence)
                supervisor.send(.life(.clientDropped(reason: reason)))
                await Self.end(client, server, connection)
            }
        }
        supervisor.follow { message in
            switch message {
            case .policy(let new):
                place.wait(atMost: new.clientWait)
                if toolbox.update(new) { server.toolsChanged() }
            case .proceed(let gate):
                // The gate may still be starting, and the supervisor is heard meanwhile.
                DispatchQueue(label: "gate.first").async {
                    do throws(IPCError) {
                        try gate.awaitReady()
                    } catch {
                        return giveUp(ClientRefusal.noWorker(.gate).sentence, "its gate did not get ready")
                    }
                    seat.take(gate)
                    gate.follow { giveUp(gateEnded, "its gate ended") }
                    place.given()
                    turn.answered(refusal: nil)
                }
            case .wait: turn.answered(refusal: nil)
            case .refused(let refusal): giveUp(refusal.sentence, "it cannot be served")
            case .callRefused(let call, let refusal): place.refused(call, refusal.sentenceForCall)
            case .drain(let milliseconds):
                Task {
                    // Stopping remote commands may take this long. A little later the supervisor kills the worker.
                    DispatchQueue(label: "drain").asyncAfter(deadline: .now() + .milliseconds(Int(milliseconds))) {
                        _exit(0)
                    }
                    await server.close()
                    await connection.flush()
                    _exit(0)
                }
            }
        }
        let limit = policy.limits.maxRequestBytes
        let end = await connection.readLines(
            limit: limit, between: { turn.unheard() }, atEnd: { server.finishReceiving() }
        ) { line in
            if let reason = turn.refusal(of: line) {
                refuse(line, reason, connection)
            } else {
                server.receive(line)
            }
        }
        switch end {
        case .closed: supervisor.send(.life(.clientGone))
        case .lineTooLong(let limit, let line):
            server.refuseLine(line, limit: limit)
            supervisor.send(.life(.clientDropped(reason: "a line is longer than limits.max_request_bytes (\(limit))")))
        case .failed(let errno): supervisor.send(.life(.clientDropped(reason: "reading failed: errno \(errno)")))
        }
        await Self.end(client, server, connection)
    }

    /// What was answered already still goes out, to a client that only closed its sending half; then the conversation ends for the
    /// client, while remote commands are still being stopped.
    private static func end(
        _ client: Int32, _ server: Server<PlacedTools<Toolbox>>, _ connection: ClientStream
    ) async -> Never {
        let closing = Task { await server.close() }
        let impatience = DispatchQueue(label: "flush")
        impatience.asyncAfter(deadline: .now() + .seconds(1)) { shutdown(client, Int32(SHUT_RDWR)) }
        await connection.flush()
        shutdown(client, Int32(SHUT_RDWR))
        await closing.value
        _exit(0)
    }

    /// How many mistakes are reported. A socket's buffer must hold them, because they are read when this process has ended.
    private static let maximumMistakes = 20

    private static func check(_ patterns: [String], _ supervisor: SupervisorLink) -> Never {
        let mistakes = InjectionGuard.mistakes(in: patterns)
        for mistake in mistakes.prefix(maximumMistakes) {
            supervisor.send(.patterns(.invalid(index: UInt32(clamping: mistake.index), reason: mistake.reason)))
        }
        supervisor.send(.patterns(.checked(mistakes: UInt32(clamping: mistakes.count))))
        _exit(0)
    }

    private static func refuse(
        _ reason: String, _ policy: PolicySnapshot, _ client: Int32, _ supervisor: SupervisorLink
    ) async -> Never {
        let connection = ClientStream(descriptor: client)
        let turn = ClientTurn(supervisor)
        let limit = policy.limits.maxRequestBytes
        let end = await connection.readLines(limit: limit, between: { turn.unheard() }) { line in
            if refuse(line, reason, connection) { turn.heard() }
        }
        if case .lineTooLong(_, let line) = end {
            await connection.writeLater(isLarge: false) { RefusedClient.answer(to: line, reason: reason) }
        }
        _exit(0)
    }

    /// Answers a line of a client that is not served. If the line was a request, the process ends.
    /// - Returns: whether the line was a request.
    @discardableResult
    private static func refuse(_ line: [UInt8], _ reason: String, _ connection: ClientStream) -> Bool {
        guard let answer = RefusedClient.answer(to: line, reason: reason) else { return false }
        Task {
            await connection.writeLater(isLarge: false) { answer }
            _exit(0)
        }
        return true
    }
}
