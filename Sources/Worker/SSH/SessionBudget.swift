/// Decides how many sessions of one ControlMaster may be open at once, and who gets the next one. A session needs a place here
/// first; those who get none at once wait in order.
///
/// sshd refuses more sessions than its `MaxSessions`, sshd_config(5), and a command can be stopped only over a session of its
/// own. So one session is kept free for that, and a place is given only if the host is known to take one session more than that.
/// How many the host takes is found out by a probe when somebody needs more, is lowered by each refusal, and is tried again
/// after a pause. A session that has ended here may not have ended on the host yet, and may be the cause of a refusal. Such a
/// refusal says little about the host, and the pause after it is short.
actor SessionBudget {
    /// What a place is for.
    enum Kind: Hashable {
        /// A command.
        case command
        /// A channel for files.
        case channel
        /// A second session that a channel needs for a short time to go on. It may take the session that is kept for stopping. It
        /// goes before others, because these may be waiting for that channel.
        case content
        /// A session that only shows whether the host answers. It may take the session that is kept for stopping, and never
        /// waits. There is one at a time.
        case question
    }

    /// Why somebody who waited got no place.
    enum NoPlace: Error, Equatable {
        /// The caller's task was cancelled.
        case cancelled
        /// No place became free in time.
        case timedOut(SessionShortage)
    }

    /// Stands for a place that somebody holds. Its holder calls `release` once.
    struct Place: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    /// Opens `count` sessions at once for a moment, and returns how many of them the host took; nil if it could not be asked.
    typealias Probe = @Sendable (_ count: Int) async -> Int?

    private struct Waiter {
        let ticket: UInt64
        let kind: Kind
        let probe: Probe
        let continuation: CheckedContinuation<Result<Place, NoPlace>, Never>
    }

    private struct Holder {
        enum Phase {
            /// The session may be open, or the host may still refuse it.
            case opening
            /// The session has sent something.
            case open
            /// The host has refused the session, and the holder will ask for it again.
            case refused
        }

        let kind: Kind
        var phase = Phase.opening
        var since = ContinuousClock.now
        let probe: Probe?
    }

    /// The times by which a budget judges. Tests shorten them.
    struct Times: Sendable {
        /// The pause before a host that has refused is tried again; it doubles from the first value to the last.
        var pauses = Duration.seconds(10)...Duration.seconds(300)
        /// The same pause if a session of ours may have caused the refusal.
        var shortPauses = Duration.seconds(1)...Duration.seconds(10)
        /// How long the host may take to end a session that has ended here: its program must read the end of its input, and
        /// sshd must see the program's exit.
        var settling = Duration.seconds(1)
        /// A session that says nothing for this long is taken to be open.
        var silence = SessionBudget.silence
        /// Where sessions are opened one after the other, one that has run for this long is taken to run on for another while.
        var calm = Duration.milliseconds(500)
    }

    /// A session that says nothing for this long is taken to be open: a refusal would have come at once, and start-up files may
    /// be slow.
    static let silence = Duration.seconds(3)

    private let times: Times

    /// `limits.sessions_per_host` of the config.
    private var configured: Int
    /// How many sessions the host is known to take at once.
    private var proven = 0
    /// Whether the host has refused more than `proven` sessions.
    private var isFull = false
    /// Whether sessions are opened one after the other, because the host loses one that is opened while another one ends.
    private var isSingle = false
    private var places: [Place: Holder] = [:]
    private var nextPlace: UInt64 = 0
    /// How many sessions stop commands now. These need no place.
    private var stops = 0
    /// For each command that could not be stopped, the time until which it may still run.
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

    /// How many places are held. Holders whose session was refused, and who will ask again, count too.
    private var inUse: Int { places.count }

    private func count(_ kinds: Set<Kind>) -> Int {
        places.values.count { kinds.contains($0.kind) && $0.phase != .refused }
    }

    /// How many sessions are open, as far as is known.
    private var open: Int {
        places.values.count { holder in
            switch holder.phase {
            case .opening: .now >= holder.since + times.silence
            case .open: true
            case .refused: false
            }
        }
    }

    /// How many places may be held. One session is kept for stopping commands, unless the host takes only one.
    private var allowed: Int { max(1, min(configured, proven - 1)) }

    private func hasRoom(for kind: Kind) -> Bool {
        switch kind {
        case .command, .channel: isSingle ? inUse < configured && nextCalm == nil : inUse < allowed
        case .content: inUse < max(allowed, min(configured, max(proven, 2)))
        case .question: count([.question]) == 0 && hasRoom(for: .content)
        }
    }

    /// When the youngest session is old enough for another one to be opened, on a host where they are opened one after the other; nil
    /// where it is. A channel ends when we end it.
    private var nextCalm: ContinuousClock.Instant? {
        let young = places.values.filter { holder in
            !(holder.kind == .channel && holder.phase == .open) && .now < holder.since + times.calm
        }
        return young.map(\.since).max().map { $0 + times.calm }
    }

    private var shortage: SessionShortage {
        if isSingle { return shortage(.host(1)) }
        // A holder whose session was refused shows that the host is the limit.
        let isHosts = isFull && proven - 1 < configured || places.values.contains { $0.phase == .refused }
        return isHosts ? refusal : shortage(.configured(configured))
    }

    /// The shortage that a holder is told whose session the host refuses.
    var refusal: SessionShortage { shortage(.host(proven)) }

    private func shortage(_ limit: SessionShortage.Limit) -> SessionShortage {
        SessionShortage(
            limit: limit, commands: count([.command]), channels: count([.channel, .content]),
            unstopped: unstopped.count { $0 > .now })
    }

    /// Calls `function` whenever somebody wants a session and there is none. Whoever holds one without using it then gives it
    /// back. The function is forgotten when it returns false.
    func onShortage(_ function: @escaping @Sendable () -> Bool) { holders.append(function) }

    /// Waits for a place, at most for `limit`, runs `body`, and gives the place back.
    func withPlace<Result: Sendable>(
        within limit: Duration, probe: @escaping Probe, _ body: @Sendable (Place) async -> Result
    ) async throws(NoPlace) -> Result {
        let place = try await acquire(.command, within: limit, probe: probe)
        let result = await body(place)
        release(place)
        return result
    }

    /// Waits for a place, at most for `limit`.
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

    /// Takes a place if there is one now.
    func takePlaceAtOnce(_ kind: Kind) -> Place? { hasRoom(for: kind) ? take(kind, nil) : nil }

    private func take(_ kind: Kind, _ probe: Probe?) -> Place {
        let place = Place(number: nextPlace)
        nextPlace += 1
        places[place] = Holder(kind: kind, probe: probe)
        return place
    }

    private func abandon(_ ticket: UInt64, cancelled: Bool) {
        // The waiter is gone if it was granted a place in the meantime.
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

    /// How long a command counts if nobody knows when it ends.
    private static let longestKnown = Duration.seconds(3600)
    /// How many commands are counted.
    private static let mostKnown = 100

    /// Takes notice that a command could not be stopped. It may run and hold a session until `end`; nil if its end is not known.
    func leftRunning(until end: ContinuousClock.Instant?) {
        unstopped.removeAll { $0 <= .now }
        if unstopped.count < Self.mostKnown { unstopped.append(end ?? .now + Self.longestKnown) }
    }

    /// Takes notice that nothing is left of the commands that could not be stopped.
    func nothingLeft() { unstopped = [] }

    // MARK: What the host takes

    /// Takes notice that the holder's session has sent something, and so is open.
    func opened(_ place: Place) {
        guard places[place]?.phase == .opening else { return }
        places[place]?.phase = .open
        proven = max(proven, open)
        grant()
    }

    /// Takes notice that sessions of this host are to be opened one after the other.
    func takesOneAtATime() { isSingle = true }

    /// Takes notice that a session for stopping commands will be opened. The caller calls `stopEnded` once afterwards.
    func stopBegins() { stops += 1 }

    /// Takes notice that this session has ended, or that the host has refused it.
    func stopEnded(tookSession: Bool) {
        stops -= 1
        if tookSession { lastEnd = .now }
    }

    /// Takes notice that the host has refused a session.
    /// - Parameter place: the place of its holder; nil for a session that stops commands, or for one that was given before.
    func wasRefused(_ place: Place?) {
        var began = ContinuousClock.now
        if let place, let holder = places[place] {
            began = holder.since
            places[place]?.phase = .refused
        }
        // A probe takes all free sessions of the host, and its own result tells more than this refusal.
        if !isProbing { lower(to: places.values.count { $0.phase != .refused }, isCertain: isCertain(since: began)) }
        giveBack()
        makeRoom()
    }

    /// Whether a holder whose session was refused may ask for it again now, so that a session for stopping is left.
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

    /// Whether the host itself must be the cause of a refusal of a session that was asked for at `began`. If a session of ours
    /// stopped commands then, or had just ended, that one may be the cause.
    private func isCertain(since began: ContinuousClock.Instant) -> Bool {
        guard stops == 0 else { return false }
        guard let lastEnd else { return true }
        return lastEnd + times.settling <= began
    }

    private func lower(to sessions: Int, isCertain: Bool) {
        proven = max(1, min(max(proven, 1), sessions))
        isFull = true
        // Further refusals of the same shortage do not lengthen the pause.
        guard .now >= nextProbe else { return }
        if isCertain {
            nextProbe = .now + pause
            pause = min(pause * 2, times.pauses.upperBound)
        } else {
            nextProbe = .now + shortPause
            shortPause = min(shortPause * 2, times.shortPauses.upperBound)
        }
    }

    /// Looks for room if somebody waits: by a probe, because the host may take more sessions than is known, or by asking for
    /// sessions that are held without being used.
    private func makeRoom() {
        guard !isProbing else { return }
        let refused = places.values.first { $0.phase == .refused && $0.probe != nil }
        guard let probe = waiting.first?.probe ?? refused?.probe else { return }
        guard !isSingle else {
            giveBack()
            if let nextCalm { wake(at: nextCalm) }
            return
        }
        guard allowed < configured else { return giveBack() }
        guard .now >= nextProbe else {
            giveBack()
            return wake(at: nextProbe)
        }
        // Sessions that are opening would compete with the probe for the same room, and the result would be chance.
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
        if isSingle { grant() } else { makeRoom() }
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
                // The host takes all sessions that the config allows, so commands that still run hold none of them.
                if allowed >= configured { unstopped = [] }
                pause = times.pauses.lowerBound
                shortPause = times.shortPauses.lowerBound
                isFull = false
            }
        } else {
            // The master does not answer. The holders of places will tell their callers.
            nextProbe = .now + .seconds(1)
        }
        grant()
    }

    private func giveBack() { holders.removeAll { !$0() } }
}
