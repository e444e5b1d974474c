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
    /// Commands of this connection that could not be stopped, and may hold sessions.
    public let unstopped: Int
}

/// The sessions of one ControlMaster, whatever names the config has for it: how many may be open at once, and who comes
/// next. Whoever comes later waits in order.
///
/// sshd refuses more than its `MaxSessions`, sshd_config(5), and a command can be stopped only over a session of its own. So
/// a second place is given only where one session more is known to be there: what the host takes is tried when somebody
/// needs it, is lowered by each refusal, and tried again after a while. A refusal that a session of ours may have caused, one that
/// had ended here and not yet there, says little about the host: it is tried again soon.
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

    /// What somebody holds who got a place. Whoever has it calls `release` once.
    struct Place: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    /// Opens so many sessions at once for a moment, and tells how many the host took; nil where it cannot be asked.
    typealias Probe = @Sendable (_ count: Int) async -> Int?

    private struct Waiter {
        let ticket: UInt64
        let kind: Kind
        let probe: Probe
        let continuation: CheckedContinuation<Result<Place, NoPlace>, Never>
    }

    private struct Holder {
        enum Phase {
            /// Its session may be open or may still be refused.
            case opening
            case open
            /// The host has refused its session, and it will try again.
            case refused
        }

        let kind: Kind
        var phase = Phase.opening
        var since = ContinuousClock.now
        let probe: Probe?
    }

    /// How long things take, or may take.
    struct Times: Sendable {
        /// Between trials of a host that has refused.
        var pauses = Duration.seconds(10)...Duration.seconds(300)
        /// The same where the refusal may have been of our own making.
        var shortPauses = Duration.seconds(1)...Duration.seconds(10)
        /// A session that ended here so long ago has ended there: its program reads the end of its input, and sshd its exit.
        var settling = Duration.seconds(1)
        /// A session that is not refused for so long is open: a refusal comes at once, and start-up files may be slow.
        var silence = SessionBudget.silence
    }

    /// How long a session that is open may say nothing.
    static let silence = Duration.seconds(3)

    private let times: Times

    private var configured: Int
    /// Sessions that the host takes at once, as far as that is known.
    private var proven = 0
    /// The host has refused to take more than those.
    private var isFull = false
    private var places: [Place: Holder] = [:]
    private var nextPlace: UInt64 = 0
    /// Sessions for stopping commands, which need no place.
    private var stops = 0
    /// Until when commands may run on that could not be stopped.
    private var unstopped: [ContinuousClock.Instant] = []
    /// When a session of ours ended last.
    private var lastEnd: ContinuousClock.Instant?
    private var isProbing = false
    private var pause: Duration
    private var shortPause: Duration
    private var nextProbe = ContinuousClock.now
    private var timer: Timer?
    private var waiting: [Waiter] = []
    private var nextTicket: UInt64 = 0
    private var holders: [@Sendable () -> Bool] = []

    init(sessions: Int, times: Times = Times()) {
        configured = max(1, sessions)
        self.times = times
        pause = times.pauses.lowerBound
        shortPause = times.shortPauses.lowerBound
    }

    /// Changes the configured limit.
    func limit(to sessions: Int) {
        configured = max(1, sessions)
        grant()
    }

    /// Places that are held, also by those who were refused and will try again.
    private var inUse: Int { places.count }

    private func count(_ kinds: Set<Kind>) -> Int {
        places.values.count { kinds.contains($0.kind) && $0.phase != .refused }
    }

    /// Sessions that are open, as far as is known.
    private var open: Int {
        places.values.count { holder in
            switch holder.phase {
            case .opening: .now >= holder.since + times.silence
            case .open: true
            case .refused: false
            }
        }
    }

    /// One is kept for stopping commands, unless there is only one.
    private var allowed: Int { max(1, min(configured, proven - 1)) }

    private func hasRoom(for kind: Kind) -> Bool {
        switch kind {
        case .command, .channel: inUse < allowed
        case .content: inUse < max(allowed, min(configured, max(proven, 2)))
        case .question: count([.question]) == 0 && hasRoom(for: .content)
        }
    }

    private var shortage: SessionShortage {
        // Those who hold a place and no session wait for the host.
        let isHosts = isFull && proven - 1 < configured || places.values.contains { $0.phase == .refused }
        return isHosts ? refusal : shortage(.configured(configured))
    }

    /// What stands in the way of one who has a place, and whose session the host refuses.
    var refusal: SessionShortage { shortage(.host(proven)) }

    private func shortage(_ limit: SessionShortage.Limit) -> SessionShortage {
        SessionShortage(
            limit: limit, commands: count([.command]), channels: count([.channel, .content]),
            unstopped: unstopped.count { $0 > .now })
    }

    /// Calls `function` whenever a session is wanted: whoever holds one without using it gives it back then. It is
    /// forgotten when it returns false.
    func onShortage(_ function: @escaping @Sendable () -> Bool) { holders.append(function) }

    /// Waits for a place, at most so long, and runs `body` in it.
    func withPlace<Result: Sendable>(
        within limit: Duration, probe: @escaping Probe, _ body: @Sendable (Place) async -> Result
    ) async throws(NoPlace) -> Result {
        let place = try await acquire(.command, within: limit, probe: probe)
        let result = await body(place)
        release(place)
        return result
    }

    /// Waits for a place, at most so long.
    func acquire(_ kind: Kind, within limit: Duration, probe: @escaping Probe) async throws(NoPlace) -> Place {
        if Task.isCancelled { throw .cancelled }
        if waiting.isEmpty || kind == .content, hasRoom(for: kind) { return take(kind, probe) }
        let ticket = nextTicket
        nextTicket += 1
        let timer = Timer(limit) { Task { await self.abandon(ticket, cancelled: false) } }
        defer { timer.cancel() }
        let answer = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waiter = Waiter(ticket: ticket, kind: kind, probe: probe, continuation: continuation)
                waiting.insert(waiter, at: kind == .content ? 0 : waiting.endIndex)
                makeRoom()
            }
        } onCancel: {
            Task { await self.abandon(ticket, cancelled: true) }
        }
        return try answer.get()
    }

    /// Takes a place where there is one now.
    func takePlaceAtOnce(_ kind: Kind) -> Place? { hasRoom(for: kind) ? take(kind, nil) : nil }

    private func take(_ kind: Kind, _ probe: Probe?) -> Place {
        let place = Place(number: nextPlace)
        nextPlace += 1
        places[place] = Holder(kind: kind, probe: probe)
        return place
    }

    private func abandon(_ ticket: UInt64, cancelled: Bool) {
        // Not there any more where the place was granted in the meantime.
        guard let index = waiting.firstIndex(where: { $0.ticket == ticket }) else { return }
        waiting.remove(at: index).continuation.resume(
            returning: .failure(cancelled ? .cancelled : .timedOut(shortage)))
    }

    func release(_ place: Place) {
        guard let holder = places.removeValue(forKey: place) else { return }
        if holder.phase != .refused { lastEnd = .now }
        grant()
    }

    private func grant() {
        while let next = waiting.first, hasRoom(for: next.kind) {
            waiting.removeFirst()
            next.continuation.resume(returning: .success(take(next.kind, next.probe)))
        }
        makeRoom()
    }

    // MARK: What could not be stopped

    /// How long one is counted whose end nobody knows, and how many are.
    private static let longestKnown = Duration.seconds(3600)
    private static let mostKnown = 100

    /// A command could not be stopped. It may run, and hold a session, until then, or nobody knows until when.
    func leftRunning(until end: ContinuousClock.Instant?) {
        unstopped.removeAll { $0 <= .now }
        if unstopped.count < Self.mostKnown { unstopped.append(end ?? .now + Self.longestKnown) }
    }

    /// Of those nothing is left.
    func nothingLeft() { unstopped = [] }

    // MARK: What the host takes

    /// The session of one who holds a place has sent something: it is open.
    func opened(_ place: Place) {
        guard places[place]?.phase == .opening else { return }
        places[place]?.phase = .open
        proven = max(proven, open)
        grant()
    }

    /// A session that stops commands is about to be opened; `stopEnded` is called once when it has ended.
    func stopBegins() { stops += 1 }

    /// It has ended, or the host has refused it.
    func stopEnded(tookSession: Bool) {
        stops -= 1
        if tookSession { lastEnd = .now }
    }

    /// The host has refused a session: to one who holds `place`, or to one who stops commands or opens a session there anew.
    func wasRefused(_ place: Place?) {
        var began = ContinuousClock.now
        if let place, let holder = places[place] {
            began = holder.since
            places[place]?.phase = .refused
        }
        // A probe takes what the host has, and tells more.
        if !isProbing { lower(to: places.values.count { $0.phase != .refused }, isCertain: isCertain(since: began)) }
        giveBack()
        makeRoom()
    }

    /// Whether one whose session was refused may try again, so that a session for stopping is left.
    func mayTryAgain(_ place: Place) -> Bool {
        guard !isProbing else { return false }
        guard places.values.count(where: { $0.phase != .refused }) < allowed else {
            makeRoom()
            return false
        }
        places[place]?.phase = .opening
        places[place]?.since = .now
        return true
    }

    /// Whether a refusal of a session that was asked for then can have no session of ours as its cause that is not counted.
    private func isCertain(since began: ContinuousClock.Instant) -> Bool {
        guard stops == 0 else { return false }
        guard let lastEnd else { return true }
        return lastEnd + times.settling <= began
    }

    private func lower(to sessions: Int, isCertain: Bool) {
        proven = max(1, min(max(proven, 1), sessions))
        isFull = true
        // Refusals of one shortage count once.
        guard .now >= nextProbe else { return }
        if isCertain {
            nextProbe = .now + pause
            pause = min(pause * 2, times.pauses.upperBound)
        } else {
            nextProbe = .now + shortPause
            shortPause = min(shortPause * 2, times.shortPauses.upperBound)
        }
    }

    /// Somebody waits: the host may take more than was known, or somebody may hold a session without using it.
    private func makeRoom() {
        guard !isProbing else { return }
        let refused = places.values.first { $0.phase == .refused && $0.probe != nil }
        guard let probe = waiting.first?.probe ?? refused?.probe else { return }
        guard allowed < configured else { return giveBack() }
        guard .now >= nextProbe else {
            giveBack()
            return wake(at: nextProbe)
        }
        // Whether these take a session from the probe, or the probe from them, would be chance.
        let opening = places.values.filter { $0.phase == .opening && .now < $0.since + times.silence }
        if let last = opening.map(\.since).max() { return wake(at: last + times.silence) }
        isProbing = true
        let (before, began) = (open, ContinuousClock.now)
        let count = max(1, min(configured, allowed * 2) + 1 - before)
        Task { self.learn(await probe(count), of: count, beside: before, since: began) }
    }

    private func wake(at time: ContinuousClock.Instant) {
        guard timer == nil else { return }
        timer = Timer(time - .now) { Task { await self.tryAgain() } }
    }

    private func tryAgain() {
        timer = nil
        makeRoom()
    }

    private func learn(_ taken: Int?, of count: Int, beside before: Int, since began: ContinuousClock.Instant) {
        isProbing = false
        if let taken {
            let seen = max(1, open, min(before, open) + taken)
            if taken < count {
                proven = seen
                lower(to: seen, isCertain: isCertain(since: began))
            } else {
                proven = max(proven, seen)
                // It takes all that are wanted: whatever runs on holds none of them.
                if allowed >= configured { unstopped = [] }
                pause = times.pauses.lowerBound
                shortPause = times.shortPauses.lowerBound
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
