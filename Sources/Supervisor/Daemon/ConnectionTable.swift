internal import IPC

/// Decides which client is served and which ones wait. One client has the place at a time, and clients get it in the order in
/// which they first sent something. A client that sends nothing, or no whole request, does not get in line and delays nobody.
/// Only its worker knows whether a request is whole, because this process reads no byte of a client. A worker that lies about
/// that gains nothing: it can only give its client's place away. The table has no effects: events come in with their time, in
/// milliseconds of a steady clock, and the actions that follow are returned.
struct ConnectionTable {
    /// The number of a connection and of its worker. A number is never used again.
    typealias ID = UInt64

    /// What the daemon must do.
    enum Action: Equatable {
        /// Start a worker for this connection.
        case start(ID, WorkerRole)
        /// Close the connection, which has no worker yet.
        case close(ID, reason: String)
        /// Kill the worker.
        case kill(ID, reason: String)
        /// Tell the worker to stop remote work and end.
        case drain(ID)
        /// Tell the worker that its client has the place.
        case proceed(ID)
        /// Tell the worker that its client had no place in time.
        case refuse(ID, ClientRefusal)
        /// Do this request for a local file, and answer it.
        case files(ID, ToSupervisor.Files, requestID: UInt32)
        /// Answer this request for a local file by saying that the client has gone.
        case refuseFiles(ID, requestID: UInt32)
        /// Write down this message about a call.
        case audit(ID, ToSupervisor.Audit, requestID: UInt32)
        /// Act on this message about forwards, and answer it.
        case forwards(ID, ToSupervisor.Forwards, requestID: UInt32)
    }

    /// Where a connection is between its beginning and its end.
    enum Phase: Equatable {
        /// The client has sent nothing yet.
        case silent
        /// The client is in line for the place.
        case waiting
        /// The client will not be served. A worker tells it why as soon as one may be started for that.
        case toRefuse
        /// The worker was started and is not ready.
        case starting(WorkerRole)
        /// The client has the place, and its worker serves it.
        case serving
        /// The client has a worker and has sent no whole request. It does not have the place and is not in line.
        case unheard
        /// The client was unheard and has sent a request now. It has a worker and is in line for the place.
        case waitingReady
        /// The client went before its worker was ready.
        case departing
        /// The worker tells the client why it is not served.
        case refusing
        /// The client has gone, and the worker stops what still runs on hosts.
        case releasing
    }

    /// What is known of one connection. `Connection` has its descriptors.
    struct Entry: Equatable {
        let pid: Int32
        let since: Int
        var phase: Phase
        /// When the phase will have lasted too long, in milliseconds.
        var deadline: Int?
        /// The client's number in the line; 0 before it has sent something.
        var place: UInt64 = 0
        /// How its worker failed before it was ready. The client cannot be served then.
        var failure: ProgramFailure?
        /// Whether this process has seen the client go and the worker has not reported it yet.
        var mayStillSayGone = false
        /// Whether the worker has sent nothing but `ready`.
        var mayBeUnheard = false
        /// Whether the client is being refused and has sent no request yet.
        var isRefusedUnheard = false

        /// Whether a worker serves the client or will serve it.
        var isToServe: Bool {
            switch phase {
            case .serving, .starting(.serve), .unheard, .waitingReady: true
            case .starting(.refuse), .starting(.check), .silent, .waiting, .toRefuse,
                .departing,
                .refusing, .releasing:
                false
            }
        }

        /// Whether the client is in line for the place.
        var isInLine: Bool {
            failure == nil && (phase == .waiting || phase == .toRefuse || phase == .waitingReady)
        }
    }

    /// How long things may take, in milliseconds.
    enum Bound {
        static let start = 10_000
        static let refusal = 10_000
        static let release = 20_000
        static let drain = 4_500
        /// How long a daemon that stops waits for workers, even if one cannot be killed. README promises five seconds.
        static let stop = 5_000
    }

    /// How many connections there may be at once. More stay in the kernel's backlog.
    static let maximumConnections = 256
    /// How many workers may tell clients at once that they are not served.
    private static let maximumRefusals = 4
    /// How many workers may have a client that has sent bytes but no whole request. If there are more, the oldest are killed.
    static let maximumUnheard = 32

    let socket: String
    var waitMilliseconds: Int
    private(set) var entries: [ID: Entry] = [:]
    private(set) var draining = false
    private var nextID: ID = 1
    private var nextPlace: UInt64 = 1

    init(socket: String, waitMilliseconds: Int) {
        self.socket = socket
        self.waitMilliseconds = waitMilliseconds
    }

    /// Whether another connection may be accepted. If the table is full, a silent client gives its room to it.
    var hasRoom: Bool { !draining && (entries.count < Self.maximumConnections || longestSilent != nil) }

    private var longestSilent: ID? { entries.filter { $0.value.phase == .silent }.keys.min() }

    var isEmpty: Bool { entries.isEmpty }

    /// When `advance` must be called next if nothing happens before, in milliseconds; nil if never.
    var nextDeadline: Int? { entries.values.compactMap(\.deadline).min() }

    /// The entry that has the one place.
    private var occupant: Entry? {
        entries.values.first { $0.phase == .serving || $0.phase == .starting(.serve) }
    }

    mutating func accepted(pid: Int32, now: Int) -> (id: ID, actions: [Action]) {
        var actions: [Action] = []
        if entries.count >= Self.maximumConnections, let silent = longestSilent {
            entries[silent] = nil
            actions.append(.close(silent, reason: "it sent nothing, and another one needed its room"))
        }
        let id = nextID
        nextID += 1
        entries[id] = Entry(pid: pid, since: now, phase: .silent)
        return (id, actions + advance(now: now))
    }

    /// Takes notice that a client has closed its connection. Its worker may notice that later or never report it.
    mutating func hungUp(_ id: ID, now: Int) -> [Action] {
        switch entries[id]?.phase {
        case .silent, .waiting, .toRefuse:
            entries[id] = nil
            return [.close(id, reason: "the client closed while it waited")] + advance(now: now)
        case .starting(.serve):
            entries[id]?.phase = .departing
            return advance(now: now)
        case .serving:
            release(id, now: now)
            entries[id]?.mayStillSayGone = true
            return advance(now: now)
        case .unheard, .waitingReady:
            // The client has no calls, and the worker may not be reading from it, so the worker is told to end.
            entries[id]?.phase = .releasing
            entries[id]?.mayStillSayGone = true
            if !draining { entries[id]?.deadline = now + Bound.drain }
            return [.drain(id)]
        // In these phases the worker ends by a deadline.
        case .starting(.refuse), .starting(.check), .departing, .refusing, .releasing,
            .none:
            return []
        }
    }

    private mutating func release(_ id: ID, now: Int) {
        entries[id]?.phase = .releasing
        if !draining { entries[id]?.deadline = now + Bound.release }
    }

    /// Takes notice that a client without a worker has sent something. It gets in line for the place.
    mutating func spoke(_ id: ID, now: Int) -> [Action] {
        guard entries[id]?.phase == .silent else { return [] }
        entries[id]?.phase = .waiting
        takePlaceInLine(id, now: now)
        return advance(now: now)
    }

    private mutating func takePlaceInLine(_ id: ID, now: Int) {
        entries[id]?.deadline = now + waitMilliseconds
        entries[id]?.place = nextPlace
        nextPlace += 1
    }

    /// Kills the oldest workers whose clients have sent no request, if there are too many.
    private mutating func boundUnheard() -> [Action] {
        let unheard = entries.filter { $0.value.phase == .unheard || $0.value.isRefusedUnheard }.keys.sorted()
        return unheard.dropLast(Self.maximumUnheard).map {
            .kill($0, reason: "its client sent no whole request, and others came after it")
        }
    }

    /// Takes notice that a worker failed before it was ready to serve. Nothing of its client was read, so a second worker, which
    /// needs less, can tell the client why.
    mutating func failedToServe(_ id: ID, _ failure: ProgramFailure, now: Int) -> [Action] {
        guard entries[id]?.phase == .starting(.serve), !draining else { return ended(id, now: now) }
        entries[id]?.phase = .toRefuse
        entries[id]?.failure = failure
        entries[id]?.deadline = nil
        return advance(now: now)
    }

    /// Takes a worker's message. `Permission` decides which messages a worker may send in which phase.
    mutating func received(
        _ message: ToSupervisor, _ requestID: UInt32 = 0, from id: ID, now: Int
    ) -> [Action] {
        guard let entry = entries[id] else { return [] }
        switch Permission.of(message, from: entry) {
        case .outOfTurn: return [.kill(id, reason: "it sent a message out of turn")]
        case .tooLate: return [.refuseFiles(id, requestID: requestID)]
        case .granted: break
        }
        switch message {
        case .life(.ready): return ready(id, now: now)
        case .life(.clientUnheard): return clientUnheard(id, now: now)
        case .life(.clientSpeaks): return clientSpeaks(id, now: now)
        case .life(.clientGone), .life(.clientDropped): return clientLeft(id, now: now)
        case .files(let request): return heard(.files(id, request, requestID: requestID), from: id)
        case .audit(let word): return heard(.audit(id, word, requestID: requestID), from: id)
        case .forwards(let word): return heard(.forwards(id, word, requestID: requestID), from: id)
        // `Permission` grants this to no worker of this table.
        case .patterns: return []
        }
    }

    /// Notes that a worker has asked for something, so that its client cannot be unheard.
    private mutating func heard(_ action: Action, from id: ID) -> [Action] {
        entries[id]?.mayBeUnheard = false
        return [action]
    }

    private mutating func ready(_ id: ID, now: Int) -> [Action] {
        switch entries[id]?.phase {
        case .starting(.serve):
            entries[id]?.phase = .serving
            entries[id]?.mayBeUnheard = true
            if !draining { entries[id]?.deadline = nil }
            return draining ? [.drain(id)] : []
        case .starting(.refuse):
            entries[id]?.phase = .refusing
            entries[id]?.mayBeUnheard = true
            entries[id]?.deadline = now + Bound.refusal
            return []
        case .departing:
            release(id, now: now)
            entries[id]?.mayStillSayGone = true
            return draining ? [.drain(id)] : []
        // `Permission` does not grant it in these phases.
        case .starting(.check), .silent, .waiting, .toRefuse, .serving, .unheard, .waitingReady, .refusing, .releasing,
            .none:
            return []
        }
    }

    private mutating func clientUnheard(_ id: ID, now: Int) -> [Action] {
        switch entries[id]?.phase {
        case .serving where !draining: entries[id]?.phase = .unheard
        case .refusing: entries[id]?.isRefusedUnheard = true
        // The worker sent this before it noticed that its client had gone, or while the daemon stops. `Permission` grants it in
        // no other phase.
        case .serving, .releasing, .silent, .waiting, .toRefuse, .starting, .unheard, .waitingReady, .departing,
            .none:
            return []
        }
        entries[id]?.mayBeUnheard = false
        return boundUnheard() + advance(now: now)
    }

    private mutating func clientSpeaks(_ id: ID, now: Int) -> [Action] {
        // In another phase, the worker sent this before it noticed that its client had gone.
        guard entries[id]?.phase == .unheard, !draining else { return [] }
        entries[id]?.phase = .waitingReady
        takePlaceInLine(id, now: now)
        return advance(now: now)
    }

    /// Takes a worker's report that its client has gone. If this process has seen that before, the place is free already.
    private mutating func clientLeft(_ id: ID, now: Int) -> [Action] {
        guard entries[id]?.phase != .releasing else {
            entries[id]?.mayStillSayGone = false
            return []
        }
        release(id, now: now)
        return advance(now: now)
    }

    /// Takes notice that a worker has ended or could not be started.
    mutating func ended(_ id: ID, now: Int) -> [Action] {
        entries[id] = nil
        return advance(now: now)
    }

    /// Gives the place to the next client in line if it is free, and ends what has lasted too long.
    mutating func advance(now: Int) -> [Action] {
        var actions: [Action] = []
        var late: [ID] = []
        for (id, entry) in entries.sorted(by: { $0.key < $1.key }) {
            guard let deadline = entry.deadline, deadline <= now else { continue }
            entries[id]?.deadline = nil
            switch entry.phase {
            case .waiting: entries[id]?.phase = .toRefuse
            case .waitingReady: late.append(id)
            case .unheard: actions.append(.kill(id, reason: "it did not end in time after the order to stop"))
            case .silent, .toRefuse: break
            case .starting, .departing: actions.append(.kill(id, reason: "it was not ready in time"))
            case .serving: actions.append(.kill(id, reason: "it did not end in time after the order to stop"))
            case .refusing: actions.append(.kill(id, reason: "the waiting client sent no request"))
            case .releasing: actions.append(.kill(id, reason: "it did not stop its remote commands in time"))
            }
        }
        guard !draining else { return actions }
        if occupant == nil,
            let (next, entry) = entries.filter({ $0.value.isInLine }).min(by: { $0.value.place < $1.value.place })
        {
            if entry.phase == .waitingReady {
                entries[next]?.phase = .serving
                entries[next]?.deadline = nil
                actions.append(.proceed(next))
            } else {
                actions.append(start(next, .serve, now: now))
            }
        }
        for id in late where entries[id]?.phase == .waitingReady {
            entries[id]?.phase = .refusing
            entries[id]?.deadline = now + Bound.refusal
            actions.append(.refuse(id, refusal(now: now)))
        }
        var refusals = entries.values.count { entry in
            switch entry.phase {
            case .starting(.refuse): true
            case .refusing: !entry.isRefusedUnheard
            case .starting(.serve), .starting(.check), .silent, .waiting, .toRefuse,
                .serving,
                .unheard, .waitingReady, .departing, .releasing:
                false
            }
        }
        for (id, entry) in entries.filter({ $0.value.phase == .toRefuse })
            .sorted(by: { $0.value.place < $1.value.place }) where refusals < Self.maximumRefusals
        {
            actions.append(start(id, .refuse(entry.failure.map { .noWorker($0) } ?? refusal(now: now)), now: now))
            refusals += 1
        }
        return actions
    }

    private mutating func start(_ id: ID, _ role: WorkerRole, now: Int) -> Action {
        entries[id]?.phase = .starting(role)
        entries[id]?.deadline = now + Bound.start
        return .start(id, role)
    }

    private func refusal(now: Int) -> ClientRefusal {
        guard let occupant else { return .noPlace }
        return .occupied(
            socket: socket, pid: UInt32(clamping: occupant.pid),
            seconds: UInt32(clamping: (now - occupant.since) / 1000), waited: UInt32(clamping: waitMilliseconds / 1000))
    }

    /// Stops everything: closes the clients that wait, and tells the workers of the others to end in time.
    mutating func drain(now: Int) -> [Action] {
        draining = true
        var actions: [Action] = []
        for (id, entry) in entries.sorted(by: { $0.key < $1.key }) {
            switch entry.phase {
            case .silent, .waiting, .toRefuse:
                entries[id] = nil
                actions.append(.close(id, reason: "the daemon stops"))
            case .starting(.refuse), .starting(.check), .refusing:
                actions.append(.kill(id, reason: "the daemon stops"))
            case .serving, .unheard, .waitingReady:
                actions.append(.drain(id))
                entries[id]?.phase = entry.phase == .waitingReady ? .unheard : entry.phase
                entries[id]?.deadline = now + Bound.drain
            case .starting(.serve), .departing, .releasing: entries[id]?.deadline = now + Bound.drain
            }
        }
        return actions
    }
}
