/// Decides, event by event, when to stop a command and when to leave its session. It has no effects: `CommandRun` performs the
/// steps that it returns.
struct CommandWatch {
    /// What `CommandRun` must do next.
    enum Step: Equatable {
        /// Wait for the next event.
        case wait
        /// Start this timer in place of the one before.
        case arm(SessionRun.Bound, after: Duration)
        /// End the timer, and ask the host to stop the command. The answer arrives as an event.
        case stop
        /// Leave the session, which ended in this way; nil if it has not ended and is given up.
        case leave(SessionEnd.How?)
    }

    private enum Phase {
        /// The time limit has not passed, and nobody has cancelled.
        case running
        /// The command must be stopped, and its start mark has not come.
        case late
        /// The host was asked to stop the command.
        case stopping
        /// The host has answered, or could not be asked.
        case stopped
    }

    /// How long the output may stay open after the host has seen that nothing of the command is left.
    private static let endOfOutput = Duration.seconds(2)
    /// How long the streams may stay open after the command ended by itself.
    private static let linger = Duration.milliseconds(500)
    /// How long the start mark may take after the time limit, if the session is still opening.
    private static let lateStart = Duration.seconds(5)

    private(set) var attempt = CommandAttempt()
    private var phase = Phase.running
    private let opened: ContinuousClock.Instant

    /// - Parameter opened: when the session was asked for.
    init(opened: ContinuousClock.Instant) {
        self.opened = opened
    }

    /// Takes an event.
    /// - Parameter streams: what the session has said up to this event.
    mutating func take(_ event: SessionRun.Event, _ streams: CommandStreams, now: ContinuousClock.Instant) -> Step {
        switch event {
        case .ended(let end):
            attempt.end = end
            // While a command is being stopped, processes of it may be left that hold none of its streams.
            return phase != .stopping || streams.marks.stopped == .confirmed ? .leave(end) : .wait
        case .timer(.giveUp):
            attempt.outputHeld = phase == .stopping || phase == .stopped
            if phase == .late { attempt.isLate = true }
            return .leave(nil)
        case .timer(.begin):
            // The timer may be that of an earlier attempt.
            guard phase == .running, now - opened >= HostSessions.beginning, !streams.marks.started else {
                return .wait
            }
            attempt.isLate = true
            return .leave(nil)
        case .timer(.linger):
            guard phase == .running else { return .wait }
            attempt.background = true
            return .leave(nil)
        case .timer(.deadline):
            guard phase == .running, !streams.ended else { return .wait }
            attempt.timedOut = true
            return stop(streams)
        case .timer(.retry), .timer(.silent), .opened: return .wait
        case .cancelled:
            attempt.cancelled = true
            return phase == .running ? stop(streams) : .wait
        case .commandStarted:
            guard phase == .late else { return .wait }
            phase = .stopping
            return .stop
        case .commandEnded: return commandEnded(streams)
        case .stopped(let answer):
            phase = .stopped
            attempt.answer = answer
            if let end = attempt.end { return .leave(end) }
            // The command's last output and the end of the streams may still come.
            return .arm(.giveUp, after: answer == nil ? .milliseconds(500) : Self.endOfOutput)
        }
    }

    /// The host or its master says nothing, and is waited for no longer.
    mutating func give(up reach: HostSessions.Reach) { attempt.unanswered = reach }

    private mutating func stop(_ streams: CommandStreams) -> Step {
        guard streams.marks.started else {
            // The session may still be opening. The start mark has the process id, without which nothing can be stopped.
            phase = .late
            return .arm(.giveUp, after: Self.lateStart)
        }
        phase = .stopping
        return .stop
    }

    private func commandEnded(_ streams: CommandStreams) -> Step {
        switch phase {
        case .running:
            // A process that the command left behind may hold the streams open for ever.
            return .arm(.linger, after: Self.linger)
        case .late, .stopping, .stopped:
            // The watchdog saw that nothing is left, so only the end of the streams is missing.
            return streams.marks.stopped == .confirmed ? .arm(.giveUp, after: Self.endOfOutput) : .wait
        }
    }
}
