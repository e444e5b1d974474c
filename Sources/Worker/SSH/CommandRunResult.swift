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
        // If something on the host takes standard error away, only the exit status of ssh is left.
        var status = marks.exitStatus
        if case .exited(let told) = attempt.end, marks.ended, status == nil { status = told }
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

    /// Why a command whose end mark did not come has no result; nil if it has one all the same.
    private func failure(_ attempt: CommandAttempt, _ streams: CommandStreams) async -> ExecFailure? {
        for stream in [streams.err, streams.out] {
            if stream.marks.directoryOutside { return .outside }
            if stream.marks.directoryFailed { return .directory(detail: CommandStreams.lastLineBefore(stream)) }
        }
        let master = await sessions.masterState()
        guard !streams.marks.started else {
            return master.isAlive ? nil : .lost(output: String(streams.out.window.output().text.suffix(1000)))
        }
        switch master {
        case .alive:
            if SSHInvocation.isUnusable(streams.said) { return .spawn(detail: streams.said) }
            switch attempt.end {
            case .signalled, .unseen: return .sshEnded(detail: "ssh (\(sessions.sshPath)) \(attempt.end ?? .unseen)")
            case .exited(let status): return .notStarted(status: status, detail: streams.said)
            case nil: return .notStarted(status: nil, detail: streams.said)
            }
        case .down(let why):
            // If ssh had reached the master, the command may have started, and its mark may be lost with the connection.
            return SSHProcess.hasTriedToConnect(streams.said) ? .masterDown(why) : .lost(output: "")
        }
    }
}
