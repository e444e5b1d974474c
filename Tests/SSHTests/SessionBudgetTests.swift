import Synchronization
import Testing

@testable import SSH

/// A host with so many sessions.
private final class FakeHost: Sendable {
    private struct State {
        var open = 0
        var most = 0
        var probes = 0
    }

    private let capacity: Int
    private let state = Mutex(State())

    init(capacity: Int, open: Int = 0) {
        self.capacity = capacity
        state.withLock { $0.open = open }
    }

    /// Whether it took a session.
    func open() -> Bool {
        state.withLock { state in
            guard state.open < capacity else { return false }
            state.open += 1
            return true
        }
    }

    func close() { state.withLock { $0.open -= 1 } }

    /// How often it was tried how many sessions it takes.
    var probes: Int { state.withLock(\.probes) }

    /// Takes of `count` sessions what it can, for a moment.
    @Sendable func probe(_ count: Int) async -> Int? {
        state.withLock { state in
            state.probes += 1
            return min(count, capacity - state.open)
        }
    }
}

@Suite("The sessions of one ControlMaster", .timeLimit(.minutes(1)))
struct SessionBudgetTests {
    /// What was certain is tried again after this test, what was not at once, whatever else the machine does.
    private static func times(settling: Duration = .seconds(3600)) -> SessionBudget.Times {
        SessionBudget.Times(
            pauses: .seconds(3600)...(.seconds(7200)), shortPauses: .milliseconds(10)...(.milliseconds(100)),
            settling: settling, silence: .seconds(3600))
    }

    /// A command with an open session.
    private func command(_ budget: SessionBudget, _ host: FakeHost) async throws -> SessionBudget.Place {
        let place = try await budget.acquire(.command, within: .seconds(30), probe: host.probe)
        try #require(host.open())
        await budget.opened(place)
        return place
    }

    /// Whether it becomes true within twenty seconds.
    private static func becomes(_ condition: () async -> Bool) async -> Bool {
        let deadline = ContinuousClock.now + .seconds(20)
        while await !condition() {
            guard .now < deadline else { return false }
            await Timer.pause(.milliseconds(5))
        }
        return true
    }

    @Test func `as many commands run as the host has sessions, but for the one that stops them`() async throws {
        let host = FakeHost(capacity: 3)
        let budget = SessionBudget(sessions: 8, times: Self.times())
        _ = try await command(budget, host)
        _ = try await command(budget, host)
        await #expect(throws: SessionBudget.NoPlace.self) {
            try await budget.acquire(.command, within: .milliseconds(300), probe: host.probe)
        }
        #expect(await Self.becomes { await budget.refusal.limit == .host(3) })
    }

    /// What has ended here may still be open there: an sftp-server that reads the end of its input, a command that is killed.
    @Test(arguments: [false, true])
    func `where sessions are opened one after the other, the next begins when the last has ended or runs for a while`(
        endsFirst: Bool
    ) async throws {
        let host = FakeHost(capacity: 9)
        var times = Self.times()
        times.calm = endsFirst ? .seconds(3600) : .milliseconds(300)
        let budget = SessionBudget(sessions: 8, times: times)
        let asked = ContinuousClock.now
        let first = try await budget.acquire(.command, within: .seconds(30), probe: host.probe)
        await budget.takesOneAtATime()
        await budget.opened(first)
        let next = Task { try await budget.acquire(.command, within: .seconds(30), probe: host.probe) }
        if endsFirst {
            await #expect(
                throws: SessionBudget.NoPlace.timedOut(.init(limit: .host(1), commands: 1, channels: 0, unstopped: 0))
            ) {
                try await budget.acquire(.command, within: .milliseconds(100), probe: host.probe)
            }
            await budget.release(first)
        }
        _ = try await next.value
        if !endsFirst { #expect(.now - asked >= .milliseconds(300)) }
        #expect(host.probes == 0)
    }

    @Test func `a capacity that was learned while a session of ours was still open there is learned anew at once`()
        async throws
    {
        let host = FakeHost(capacity: 3)
        let budget = SessionBudget(sessions: 8, times: Self.times())
        let first = try await command(budget, host)
        // The host has not seen its end.
        await budget.release(first)
        _ = try await command(budget, host)
        async let second = budget.acquire(.command, within: .seconds(30), probe: host.probe)
        #expect(await Self.becomes { host.probes > 0 })
        host.close()
        _ = try await second
        #expect(await budget.refusal.limit == .host(3))
    }

    @Test func `one who was refused while a session of ours was still open there gets his session`() async throws {
        let host = FakeHost(capacity: 3)
        let budget = SessionBudget(sessions: 8, times: Self.times())
        let first = try await command(budget, host)
        let second = try await command(budget, host)
        await budget.release(first)
        let third = try await budget.acquire(.command, within: .seconds(30), probe: host.probe)
        await budget.wasRefused(third)
        host.close()
        // As a call does, which looks again after a pause.
        let deadline = ContinuousClock.now + .seconds(30)
        var mayTry = false
        while !mayTry, ContinuousClock.now < deadline {
            mayTry = await budget.mayTryAgain(third)
            if !mayTry { await Timer.pause(.milliseconds(20)) }
        }
        #expect(mayTry && host.open())
        await budget.opened(third)
        await budget.release(second)
        #expect(await budget.refusal.limit == .host(3))
    }

    @Test(arguments: [false, true])
    func `sessions that are seen open beside each other are there, whatever was refused before`(opensLate: Bool)
        async throws
    {
        let host = FakeHost(capacity: 2)
        let budget = SessionBudget(sessions: 8, times: Self.times())
        _ = try await command(budget, host)
        let content = StreamBox<SessionBudget.Place?>(nil)
        let waiting = Task {
            // The session that a channel needs takes the one that would have been counted.
            try await budget.acquire(.command, within: .seconds(30)) { count in
                guard let place = await budget.takePlaceAtOnce(.content) else { return nil }
                content.with { $0 = place }
                #expect(host.open())
                if !opensLate { await budget.opened(place) }
                return await host.probe(count)
            }
        }
        #expect(await Self.becomes { host.probes > 0 })
        await budget.opened(try #require(content.value))
        waiting.cancel()
        await #expect(throws: SessionBudget.NoPlace.cancelled) { try await waiting.value }
        #expect(await budget.refusal.limit == .host(2))
    }

    @Test func `nothing is tried while a session is about to open, which would be counted twice`() async throws {
        let host = FakeHost(capacity: 3)
        let budget = SessionBudget(sessions: 8, times: Self.times())
        let opening = try await budget.acquire(.command, within: .seconds(30), probe: host.probe)
        let granted = StreamBox(0)
        let others = (0..<4).map { _ in
            Task {
                let place = try await budget.acquire(.command, within: .seconds(30), probe: host.probe)
                granted.with { $0 += 1 }
                #expect(host.open(), "more than the host has")
                await budget.opened(place)
            }
        }
        for _ in 0..<100 { await Task.yield() }
        #expect(host.probes == 0)
        #expect(host.open())
        await budget.opened(opening)
        #expect(await Self.becomes { await budget.refusal.limit == .host(3) })
        for other in others { other.cancel() }
        for other in others { _ = await other.result }
        #expect(granted.value == 1)
    }

    @Test func `a host that is full by others is not tried all the time`() async throws {
        let host = FakeHost(capacity: 3, open: 1)
        let budget = SessionBudget(sessions: 8, times: Self.times(settling: .zero))
        _ = try await command(budget, host)
        await #expect(throws: SessionBudget.NoPlace.self) {
            try await budget.acquire(.command, within: .milliseconds(300), probe: host.probe)
        }
        #expect(await Self.becomes { host.probes > 0 })
        #expect(host.probes == 1)
    }

    @Test func `commands that could not be stopped are named in a shortage until their end, or until nothing is left`()
        async throws
    {
        let host = FakeHost(capacity: 2)
        let budget = SessionBudget(sessions: 8, times: Self.times())
        await budget.leftRunning(until: nil)
        await budget.leftRunning(until: .now + .seconds(3600))
        await budget.leftRunning(until: .now - .seconds(1))
        #expect(await budget.refusal.unstopped == 2)
        _ = try await command(budget, host)
        #expect(await budget.refusal.commands == 1)
        await budget.nothingLeft()
        #expect(await budget.refusal.unstopped == 0)
        for _ in 0..<1_000 { await budget.leftRunning(until: nil) }
        #expect(await budget.refusal.unstopped == 100)
    }

    @Test func `those who wait for a session that the host refuses make it the host's limit`() async throws {
        let budget = SessionBudget(sessions: 1, times: Self.times())
        let place = try await budget.acquire(.command, within: .seconds(30), probe: { _ in nil })
        await budget.wasRefused(place)
        do throws(SessionBudget.NoPlace) {
            _ = try await budget.acquire(.command, within: .milliseconds(50), probe: { _ in nil })
            Issue.record("there is no place")
        } catch {
            guard case .timedOut(let shortage) = error, case .host = shortage.limit else {
                Issue.record("\(error)")
                return
            }
        }
    }
}
