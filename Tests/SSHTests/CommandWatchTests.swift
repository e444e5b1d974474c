import Testing

@testable import SSH

@Suite("When a command is stopped, and when nobody waits for more of its session")
struct CommandWatchTests {
    private static let opened = ContinuousClock.now

    /// What a session has told: `marks` of each stream, as the script on the host writes them.
    private func streams(out: String = "", err: String = "") -> CommandStreams {
        var streams = CommandStreams(nonce: "n", limit: 100)
        for (marks, isError) in [(out, false), (err, true)] {
            for mark in marks.split(separator: "|") {
                _ = streams.append(Array("\u{1E}n\(mark)\n".utf8)[...], isError: isError)
            }
        }
        return streams
    }

    private var begun: CommandStreams { streams(out: "+", err: "+ 7") }
    private var ended: CommandStreams { streams(out: "+|-", err: "+ 7|- 0 0") }
    /// The watchdog on the host has seen that nothing is left.
    private var seenToItsEnd: CommandStreams { streams(out: "+|-", err: "+ 7|- 143 1 0") }

    private func steps(
        _ events: [(SessionRun.Event, CommandStreams)], after: Duration = .zero
    ) -> (steps: [CommandWatch.Step], attempt: CommandAttempt) {
        var watch = CommandWatch(opened: Self.opened)
        let steps = events.map { watch.take($0.0, $0.1, now: Self.opened + after) }
        return (steps, watch.attempt)
    }

    @Test func `a command that ends is left with its session's end`() {
        let (steps, attempt) = steps([(.commandStarted, begun), (.commandEnded, ended), (.ended(.exited(0)), ended)])
        #expect(steps == [.wait, .arm(.linger, after: .milliseconds(500)), .leave(.exited(0))])
        #expect(!attempt.timedOut && !attempt.cancelled && !attempt.background && attempt.end == .exited(0))
    }

    @Test func `what keeps the streams open after the end is background, and is not waited for`() {
        let (steps, attempt) = steps([(.commandEnded, ended), (.timer(.linger), ended)])
        #expect(steps.last == .leave(nil) && attempt.background)
    }

    @Test(arguments: [true, false]) func `a command is stopped once, and left when that was answered`(cancels: Bool) {
        let event = cancels ? SessionRun.Event.cancelled : .timer(.deadline)
        let (steps, attempt) = steps([
            (event, begun), (.timer(.deadline), begun), (.cancelled, begun), (.stopped(.confirmed), begun),
            (.ended(.exited(0)), begun),
        ])
        #expect(steps == [.stop, .wait, .wait, .arm(.giveUp, after: .seconds(2)), .leave(.exited(0))])
        #expect(attempt.cancelled && attempt.timedOut == !cancels && attempt.answer == .confirmed)
        #expect(attempt.stopVerdict(begun) == .confirmed)
    }

    @Test func `where the session ends while it is stopped, the answer is waited for`() {
        let (steps, attempt) = steps([
            (.timer(.deadline), begun), (.ended(.exited(0)), begun), (.stopped(.left), begun),
        ])
        #expect(steps == [.stop, .wait, .leave(.exited(0))])
        #expect(attempt.stopVerdict(begun) == .signalled)
        let seen = self.steps([(.timer(.deadline), begun), (.ended(.exited(0)), seenToItsEnd)])
        #expect(seen.steps == [.stop, .leave(.exited(0))], "the watchdog has answered")
    }

    @Test func `output that stays open after a stop makes it signalled`() {
        let (steps, attempt) = steps([
            (.timer(.deadline), begun), (.stopped(.confirmed), begun), (.timer(.giveUp), begun),
        ])
        #expect(steps.last == .leave(nil) && attempt.outputHeld && attempt.stopVerdict(begun) == .signalled)
    }

    @Test func `without the mark of its start a command is waited for, and stopped if it comes`() {
        let (steps, attempt) = steps([(.timer(.deadline), streams()), (.commandStarted, begun)])
        #expect(steps == [.arm(.giveUp, after: .seconds(5)), .stop] && attempt.timedOut && !attempt.isLate)
        let late = self.steps([(.cancelled, streams()), (.timer(.giveUp), streams())])
        #expect(late.steps.last == .leave(nil) && late.attempt.isLate && !late.attempt.outputHeld)
    }

    @Test func `a login shell that begins nothing is given up, by the timer of its own session alone`() {
        let soon = steps([(.timer(.begin), streams())], after: HostSessions.beginning - .seconds(1))
        #expect(soon.steps == [.wait] && !soon.attempt.isLate)
        let begun = steps([(.timer(.begin), begun)], after: HostSessions.beginning)
        #expect(begun.steps == [.wait] && !begun.attempt.isLate)
        let hung = steps([(.timer(.begin), streams())], after: HostSessions.beginning)
        #expect(hung.steps == [.leave(nil)] && hung.attempt.isLate)
    }

    @Test func `what ended by itself before its time was up has not timed out`() {
        let (steps, attempt) = steps([(.commandEnded, ended), (.timer(.deadline), ended)])
        #expect(steps.last == .wait && !attempt.timedOut)
        let raced = self.steps([(.timer(.deadline), begun), (.stopped(.gone), ended)])
        #expect(raced.attempt.endedItself(ended) && !raced.attempt.endedItself(seenToItsEnd))
    }

    @Test func `without any answer of the host the verdict is unknown`() {
        let (steps, attempt) = steps([(.timer(.deadline), begun), (.stopped(nil), begun), (.timer(.giveUp), begun)])
        #expect(steps == [.stop, .arm(.giveUp, after: .milliseconds(500)), .leave(nil)])
        #expect(attempt.stopVerdict(begun) == .unknown)
        #expect(self.steps([(.stopped(.gone), begun)]).attempt.stopVerdict(begun) == .unknown)
    }
}
