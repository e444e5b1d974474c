internal import IPC

/// Makes the result that the caller of a command gets.
extension CommandRun {
    /// How sure we are that nothing of the command still runs. If something may, its session is counted as taken until the
    /// host's watchdog has ended it.
    func stopVerdict(_ attempt: CommandAttempt, _ streams: CommandStreams) async -> StopVerdict {
        let verdict = attempt.stopVerdict(streams)
        // The watchdog on the host ends a command soon after its time limit.
        if verdict != .confirmed, let began = streams.began {
            await sessions.budget.leftRunning(until: began + request.timeout + .seconds(5))
        }
        return verdict
    }

    /// The command's result, judged by how its session ended and by what its streams said.
    func judge(_ attempt: CommandAttempt, _ streams: CommandStreams) async -> Result<ExecOutput, ExecFailure> {
        let marks = streams.marks
        // A command that has not started has another failure than a timeout.
        let timedOut =
            marks.started && (attempt.timedOut || marks.stopped != nil) && !attempt.endedItself(streams)
        if !timedOut && !marks.ended, let failure = await failure(attempt, streams) { return .failure(failure) }
        // If something on the host takes standard error away, only the status that its sshd tells is left.
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
                duration: (streams.finished ?? now) - (streams.began ?? now),
                unanswered: timedOut ? attempt.unanswered : nil))
    }

    /// Why a command whose end mark did not come has no result; nil if it has one all the same.
    private func failure(_ attempt: CommandAttempt, _ streams: CommandStreams) async -> ExecFailure? {
        for stream in [streams.err, streams.out] {
            if stream.marks.directoryOutside { return .outside }
            if stream.marks.directoryFailed { return .directory(detail: CommandStreams.lastLineBefore(stream)) }
        }
        switch attempt.end {
        case .notOpened(let failure): return notOpened(failure)
        case .exited, .ended, nil: break
        }
        let isAlive = await sessions.masterState().isAlive
        guard !streams.marks.started else {
            return isAlive ? nil : .lost(output: String(streams.out.window.output().text.suffix(1000)))
        }
        // The mark of a start may have been lost with the connection.
        guard isAlive else { return .lost(output: "") }
        if attempt.end == .exited(LoginCheck.otherUser), case .known(let identity) = await sessions.identity(),
            !identity.isUser(sessions.host.master.user)
        {
            return .otherUser(identity)
        }
        // What reads lines there may be another shell than before.
        sessions.takeNotice(exports: false)
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
        case .ssh(let detail): .spawn(detail: detail)
        case .byHost, .closed(wasAsked: false), .refused: .notOpened(detail: "")
        case .unknown, .closed(wasAsked: true): .lost(output: "")
        }
    }
}
