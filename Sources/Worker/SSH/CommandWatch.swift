/// Decides, event by event, when a command is stopped and when nobody waits for more of its session. It does nothing itself.
struct CommandWatch {
    /// What is to be done next.
    enum Step: Equatable {
        case wait
        /// A timer takes the place of the one before.
        case arm(SessionRun.Bound, after: Duration)
        /// The command is stopped on the host; what came of it is told as an event. The timer goes.
        case stop
        /// The session is over, in this way; nil where it is given up.
        case leave(SessionEnd.How?)
    }

    private enum Phase {
        case running
        /// The time is over, and the command has not told its start.
        case late
        case stopping
        case stopped
    }

    /// How long the end of the output may take where the host has seen that nothing of a command is left.
    private static let endOfOutput = Duration.seconds(2)
    /// How long a command that ended may leave its streams open before they are given up.
    private static let linger = Duration.milliseconds(500)
    /// How long a session that is opening when its time runs out may take to tell the command's start.
    private static let lateStart = Duration.seconds(5)

    private(set) var attempt = CommandAttempt()
    private var phase = Phase.running
    private let opened: ContinuousClock.Instant

    /// - Parameter opened: when the session was asked for.
    init(opened: ContinuousClock.Instant) {
        self.opened = opened
    }

    /// Takes an event.
    /// - Parameter streams: what the session has told by then.
    mutating func take(_ event: SessionRun.Event, _ streams: CommandStreams, now: ContinuousClock.Instant) -> Step {
        switch event {
        case .ended(let end):
            attempt.end = end
            // Of one that is being stopped, something may live on that holds none of its streams.
            return phase != .stopping || streams.marks.stopped == .confirmed ? .leave(end) : .wait
        case .timer(.giveUp):
            attempt.outputHeld = phase == .stopping || phase == .stopped
            if phase == .late { attempt.isLate = true }
            return .leave(nil)
        case .timer(.begin):
            // Another attempt's timer may come here.
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
        case .timer(.retry): return .wait
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
            // Its last words, and the end of the streams.
            return .arm(.giveUp, after: answer == nil ? .milliseconds(500) : Self.endOfOutput)
        }
    }

    private mutating func stop(_ streams: CommandStreams) -> Step {
        guard streams.marks.started else {
            // The session may be opening just now: without the mark of its start there is no way to stop it.
            phase = .late
            return .arm(.giveUp, after: Self.lateStart)
        }
        phase = .stopping
        return .stop
    }

    private func commandEnded(_ streams: CommandStreams) -> Step {
        switch phase {
        case .running:
            // A process left behind may hold the streams open for ever; the command itself is done.
            return .arm(.linger, after: Self.linger)
        case .late, .stopping, .stopped:
            // The watchdog has seen to the rest.
            return streams.marks.stopped == .confirmed ? .arm(.giveUp, after: Self.endOfOutput) : .wait
        }
    }
}
