/// How the session of one command ended. One command may need several sessions, because the host may refuse some.
struct CommandAttempt: Sendable {
    /// Whether the time limit passed before the command ended.
    var timedOut = false
    /// Whether the session was given up before the start mark came.
    var isLate = false
    /// Whether the caller cancelled.
    var cancelled = false
    /// Whether the command ended while another process kept its output open.
    var background = false
    /// Whether the output stayed open after the command was stopped. Then a process that left the command's tree holds it.
    var outputHeld = false
    /// What the script that stops commands answered; nil if there was no answer or no question.
    var answer: StopAnswer?
    /// What was seen of a host that says nothing, where the session was given up for that.
    var unanswered: HostSessions.Reach?
    /// How the session ended; nil if it was given up before.
    var end: SessionEnd.How?

    /// How sure we are that nothing of the command still runs. It is asked only of a command that was to be stopped.
    func stopVerdict(_ streams: CommandStreams) -> StopVerdict {
        // The host does not find a process that is in a session of its own and has lost its parent.
        func unlessHeld() -> StopVerdict { outputHeld ? .signalled : .confirmed }
        switch answer {
        case .confirmed: return unlessHeld()
        case .signalled, .left: return .signalled
        case .gone, nil:
            // The host could not be asked or found nothing, so the report of the watchdog counts.
            switch streams.marks.stopped {
            case .confirmed: return unlessHeld()
            case .signalled: return .signalled
            case .unknown, nil:
                // The observer told the end of the command, and the host found nothing of it.
                return answer == .gone && streams.marks.ended ? unlessHeld() : .unknown
            }
        }
    }

    /// Whether the command had ended by itself before it could be stopped.
    func endedItself(_ streams: CommandStreams) -> Bool {
        guard streams.marks.ended && streams.marks.stopped == nil else { return false }
        switch answer {
        case .gone, .left: return true
        case .confirmed, .signalled, nil: return false
        }
    }
}
