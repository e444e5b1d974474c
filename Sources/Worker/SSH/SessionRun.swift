internal import IPC

/// One session of the gate that is seen to its end: a command, or a line of the gate's own.
struct SessionRun: Sendable {
    /// What the timers of whoever controls a session are for.
    enum Bound: Sendable {
        /// Its time is over.
        case deadline
        /// Its command should have told its start.
        case begin
        /// Its command has ended, and its streams stay open.
        case linger
        /// Nobody waits any longer.
        case giveUp
        /// A session that was refused may be asked for again.
        case retry
        /// The host should have said something by then.
        case silent
    }

    /// What happens to a session, for whoever controls it.
    enum Event: Sendable {
        /// The host has opened it.
        case opened
        /// It and its streams have ended.
        case ended(SessionEnd.How)
        /// A timer of the controller ran out.
        case timer(Bound)
        /// The controller's caller was cancelled.
        case cancelled
        /// The command has told its start.
        case commandStarted
        /// The command has told its end on both streams.
        case commandEnded
        /// The command was to be stopped: what came of it, nil where the host could not be asked.
        case stopped(StopAnswer?)
    }

    /// The events of one session after the other.
    typealias Events = (stream: AsyncStream<Event>, continuation: AsyncStream<Event>.Continuation)

    let request: GateRequest
    let gate: any MasterGate
    let pulse: HostPulse

    /// Opens the session, feeds it `input` when that is let go, drains it, and hands `control` the events. When `control` returns
    /// nil, the session is ended.
    /// - Returns: how it ended.
    /// - Throws: where this process has no descriptors left.
    func run(
        input: HeldInput = HeldInput([]), events: Events, opened: @escaping @Sendable () -> Void = {},
        stdout: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        stderr: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        control: @Sendable (inout AsyncStream<Event>.Iterator) async -> SessionEnd.How?
    ) async throws(IPCError) -> SessionEnd.How {
        let session = try GateSession.open(
            request, by: gate, pulse: pulse, stdout: stdout, stderr: stderr,
            opened: {
                opened()
                events.continuation.yield(.opened)
            },
            ended: { events.continuation.yield(.ended($0)) })
        input.attach(to: session)
        defer { input.detach() }
        var iterator = events.stream.makeAsyncIterator()
        if let end = await control(&iterator) { return end }
        session.abandon()
        while let event = await iterator.next() {
            if case .ended(let end) = event { return end }
        }
        return .ended
    }
}

/// What a line of the gate's own came to.
struct ErrandResult: Sendable {
    /// How its session ended.
    let end: SessionEnd.How
    /// At most 16 KiB of each stream.
    let stdout: String
    let stderr: String
    /// It was given up because the time was over.
    let isLate: Bool
}

extension HostSessions {
    /// Has the host run a line of the gate's own, with no input, and waits for its end, at most `limit`.
    /// - Throws: where this process has no descriptors left.
    func run(
        _ errand: Errand, within limit: Duration?, opened: @escaping @Sendable () -> Void = {}
    ) async throws(IPCError) -> ErrandResult {
        let events = AsyncStream.makeStream(of: SessionRun.Event.self)
        let out = StreamBox(OutputWindow(limit: 16_384))
        let err = StreamBox(OutputWindow(limit: 16_384))
        let timer = limit.map { Timer($0) { events.continuation.yield(.timer(.deadline)) } }
        defer { timer?.cancel() }
        let isLate = StreamBox(false)
        let end = try await SessionRun(request: .errand(host: host.name, errand), gate: gate, pulse: master.pulse).run(
            events: events, opened: opened, stdout: { chunk in out.with { $0.append(chunk) } },
            stderr: { chunk in err.with { $0.append(chunk) } },
            control: { events in
                while let event = await events.next() {
                    switch event {
                    case .ended(let end): return end
                    case .opened: continue
                    case .timer, .cancelled, .commandStarted, .commandEnded, .stopped:
                        isLate.with { $0 = true }
                        return nil
                    }
                }
                return nil
            })
        return ErrandResult(
            end: end, stdout: out.value.output().text, stderr: err.value.output().text, isLate: isLate.value)
    }
}
