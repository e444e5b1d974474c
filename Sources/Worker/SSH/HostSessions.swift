public import IPC

/// All that runs on one host through its ControlMaster.
public final class HostSessions: Sendable {
    /// Timers of one command.
    private enum Bound {
        static let deadline = 0
        static let linger = 1
        static let giveUp = 2
        static let retry = 3
        static let begin = 4
    }

    /// The two streams of one attempt.
    private struct Streams: Sendable {
        var out: MarkedStream
        var err: MarkedStream

        /// The command's last output went to stderr.
        var endsInError = false
        /// When its start and its end were told.
        var began: ContinuousClock.Instant?
        var finished: ContinuousClock.Instant?

        /// What the marks of standard error have told, which come on standard output where something on the host sends
        /// both there; those of standard output where it takes standard error away.
        var marks: MarkedStream.Marks {
            out.marks.isJoined || !err.marks.started && out.marks.started ? out.marks : err.marks
        }

        /// The command has ended, and both streams have told it.
        var ended: Bool {
            if out.marks.isJoined || err.marks.isJoined { return marks.exitStatus != nil }
            return out.marks.ended && err.marks.ended
        }
        var lastLine: String { (endsInError ? err : out).window.lastLine }
    }

    /// One attempt's end.
    private struct Attempt {
        var timedOut = false
        /// It was given up before the command told its start.
        var isLate = false
        var cancelled = false
        var background = false
        /// It was stopped, and its output stayed open: something that found its way out of its tree holds it.
        var outputHeld = false
        /// What came of stopping it.
        var answer: TreeStop.Answer?
        /// How `ssh` ended, where it did by itself.
        var end: ChildEnd?
    }

    let host: PolicySnapshot.Host
    let sshPath: String
    let master: MasterSessions
    var budget: SessionBudget { master.budget }

    /// Sessions on `host`, which share `master` with all others that go through its socket.
    public init(host: PolicySnapshot.Host, sshPath: String, master: MasterSessions) {
        self.host = host
        self.sshPath = sshPath
        self.master = master
    }

    /// Runs a command to its end, or until its timeout or the task's cancellation; then its remote processes are stopped.
    public func run(_ request: ExecRequest) async throws(ExecFailure) -> ExecOutput {
        let nonce = Nonce.make()
        let line = Observer.line(
            nonce: nonce, command: request.command, directory: Self.directory(request.directory),
            tree: request.tree, inPOSIXShell: request.inPOSIXShell, environment: request.environment,
            within: request.timeout)
        guard line.utf8.count <= Observer.maximumLine else {
            throw .tooLong(bytes: line.utf8.count, limit: Observer.maximumLine)
        }
        try failWhereStartupHangs()
        try await meetMaster()
        let events = AsyncStream.makeStream(of: SSHProcess.Event.self)
        let asked = ContinuousClock.now
        let outcome: Result<ExecOutput, ExecFailure>
        do throws(SessionBudget.NoPlace) {
            outcome = try await budget.withPlace(within: request.timeout, probe: probe) { place in
                // It may have been found out while this one waited.
                do throws(ExecFailure) { try self.failWhereStartupHangs() } catch { return .failure(error) }
                let left = request.timeout - (ContinuousClock.now - asked)
                // Detached: cancelling the call must stop the command, not the code that stops it.
                let work = Task.detached {
                    await self.attempts(request, timeout: left, in: place, nonce: nonce, line: line, events)
                }
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

    private func attempts(
        _ request: ExecRequest, timeout: Duration, in place: SessionBudget.Place, nonce: String, line: String,
        _ events: (stream: AsyncStream<SSHProcess.Event>, continuation: AsyncStream<SSHProcess.Event>.Continuation)
    ) async -> Result<ExecOutput, ExecFailure> {
        let deadline = Timer(timeout) { events.continuation.yield(.timer(Bound.deadline)) }
        defer { deadline.cancel() }
        var pause = Duration.milliseconds(20)
        while true {
            let streams = StreamBox(
                Streams(
                    out: MarkedStream(nonce: nonce, limit: request.outputLimit),
                    err: MarkedStream(nonce: nonce, limit: request.outputLimit)))
            let asked = ContinuousClock.now
            let attempt: Attempt
            do throws(SSHProcess.SpawnFailure) {
                attempt = try await once(request, in: place, nonce: nonce, line: line, streams, events)
            } catch {
                return .failure(.spawn(detail: error.detail))
            }
            let seen = streams.with { streams in
                streams.out.finish()
                streams.err.finish()
                return streams
            }
            if attempt.isLate { await leave(nonce) }
            if attempt.cancelled { return .failure(.cancelled(await verdict(attempt, seen, of: request))) }
            if attempt.isLate {
                let failure = StartupMemory.Failure(within: .now - asked, said: Self.said(seen))
                master.startup.hung(failure)
                return .failure(failure.told)
            }
            let refused = !seen.marks.started && Self.isRefusal(seen.err.preamble.output().text)
            guard refused else {
                return await judge(attempt, seen, of: request)
            }
            await budget.wasRefused(place)
            // sshd opened no session, so nothing can have run: another session may end before the deadline.
            if let failure = await waitForSession(in: place, attempt, pausing: &pause, events) {
                return .failure(failure)
            }
        }
    }

    /// Waits until a session that the host has refused may be tried again: `pause` at least, which grows.
    /// - Returns: why it is not tried again.
    private func waitForSession(
        in place: SessionBudget.Place, _ attempt: Attempt, pausing pause: inout Duration,
        _ events: (stream: AsyncStream<SSHProcess.Event>, continuation: AsyncStream<SSHProcess.Event>.Continuation)
    ) async -> ExecFailure? {
        if attempt.timedOut { return .noSession(await budget.refusal) }
        var iterator = events.stream.makeAsyncIterator()
        while true {
            let timer = Timer(pause) { events.continuation.yield(.timer(Bound.retry)) }
            defer { timer.cancel() }
            pause = min(pause * 2, .milliseconds(500))
            waiting: while let event = await iterator.next() {
                switch event {
                case .timer(Bound.retry): break waiting
                case .timer(Bound.deadline): return .noSession(await budget.refusal)
                case .cancelled: return .cancelled(.confirmed)
                case .timer, .ended, .commandStarted, .commandEnded, .stopped: continue
                }
            }
            if await budget.mayTryAgain(place) { return nil }
        }
    }

    private func once(
        _ request: ExecRequest, in place: SessionBudget.Place, nonce: String, line: String,
        _ streams: StreamBox<Streams>,
        _ events: (stream: AsyncStream<SSHProcess.Event>, continuation: AsyncStream<SSHProcess.Event>.Continuation)
    ) async throws(SSHProcess.SpawnFailure) -> Attempt {
        let attempt = StreamBox(Attempt())
        let started = ContinuousClock.now
        let ticker = request.report.map { report in
            Ticker(.milliseconds(500)) { report(ContinuousClock.now - started, streams.with(\.lastLine)) }
        }
        defer { ticker?.cancel() }
        let process = SSHProcess(path: sshPath, arguments: SSHInvocation.session(host, line: line))
        let input = HeldInput(request.input)
        @Sendable func take(_ update: (inout Streams) -> Void) {
            let (started, ended) = streams.with { streams in
                let before = (streams.marks.started, streams.ended)
                let (out, err) = (streams.out.window.total, streams.err.window.total)
                update(&streams)
                if streams.out.window.total > out { streams.endsInError = false }
                if streams.err.window.total > err { streams.endsInError = true }
                let now = (streams.marks.started && !before.0, streams.ended && !before.1)
                if now.0 { streams.began = .now }
                if now.1 { streams.finished = .now }
                return now
            }
            if started {
                input.commandStarted()
                events.continuation.yield(.commandStarted)
            }
            if ended { events.continuation.yield(.commandEnded) }
        }
        _ = try await process.run(
            input: input, events: events, stdout: { chunk in take { $0.out.append(chunk) } },
            stderr: { chunk in take { $0.err.append(chunk) } },
            control: { iterator in
                await self.watch(&iterator, events.continuation, in: place, nonce: nonce, streams, attempt)
            })
        return attempt.value
    }

    /// Waits for the command's end, and stops it where the time runs out or the caller cancels.
    private func watch(
        _ events: inout AsyncStream<SSHProcess.Event>.Iterator,
        _ continuation: AsyncStream<SSHProcess.Event>.Continuation, in place: SessionBudget.Place, nonce: String,
        _ streams: StreamBox<Streams>, _ attempt: StreamBox<Attempt>
    ) async -> ChildEnd? {
        enum Phase {
            case running
            /// The time is over, and the command has not told its start.
            case late
            case stopping
            case stopped
        }
        let asked = ContinuousClock.now
        let late = Timer(Self.beginning) { continuation.yield(.timer(Bound.begin)) }
        defer { late.cancel() }
        var phase = Phase.running
        var end: ChildEnd?
        var timer: Timer?
        defer { timer?.cancel() }
        func arm(_ bound: Int, after duration: Duration) {
            timer?.cancel()
            timer = Timer(duration) { continuation.yield(.timer(bound)) }
        }
        func stop() {
            timer?.cancel()
            guard let processID = streams.with({ $0.marks.processID }) else {
                continuation.yield(.stopped(nil))
                return
            }
            Task {
                let answer = await master.stops.answer(
                    for: ObserverID(processID: processID, nonce: nonce), stop: { await self.stopBatch($0) })
                continuation.yield(.stopped(answer))
            }
        }
        while let event = await events.next() {
            switch event {
            case .ended(let how):
                end = how
                attempt.with { $0.end = how }
                // Of one that is being stopped, something may live on that holds none of its streams.
                if phase != .stopping || streams.with({ $0.marks.stopped }) == .confirmed { return how }
            case .timer(Bound.giveUp):
                attempt.with { $0.outputHeld = phase == .stopping || phase == .stopped }
                if phase == .late { attempt.with { $0.isLate = true } }
                return nil
            case .timer(Bound.begin):
                // Another attempt's timer may come here.
                guard phase == .running, .now - asked >= Self.beginning, !streams.with({ $0.marks.started }) else {
                    continue
                }
                attempt.with { $0.isLate = true }
                return nil
            case .commandEnded:
                switch phase {
                case .running:
                    // A process left behind may hold the streams open for ever; the command itself is done.
                    arm(Bound.linger, after: .milliseconds(500))
                case .late, .stopping, .stopped:
                    // The watchdog has seen to the rest.
                    if streams.with({ $0.marks.stopped }) == .confirmed {
                        arm(Bound.giveUp, after: Self.endOfOutput)
                    }
                }
            case .timer(Bound.linger):
                guard phase == .running else { continue }
                attempt.with { $0.background = true }
                return nil
            case .timer(Bound.deadline), .cancelled:
                if case .cancelled = event { attempt.with { $0.cancelled = true } }
                guard phase == .running else { continue }
                if case .timer = event {
                    if streams.with({ $0.ended }) { continue }
                    attempt.with { $0.timedOut = true }
                }
                if streams.with({ $0.marks.started }) {
                    phase = .stopping
                    stop()
                } else {
                    // The session may be opening just now: without the mark of its start there is no way to stop it.
                    phase = .late
                    arm(Bound.giveUp, after: .seconds(5))
                }
            case .commandStarted:
                await budget.opened(place)
                startupWorks()
                guard phase == .late else { continue }
                phase = .stopping
                stop()
            case .stopped(let answer):
                phase = .stopped
                attempt.with { $0.answer = answer }
                if let end { return end }
                // Its last words, and the end of the streams.
                arm(Bound.giveUp, after: answer == nil ? .milliseconds(500) : Self.endOfOutput)
            case .timer: continue
            }
        }
        return nil
    }

    /// Stops commands over a session of its own. Where sshd has none free, commands that end, or that are being stopped,
    /// free one: so it is asked again for a while.
    private func stopBatch(_ observers: [ObserverID]) async -> [ObserverID: TreeStop.Answer] {
        let arguments = SSHInvocation.session(host, line: TreeStop.line(observers))
        let deadline = ContinuousClock.now + .seconds(8)
        while true {
            let left = deadline - ContinuousClock.now
            guard left > .zero else { return [:] }
            await budget.stopBegins()
            let answer = try? await SSHProcess.collect(path: sshPath, arguments: arguments, limit: left)
            guard let answer else {
                await budget.stopEnded(tookSession: true)
                return [:]
            }
            let isRefused = Self.isRefusal(answer.stderr)
            await budget.stopEnded(tookSession: !isRefused)
            guard isRefused else { return TreeStop.answers("\(answer.stdout)\n\(answer.stderr)") }
            await budget.wasRefused(nil)
            await Timer.pause(.milliseconds(100))
        }
    }

    /// How long the end of the output may take where the host has seen that nothing of a command is left.
    private static let endOfOutput = Duration.seconds(2)

    /// How sure it is that nothing of a command runs that was to be stopped.
    private func verdict(_ attempt: Attempt, _ streams: Streams, of request: ExecRequest) async -> StopVerdict {
        let verdict = Self.verdict(attempt, streams)
        // The host itself ends what began, soon after its time.
        if verdict != .confirmed, let began = streams.began {
            await budget.leftRunning(until: began + request.timeout + .seconds(5))
        }
        return verdict
    }

    private static func verdict(_ attempt: Attempt, _ streams: Streams) -> StopVerdict {
        let watchdog = streams.marks.stopped
        // A process in a session of its own, whose parent had ended, is not among those that the host found.
        func unlessHeld() -> StopVerdict { attempt.outputHeld ? .signalled : .confirmed }
        switch attempt.answer {
        case .confirmed: return unlessHeld()
        case .signalled, .left: return .signalled
        case .gone, nil:
            switch watchdog {
            case .confirmed: return unlessHeld()
            case .signalled: return .signalled
            case .unknown, nil:
                // The end that the observer told, and nothing found of it.
                return attempt.answer == .gone && streams.marks.ended ? unlessHeld() : .unknown
            }
        }
    }

    /// Whether the command told its end, and nothing was there to be stopped.
    private static func endedItself(_ attempt: Attempt, _ streams: Streams) -> Bool {
        guard streams.marks.ended && streams.marks.stopped == nil else { return false }
        switch attempt.answer {
        case .gone, .left: return true
        case .confirmed, .signalled, nil: return false
        }
    }

    /// What was printed before the start of the command, or in its place.
    private static func said(_ streams: Streams) -> String {
        trimmed([streams.err, streams.out].map { $0.preamble.output().text }.joined(separator: "\n"))
    }

    private func judge(
        _ attempt: Attempt, _ streams: Streams, of request: ExecRequest
    ) async -> Result<ExecOutput, ExecFailure> {
        let marks = streams.marks
        // What has not begun has not timed out.
        let timedOut =
            marks.started && (attempt.timedOut || marks.stopped != nil) && !Self.endedItself(attempt, streams)
        if !timedOut && !marks.ended {
            for stream in [streams.err, streams.out] {
                if stream.marks.directoryOutside { return .failure(.outside) }
                if stream.marks.directoryFailed {
                    return .failure(.directory(detail: Self.lastLine(stream.preamble)))
                }
            }
            let master = await check()
            if !marks.started {
                let said = Self.said(streams)
                switch master {
                case .alive:
                    switch attempt.end {
                    case .signalled, .unseen:
                        return .failure(.sshEnded(detail: "ssh (\(sshPath)) \(attempt.end ?? .unseen)"))
                    case .exited(let status): return .failure(.notStarted(status: status, detail: said))
                    case nil: return .failure(.notStarted(status: nil, detail: said))
                    }
                case .dead(let detail):
                    // Where ssh had reached the master, the mark of a start may have been lost with the connection.
                    guard SSHProcess.hasTriedToConnect(said) else { return .failure(.lost(output: "")) }
                    return .failure(.masterDead(detail: detail))
                case .unusable(let detail): return .failure(.spawn(detail: detail))
                }
            }
            guard master == .alive else {
                return .failure(.lost(output: String(streams.out.window.output().text.suffix(1000))))
            }
        }
        // Where standard error is taken away on the host, the status comes by way of ssh alone.
        var status = marks.exitStatus
        if case .exited(let told) = attempt.end, marks.ended, status == nil { status = told }
        let now = ContinuousClock.now
        let stopped = timedOut ? await verdict(attempt, streams, of: request) : nil
        return .success(
            ExecOutput(
                stdout: streams.out.window.output(), stderr: streams.err.window.output(),
                exitCode: status ?? -1,
                signal: marks.signalled ? status.flatMap(SignalName.of(exitStatus:)) : nil,
                timedOut: timedOut, stopped: stopped,
                background: attempt.background || !timedOut && attempt.outputHeld,
                duration: (streams.finished ?? now) - (streams.began ?? now)))
    }

    /// What ssh prints where sshd's `MaxSessions` is reached; no mark of a start came with it.
    static func isRefusal(_ said: String) -> Bool { said.contains("Session open refused by peer") }

    /// Sessions start in the login directory, so `~` needs no expansion there. A relative path must not look like an
    /// option of `cd`, or like its `-`.
    private static func directory(_ path: String) -> String {
        if path == "~" { return "" }
        if path.hasPrefix("~/") { return "./" + path.dropFirst(2) }
        return path.isEmpty || path.hasPrefix("/") ? path : "./" + path
    }

    private static func lastLine(_ window: OutputWindow) -> String {
        trimmed(window.output().text.split(whereSeparator: \.isNewline).last.map(String.init) ?? "")
    }

    private static func trimmed(_ text: String) -> String {
        String(text.split(whereSeparator: \.isNewline).joined(separator: "; ").suffix(2000))
    }
}
