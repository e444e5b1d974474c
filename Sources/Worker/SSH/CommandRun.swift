internal import IPC

/// Runs one command that has a place in the budget: opens a session for it, opens it again if the host had none free, and
/// waits for its end.
struct CommandRun: Sendable {
    let sessions: HostSessions
    let request: ExecRequest
    let nonce: String
    /// What the gate is asked, each time.
    let order: GateRequest
    let place: SessionBudget.Place
    /// What happens to it, one after the other for all its sessions.
    let events: SessionRun.Events

    private var budget: SessionBudget { sessions.budget }

    /// Runs the command to its end. If it has not ended within `timeout`, it is stopped.
    func result(within timeout: Duration) async -> Result<ExecOutput, ExecFailure> {
        let deadline = Timer(timeout) { events.continuation.yield(.timer(.deadline)) }
        defer { deadline.cancel() }
        var pause = Duration.milliseconds(20)
        while true {
            let box = StreamBox(CommandStreams(nonce: nonce, limit: request.outputLimit))
            let asked = ContinuousClock.now
            let attempt: CommandAttempt
            do throws(IPCError) {
                attempt = try await once(box)
            } catch {
                return .failure(.masterDown(.unavailable(errno: error.systemErrno)))
            }
            let streams = box.with { streams in
                streams.finish()
                return streams
            }
            if let reach = attempt.unanswered, !streams.marks.started {
                await sessions.leave(nonce)
                return .failure(attempt.cancelled ? .cancelled(.unknown) : .unanswered(reach, wasAsked: true))
            }
            if attempt.isLate { await sessions.leave(nonce) }
            if attempt.cancelled { return .failure(.cancelled(await stopVerdict(attempt, streams))) }
            if attempt.isLate {
                // The network may have died behind the host's last word.
                let reach = await sessions.responds()
                guard reach == .answers else { return .failure(.unanswered(reach, wasAsked: true)) }
                let failure = StartupMemory.Failure(within: .now - asked, said: streams.said)
                sessions.master.startup.hung(failure)
                return .failure(failure.told)
            }
            guard attempt.end == .notOpened(.byHost) else {
                return await judge(attempt, streams)
            }
            await budget.wasRefused(place)
            // sshd opened no session, so nothing has run, and the command may try again: another session may end in time.
            if let failure = await waitForSession(attempt, pausing: &pause) { return .failure(failure) }
        }
    }

    /// Waits, at least for `pause`, until the command may ask again for the session that the host has refused. The pause
    /// doubles each time, up to half a second.
    /// - Returns: why the command must not ask again; nil if it may.
    private func waitForSession(_ attempt: CommandAttempt, pausing pause: inout Duration) async -> ExecFailure? {
        if attempt.timedOut { return .noSession(await budget.refusal) }
        var iterator = events.stream.makeAsyncIterator()
        while true {
            let timer = Timer(pause) { events.continuation.yield(.timer(.retry)) }
            defer { timer.cancel() }
            pause = min(pause * 2, .milliseconds(500))
            waiting: while let event = await iterator.next() {
                switch event {
                case .timer(.retry): break waiting
                case .timer(.deadline): return .noSession(await budget.refusal)
                case .cancelled: return .cancelled(.confirmed)
                case .timer, .opened, .ended, .commandStarted, .commandEnded, .stopped: continue
                }
            }
            if await budget.mayTryAgain(place) { return nil }
        }
    }

    /// Opens one session for the command, and waits for the end of that session.
    private func once(_ streams: StreamBox<CommandStreams>) async throws(IPCError) -> CommandAttempt {
        let attempt = StreamBox(CommandAttempt())
        let started = ContinuousClock.now
        let ticker = request.report.map { report in
            Ticker(.milliseconds(500)) { report(ContinuousClock.now - started, streams.with(\.lastLine)) }
        }
        defer { ticker?.cancel() }
        let session = SessionRun(request: order, gate: sessions.gate, pulse: sessions.master.pulse)
        let input = HeldInput(request.input)
        @Sendable func take(_ chunk: ArraySlice<UInt8>, isError: Bool) {
            let told = streams.with { $0.append(chunk, isError: isError) }
            if told.started {
                input.commandStarted()
                events.continuation.yield(.commandStarted)
            }
            if told.ended { events.continuation.yield(.commandEnded) }
        }
        _ = try await session.run(
            input: input, events: events, stdout: { take($0, isError: false) }, stderr: { take($0, isError: true) },
            control: { iterator in
                let (end, seen) = await watch(&iterator, streams)
                attempt.with { $0 = seen }
                return end
            })
        return attempt.value
    }

    /// Waits for the command's end, and stops the command if the time runs out or the caller cancels.
    private func watch(
        _ iterator: inout AsyncStream<SessionRun.Event>.Iterator, _ streams: StreamBox<CommandStreams>
    ) async -> (end: SessionEnd.How?, attempt: CommandAttempt) {
        let asked = ContinuousClock.now
        var watch = CommandWatch(opened: asked)
        // Since when the host owes an answer; nil while it owes none: a command may be silent for as long as it likes.
        var owed: ContinuousClock.Instant? = asked
        var silence = silenceTimer()
        defer { silence.cancel() }
        let begin = Timer(HostSessions.beginning) { events.continuation.yield(.timer(.begin)) }
        defer { begin.cancel() }
        var timer: Timer?
        defer { timer?.cancel() }
        while let event = await iterator.next() {
            switch event {
            case .commandStarted:
                if streams.with(\.takesOneAtATime) { await budget.takesOneAtATime() }
                await budget.opened(place)
                sessions.startupWorks()
                sessions.takeNotice(exports: streams.with { $0.marks.exports })
            case .opened: owed = nil
            case .stopped: owed = nil
            case .timer(.silent):
                guard let since = owed else { continue }
                guard let reach = await unanswered(since: since) else {
                    silence = silenceTimer()
                    continue
                }
                owed = nil
                watch.give(up: reach)
                // A command that has begun is given up where it could not be stopped: its output so far is its result.
                guard streams.with({ $0.marks.started }) else { return (nil, watch.attempt) }
                events.continuation.yield(.stopped(nil))
                continue
            case .timer, .ended, .cancelled, .commandEnded: break
            }
            switch watch.take(event, streams.value, now: .now) {
            case .wait: continue
            case .arm(let which, let duration):
                timer?.cancel()
                timer = Timer(duration) { events.continuation.yield(.timer(which)) }
            case .stop:
                timer?.cancel()
                owed = .now
                silence.cancel()
                silence = silenceTimer()
                stop(streams.with { $0.marks.processID })
            case .leave(let end): return (end, watch.attempt)
            }
        }
        return (nil, watch.attempt)
    }

    private func silenceTimer() -> Timer {
        Timer(HostPulse.patience + sessions.gate.delay) { events.continuation.yield(.timer(.silent)) }
    }

    /// What there is to say of a host of which nothing came since then; nil where something came.
    private func unanswered(since: ContinuousClock.Instant) async -> HostSessions.Reach? {
        let pulse = sessions.master.pulse
        // What comes on other sessions shows that the host is there, and that this one waits behind them.
        guard !pulse.hasHeard(since: since), !pulse.isFresh else { return nil }
        let state = await sessions.masterState()
        guard !pulse.hasHeard(since: since) else { return nil }
        return switch state {
        case .alive: .silent
        case .down(let why): .masterDown(why)
        }
    }

    /// Asks the host to stop the command. The answer arrives as an event.
    private func stop(_ processID: UInt32?) {
        guard let processID else {
            events.continuation.yield(.stopped(nil))
            return
        }
        Task {
            let answer = await sessions.master.stops.answer(
                for: ObserverID(processID: processID, nonce: nonce), stop: { await sessions.stopBatch($0) })
            events.continuation.yield(.stopped(answer))
        }
    }
}
