internal import IPC

/// What a command's caller is told.
extension CommandRun {
    /// How sure it is that nothing of it runs. Where it may run on, its session is counted until the host has ended it.
    func stopVerdict(_ attempt: CommandAttempt, _ streams: CommandStreams) async -> StopVerdict {
        let verdict = attempt.stopVerdict(streams)
        // The host itself ends what began, soon after its time.
        if verdict != .confirmed, let began = streams.began {
            await sessions.budget.leftRunning(until: began + request.timeout + .seconds(5))
        }
        return verdict
    }

    /// What came of it, by what its session and its streams have told.
    func judge(_ attempt: CommandAttempt, _ streams: CommandStreams) async -> Result<ExecOutput, ExecFailure> {
        let marks = streams.marks
        // What has not begun has not timed out.
        let timedOut =
            marks.started && (attempt.timedOut || marks.stopped != nil) && !attempt.endedItself(streams)
        if !timedOut && !marks.ended, let failure = await failure(attempt, streams) { return .failure(failure) }
        // Where standard error is taken away on the host, the status comes by way of its sshd alone.
        var status = marks.exitStatus
        if case .exited(let told) = attempt.end, marks.ended, status == nil, told <= 255 { status = Int(told) }
        let now = ContinuousClock.now
        let stopped = timedOut ? await stopVerdict(attempt, streams) : nil
        return .success(
            ExecOutput(
                stdout: streams.out.window.output(), stderr: streams.err.window.output(),
                exitCode: status ?? -1,
                signal: marks.signalled ? status.flatMap(SignalName.of(exitStatus:)) : nil,
                timedOut: timedOut, stopped: stopped,
                background: attempt.background || !timedOut && attempt.outputHeld,
                duration: (streams.finished ?? now) - (streams.began ?? now)))
    }

    /// Why a command that has not told its end has no result; nil where it has one all the same.
    private func failure(_ attempt: CommandAttempt, _ streams: CommandStreams) async -> ExecFailure? {
        for stream in [streams.err, streams.out] {
            if stream.marks.directoryOutside { return .outside }
            if stream.marks.directoryFailed { return .directory(detail: CommandStreams.lastLineBefore(stream)) }
        }
        switch attempt.end {
        case .notOpened(let failure): return notOpened(failure)
        case .exited, .ended, .ssh, nil: break
        }
        let isAlive = await sessions.masterState().isAlive
        guard !streams.marks.started else {
            return isAlive ? nil : .lost(output: String(streams.out.window.output().text.suffix(1000)))
        }
        // The mark of a start may have been lost with the connection.
        guard isAlive else { return .lost(output: "") }
        guard case .exited(let status) = attempt.end else { return .notStarted(status: nil, detail: streams.said) }
        return .notStarted(status: Int(status), detail: streams.said)
    }

    /// Why there is no result of a command for which no session was opened.
    private func notOpened(_ failure: SessionFailure) -> ExecFailure {
        switch failure {
        case .notAllowed(let refusal): .notAllowed(refusal)
        case .tooLong(let bytes, let limit): .tooLong(bytes: Int(bytes), limit: Int(limit))
        case .down(let why): .masterDown(why)
        case .byMaster(let reason): .notOpened(detail: reason)
        case .byHost, .closed(wasAsked: false), .refused: .notOpened(detail: "")
        case .unknown, .closed(wasAsked: true): .lost(output: "")
        }
    }
}
