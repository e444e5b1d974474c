/// Why nobody could have a session, for the sentence that tells it.
public struct SessionShortage: Equatable, Sendable {
    /// What bounds the sessions.
    public enum Limit: Equatable, Sendable {
        /// `limits.sessions_per_host` of the config.
        case configured(Int)
        /// The host takes no more than so many of this daemon's at once, `MaxSessions` of sshd_config(5).
        case host(Int)
    }

    /// The one that was met.
    public let limit: Limit
    /// Sessions that commands of this connection hold, or are about to.
    public let commands: Int
    /// Sessions that file channels of this connection hold.
    public let channels: Int
}

/// The sessions of one ControlMaster, whatever names the config has for it: how many may be open at once, and who comes
/// next. Whoever comes later waits in order.
///
/// sshd refuses more than its `MaxSessions`, sshd_config(5), and a command can be stopped only over a session of its own. So
/// a second place is given only where one session more is known to be there: what the host takes is tried when somebody
/// needs it, is lowered by each refusal, and tried again after a while.
actor SessionBudget {
    /// Who holds a place.
    enum Kind: Hashable {
        case command
        case channel
        /// A second session that a channel needs for a short time to get on. It may take the one that is kept for stopping, and
        /// goes before others: those may wait for that channel.
        case content
        /// One that only shows whether the host answers. It may take the one that is kept for stopping, and waits for none. There
        /// is one at a time.
        case question
    }

    /// Why somebody who waited got no place.
    enum NoPlace: Error, Equatable {
        case cancelled
        case timedOut(SessionShortage)
    }

    /// Opens so many sessions at once for a moment, and tells how many the host took; nil where it cannot be asked.
    typealias Probe = @Sendable (_ count: Int) async -> Int?

    private struct Waiter {
        let ticket: UInt64
        let kind: Kind
        let probe: Probe
        let continuation: CheckedContinuation<NoPlace?, Never>
    }

    /// Pauses between trials of a host that has refused.
    private static let pauses = Duration.seconds(10)...Duration.seconds(300)

    private var configured: Int
    /// Sessions that the host takes at once, as far as that is known.
    private var proven = 0
    /// The host has refused to take more than those.
    private var isFull = false
    private var held: [Kind: Int] = [:]
    /// Those of them whose session the host has refused, and who will try again.
    private var refused = 0
    private var isProbing = false
    private var pause = pauses.lowerBound
    private var nextProbe = ContinuousClock.now
    private var timer: Timer?
    private var waiting: [Waiter] = []
    private var nextTicket: UInt64 = 0
    private var holders: [@Sendable () -> Bool] = []

    init(sessions: Int) {
        configured = max(1, sessions)
    }

    /// Changes the configured limit.
    func limit(to sessions: Int) {
        configured = max(1, sessions)
        grant()
    }

    private var inUse: Int { held.values.reduce(0, +) }

    /// One is kept for stopping commands, unless there is only one.
    private var allowed: Int { max(1, min(configured, proven - 1)) }

    private func hasRoom(for kind: Kind) -> Bool {
        switch kind {
        case .command, .channel: inUse < allowed
        case .content: inUse < max(allowed, min(configured, max(proven, 2)))
        case .question: held[.question, default: 0] == 0 && hasRoom(for: .content)
        }
    }

    private var channels: Int { (held[.channel] ?? 0) + (held[.content] ?? 0) }

    private var shortage: SessionShortage {
        let isHosts = isFull && proven - 1 < configured
        return SessionShortage(
            limit: isHosts ? .host(proven) : .configured(configured), commands: (held[.command] ?? 0) - refused,
            channels: channels)
    }

    /// What stands in the way of one who has a place, and whose session the host refuses.
    var refusal: SessionShortage {
        SessionShortage(limit: .host(proven), commands: (held[.command] ?? 0) - refused, channels: channels)
    }

    /// Calls `function` whenever a session is wanted: whoever holds one without using it gives it back then. It is
    /// forgotten when it returns false.
    func onShortage(_ function: @escaping @Sendable () -> Bool) { holders.append(function) }

    /// Waits for a place, at most so long, and runs `body` in it.
    func withPlace<Result: Sendable>(
        within limit: Duration, probe: @escaping Probe, _ body: @Sendable () async -> Result
    ) async throws(NoPlace) -> Result {
        try await acquire(.command, within: limit, probe: probe)
        let result = await body()
        release(.command)
        return result
    }

    /// Waits for a place, at most so long; whoever gets it calls `release` once.
    func acquire(_ kind: Kind, within limit: Duration, probe: @escaping Probe) async throws(NoPlace) {
        if Task.isCancelled { throw .cancelled }
        if waiting.isEmpty || kind == .content, hasRoom(for: kind) {
            held[kind, default: 0] += 1
            return
        }
        let ticket = nextTicket
        nextTicket += 1
        let timer = Timer(limit) { Task { await self.abandon(ticket, cancelled: false) } }
        defer { timer.cancel() }
        let refusal = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waiter = Waiter(ticket: ticket, kind: kind, probe: probe, continuation: continuation)
                waiting.insert(waiter, at: kind == .content ? 0 : waiting.endIndex)
                makeRoom()
            }
        } onCancel: {
            Task { await self.abandon(ticket, cancelled: true) }
        }
        if let refusal { throw refusal }
    }

    /// Takes a place where there is one now; whoever gets it calls `release` once.
    func takePlaceAtOnce(_ kind: Kind) -> Bool {
        guard hasRoom(for: kind) else { return false }
        held[kind, default: 0] += 1
        return true
    }

    private func abandon(_ ticket: UInt64, cancelled: Bool) {
        // Not there any more where the place was granted in the meantime.
        guard let index = waiting.firstIndex(where: { $0.ticket == ticket }) else { return }
        waiting.remove(at: index).continuation.resume(returning: cancelled ? .cancelled : .timedOut(shortage))
    }

    func release(_ kind: Kind) {
        held[kind, default: 1] -= 1
        grant()
    }

    private func grant() {
        while let next = waiting.first, hasRoom(for: next.kind) {
            waiting.removeFirst()
            held[next.kind, default: 0] += 1
            next.continuation.resume(returning: nil)
        }
        makeRoom()
    }

    // MARK: What the host takes

    /// The host has refused a session: to one who holds a place, or to one who stops commands and needs none.
    func wasRefused(holdsPlace: Bool) {
        lower(to: inUse - refused - (holdsPlace ? 1 : 0))
        if holdsPlace { refused += 1 }
        giveBack()
    }

    /// Whether one whose session was refused may try again, so that a session for stopping is left.
    func mayTryAgain() -> Bool {
        guard inUse - refused < allowed else { return false }
        refused -= 1
        return true
    }

    /// One whose session was refused tries no more.
    func triesNoMore() { refused -= 1 }

    private func lower(to sessions: Int) {
        proven = max(1, min(max(proven, 1), sessions))
        isFull = true
        // Refusals of one shortage count once.
        guard .now >= nextProbe else { return }
        nextProbe = .now + pause
        pause = min(pause * 2, Self.pauses.upperBound)
    }

    /// Somebody waits: the host may take more than was known, or somebody may hold a session without using it.
    private func makeRoom() {
        guard let first = waiting.first, !isProbing else { return }
        guard allowed < configured else { return giveBack() }
        guard .now >= nextProbe else {
            giveBack()
            if timer == nil { timer = Timer(nextProbe - .now) { Task { await self.tryAgain() } } }
            return
        }
        isProbing = true
        let before = inUse
        let count = max(1, min(configured, allowed * 2) + 1 - before)
        Task { self.learn(await first.probe(count), of: count, beside: before) }
    }

    private func tryAgain() {
        timer = nil
        makeRoom()
    }

    private func learn(_ taken: Int?, of count: Int, beside before: Int) {
        isProbing = false
        if let taken {
            let seen = max(1, min(before, inUse) - refused + taken)
            if taken < count {
                proven = seen
                lower(to: seen)
            } else {
                proven = max(proven, seen)
                pause = Self.pauses.lowerBound
                isFull = false
            }
        } else {
            // The master does not answer: those who hold places will tell so.
            nextProbe = .now + .seconds(1)
        }
        grant()
    }

    private func giveBack() { holders.removeAll { !$0() } }
}
