/// How a session that was opened for a command came to its end.
struct CommandAttempt: Sendable {
    var timedOut = false
    /// It was given up before the command told its start.
    var isLate = false
    var cancelled = false
    var background = false
    /// It was stopped, and its output stayed open: something that found its way out of its tree holds it.
    var outputHeld = false
    /// What came of stopping it.
    var answer: StopAnswer?
    /// How the session ended, where it did by itself.
    var end: SessionEnd.How?

    /// How sure it is that nothing of a command runs that was to be stopped.
    func stopVerdict(_ streams: CommandStreams) -> StopVerdict {
        // A process in a session of its own, whose parent had ended, is not among those that the host found.
        func unlessHeld() -> StopVerdict { outputHeld ? .signalled : .confirmed }
        switch answer {
        case .confirmed: return unlessHeld()
        case .signalled, .left: return .signalled
        case .gone, nil:
            // What the watchdog on the host saw.
            switch streams.marks.stopped {
            case .confirmed: return unlessHeld()
            case .signalled: return .signalled
            case .unknown, nil:
                // The end that the observer told, and nothing found of it.
                return answer == .gone && streams.marks.ended ? unlessHeld() : .unknown
            }
        }
    }

    /// Whether the command told its end, and nothing was there to be stopped.
    func endedItself(_ streams: CommandStreams) -> Bool {
        guard streams.marks.ended && streams.marks.stopped == nil else { return false }
        switch answer {
        case .gone, .left: return true
        case .confirmed, .signalled, nil: return false
        }
    }
}
