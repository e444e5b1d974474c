internal import IPC

/// Decides which client has the place and which ones wait. One client has it at a time, and clients get it in the order in which
/// they first sent something, or sent their first whole request if that came later. A client that sends nothing, or no whole
/// request, does not get in line and delays nobody. Only its worker knows whether a request is whole, because this process reads
/// no byte of a client. A worker that lies about that gains nothing: it can only give its client's turn away.
///
/// Authority is the gate, and only the worker of the client that has the place gets one. A few clients in line have a worker
/// without a gate, which answers what needs none and holds their calls. Nothing is read of the others.
///
/// The table has no effects: events come in with their time, in milliseconds of a steady clock, and the actions that follow are
/// returned.
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
        /// Tell the worker that its client has the place, and give it a gate.
        case proceed(ID)
        /// End the gate that was started for this worker: the place is another one's.
        case takeGate(ID)
        /// Tell the worker to serve its client without what needs the place.
        case wait(ID)
        /// Tell the worker why its client is not served.
        case refuse(ID, ClientRefusal)
        /// Tell the worker who is in the way of this call, and write down that it is refused.
        case refuseCall(ID, ClientRefusal, requestID: UInt32)
        /// Do this request for a local file, and answer it.
        case files(ID, ToSupervisor.Files, requestID: UInt32)
        /// Answer this request for a local file by saying that the client has gone.
        case refuseFiles(ID, requestID: UInt32)
        /// Write down this message about a call.
        case audit(ID, ToSupervisor.Audit, requestID: UInt32)
        /// Act on this message about forwards, and answer it.
        case forwards(ID, ToSupervisor.Forwards, requestID: UInt32)
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
    /// How many clients in line may have a worker.
    static let maximumServedInLine = 8
    /// How many workers may tell clients at once that they are not served.
    private static let maximumRefusals = 4
    /// How many workers may have a client that has sent bytes but no whole request, or has sent its request late and is not
    /// answered. If there are more, the oldest without a request are killed.
    static let maximumUnheard = 32

    let socket: String
    var waitMilliseconds: Int
    private let servedInLine: Int
    private(set) var entries: [ID: Entry] = [:]
    private(set) var draining = false
    private var nextID: ID = 1
    private var nextPlace: UInt64 = 1

    /// - Parameter servedInLine: how many clients in line may have a worker.
    init(socket: String, waitMilliseconds: Int, servedInLine: Int = Self.maximumServedInLine) {
        self.socket = socket
        self.waitMilliseconds = waitMilliseconds
        self.servedInLine = servedInLine
    }

    /// Whether another connection may be accepted. If the table is full, a silent client gives its room to it.
    var hasRoom: Bool { !draining && (entries.count < Self.maximumConnections || longestSilent != nil) }

    private var longestSilent: ID? { entries.filter { $0.value.phase == .silent }.keys.min() }

    var isEmpty: Bool { entries.isEmpty }

    /// When `advance` must be called next if nothing happens before, in milliseconds; nil if never.
    var nextDeadline: Int? { entries.values.compactMap(\.deadline).min() }

    /// The entry that has the one place.
    private var occupant: Entry? { entries.values.first { $0.hasPlace } }

    mutating func accepted(pid: Int32, program: String = "", now: Int) -> (id: ID, actions: [Action]) {
        var actions: [Action] = []
        if entries.count >= Self.maximumConnections, let silent = longestSilent {
            entries[silent] = nil
            actions.append(.close(silent, reason: "it sent nothing, and another one needed its room"))
        }
        let id = nextID
        nextID += 1
        entries[id] = Entry(pid: pid, program: program, since: now, phase: .silent)
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
            entries[id]?.hasPlace = false
            return advance(now: now)
        case .serving:
            release(id, now: now)
            entries[id]?.mayStillSayGone = true
            return advance(now: now)
        case .listening, .unheard, .waitingReady:
            // Nothing of the client runs, and the worker may not be reading from it, so the worker is told to end.
            leave(id, now: now)
            entries[id]?.mayStillSayGone = true
            return [.drain(id)] + advance(now: now)
        // In these phases the worker ends by a deadline.
        case .starting(.refuse), .starting(.check), .departing, .leaving, .refusing, .releasing, .none: return []
        }
    }

    private mutating func release(_ id: ID, now: Int) {
        entries[id]?.phase = .releasing
        entries[id]?.hasPlace = false
        if !draining { entries[id]?.deadline = now + Bound.release }
    }

    /// The client has gone, or cannot be served, before anything was done for it.
    private mutating func leave(_ id: ID, now: Int) {
        entries[id]?.phase = .leaving
        entries[id]?.hasPlace = false
        if !draining { entries[id]?.deadline = now + Bound.drain }
    }

    /// Takes notice that a client without a worker has sent something. It gets in line for the place.
    mutating func spoke(_ id: ID, now: Int) -> [Action] {
        guard entries[id]?.phase == .silent else { return [] }
        entries[id]?.phase = .waiting
        entries[id]?.deadline = now + waitMilliseconds
        takePlaceInLine(id)
        return advance(now: now)
    }

    private mutating func takePlaceInLine(_ id: ID) {
        entries[id]?.place = nextPlace
        nextPlace += 1
    }

    /// Kills the oldest workers whose clients have sent no request, if there are too many.
    private mutating func boundUnheard() -> [Action] {
        let bounded = entries.filter(\.value.isBoundedAsUnheard)
        let excess = max(0, bounded.count - Self.maximumUnheard)
        return bounded.filter { $0.value.phase != .waitingReady }.keys.sorted().prefix(excess).map {
            .kill($0, reason: "its client sent no whole request, and others came after it")
        }
    }

    /// Takes notice that a worker failed before it was ready to serve. Nothing of its client was read, so a second worker, which
    /// needs less, can tell the client why.
    mutating func failedToServe(_ id: ID, _ failure: ProgramFailure, now: Int) -> [Action] {
        guard entries[id]?.phase == .starting(.serve), !draining else { return ended(id, now: now) }
        entries[id]?.phase = .toRefuse
        entries[id]?.hasPlace = false
        entries[id]?.isServedInLine = false
        entries[id]?.failure = failure
        entries[id]?.deadline = nil
        return advance(now: now)
    }

    /// Takes notice that the worker of the client that has the place cannot be given a gate.
    mutating func cannotProceed(_ id: ID, now: Int) -> [Action] {
        guard entries[id]?.phase == .serving else { return [] }
        leave(id, now: now)
        entries[id]?.mayStillSayGone = true
        return [.refuse(id, .noWorker(.gate))] + advance(now: now)
    }

    /// Takes a worker's message. `Permission` decides which messages a worker may send in which phase.
    mutating func received(
        _ message: ToSupervisor, _ requestID: UInt32 = 0, from id: ID, now: Int
    ) -> [Action] {
        guard let entry = entries[id] else { return [] }
        switch Permission.of(message, from: entry) {
        case .outOfTurn: return [.kill(id, reason: "it sent a message out of turn")]
        case .tooLate: return tooLate(message, requestID, id)
        case .granted: break
        }
        switch message {
        case .life(.ready): return ready(id, now: now)
        case .life(.clientUnheard): return clientUnheard(id, now: now)
        case .life(.clientSpeaks): return clientSpeaks(id, now: now)
        case .life(.clientGone), .life(.clientDropped): return clientLeft(id, now: now)
        case .life(.clientNamed(let name)):
            entries[id]?.name = name
            return []
        case .life(.callWaited): return [.refuseCall(id, refusal(now: now), requestID: requestID)]
        case .files(let request): return [.files(id, request, requestID: requestID)]
        case .audit(let word): return [.audit(id, word, requestID: requestID)]
        case .forwards(let word): return [.forwards(id, word, requestID: requestID)]
        // `Permission` grants this to no worker of this table.
        case .patterns: return []
        }
    }

    /// The answer to a message that a worker sent before it learned that its client has gone, or has the place.
    private func tooLate(_ message: ToSupervisor, _ requestID: UInt32, _ id: ID) -> [Action] {
        switch message {
        case .files: [.refuseFiles(id, requestID: requestID)]
        case .life, .audit, .forwards, .patterns: []
        }
    }

    private mutating func ready(_ id: ID, now: Int) -> [Action] {
        switch entries[id]?.phase {
        case .starting(.serve):
            entries[id]?.phase = .listening
            if !draining { entries[id]?.deadline = now + Bound.start }
            return draining ? [.drain(id)] : []
        case .starting(.refuse):
            entries[id]?.phase = .refusing
            entries[id]?.mayBeUnheard = true
            entries[id]?.deadline = now + Bound.refusal
            return []
        case .departing:
            leave(id, now: now)
            entries[id]?.mayStillSayGone = true
            return [.drain(id)]
        // `Permission` does not grant it in these phases.
        case .starting(.check), .silent, .waiting, .toRefuse, .listening, .serving, .unheard, .waitingReady, .leaving,
            .refusing, .releasing, .none:
            return []
        }
    }

    private mutating func clientUnheard(_ id: ID, now: Int) -> [Action] {
        var actions: [Action] = []
        switch entries[id]?.phase {
        case .listening where !draining:
            if entries[id]?.hasPlace == true { actions.append(.takeGate(id)) }
            entries[id]?.phase = .unheard
            entries[id]?.hasPlace = false
            entries[id]?.isServedInLine = false
            entries[id]?.place = 0
            entries[id]?.deadline = nil
        case .refusing:
            entries[id]?.isRefusedUnheard = true
            entries[id]?.mayBeUnheard = false
        // The worker sent this before it noticed that its client had gone, or while the daemon stops. `Permission` grants it in
        // no other phase.
        case .listening, .serving, .leaving, .releasing, .silent, .waiting, .toRefuse, .starting, .unheard,
            .waitingReady, .departing, .none:
            return []
        }
        return actions + boundUnheard() + advance(now: now)
    }

    private mutating func clientSpeaks(_ id: ID, now: Int) -> [Action] {
        // In another phase, the worker sent this before it noticed that its client had gone.
        guard let entry = entries[id], entry.phase == .listening || entry.phase == .unheard, !draining else {
            return []
        }
        guard !entry.hasPlace else { return [proceed(id)] }
        if entry.place == 0 { takePlaceInLine(id) }
        entries[id]?.phase = .waitingReady
        entries[id]?.deadline = entry.isServedInLine ? nil : now + waitMilliseconds
        let actions = advance(now: now)
        guard entry.isServedInLine, entries[id]?.phase == .waitingReady else { return actions }
        return actions + [.wait(id)]
    }

    /// Takes a worker's report that its client has gone. If this process has seen that before, the place is free already.
    private mutating func clientLeft(_ id: ID, now: Int) -> [Action] {
        switch entries[id]?.phase {
        case .leaving, .releasing: entries[id]?.mayStillSayGone = false
        case .serving:
            release(id, now: now)
            return advance(now: now)
        case .listening, .unheard, .waitingReady:
            leave(id, now: now)
            return advance(now: now)
        // `Permission` does not grant it in these phases.
        case .silent, .waiting, .toRefuse, .starting, .departing, .refusing, .none: break
        }
        return []
    }

    /// Takes notice that a worker has ended or could not be started.
    mutating func ended(_ id: ID, now: Int) -> [Action] {
        entries[id] = nil
        return advance(now: now)
    }

    /// Gives the place to the next client in line if it is free, gives workers to clients in line, and ends what has lasted too
    /// long.
    mutating func advance(now: Int) -> [Action] {
        var actions: [Action] = []
        var late: [ID] = []
        for (id, entry) in entries.sorted(by: { $0.key < $1.key }) {
            guard let deadline = entry.deadline, deadline <= now else { continue }
            entries[id]?.deadline = nil
            switch entry.phase {
            case .waiting: entries[id]?.phase = .toRefuse
            case .waitingReady where !draining: late.append(id)
            case .listening where !draining:
                actions.append(.kill(id, reason: "it did not say in time whether its client asks for something"))
            case .silent, .toRefuse: break
            case .starting, .departing: actions.append(.kill(id, reason: "it was not ready in time"))
            case .listening, .serving, .unheard, .waitingReady:
                actions.append(.kill(id, reason: "it did not end in time after the order to stop"))
            case .refusing: actions.append(.kill(id, reason: "the waiting client sent no request"))
            case .leaving: actions.append(.kill(id, reason: "it did not end in time after its client had gone"))
            case .releasing: actions.append(.kill(id, reason: "it did not stop its remote commands in time"))
            }
        }
        guard !draining else { return actions }
        if occupant == nil, let next = first(where: \.isInLine) { actions += givePlace(next, now: now) }
        while entries.values.count(where: \.isServedInLine) < servedInLine,
            let next = first(where: \.isUnanswered)
        {
            actions.append(serveInLine(next, now: now))
        }
        for id in late where entries[id]?.phase == .waitingReady && entries[id]?.isServedInLine == false {
            entries[id]?.phase = .refusing
            entries[id]?.deadline = now + Bound.refusal
            actions.append(.refuse(id, refusal(now: now)))
        }
        var refusals = entries.values.count(where: \.isRefusal)
        for (id, entry) in entries.filter({ $0.value.phase == .toRefuse })
            .sorted(by: { $0.value.place < $1.value.place }) where refusals < Self.maximumRefusals
        {
            actions.append(start(id, .refuse(entry.failure.map { .noWorker($0) } ?? refusal(now: now)), now: now))
            refusals += 1
        }
        return actions
    }

    /// The connection of this kind that has waited longest.
    private func first(where isMeant: (Entry) -> Bool) -> ID? {
        entries.filter { isMeant($0.value) }.min { $0.value.place < $1.value.place }?.key
    }

    /// The place is free, and this client is the first in line.
    private mutating func givePlace(_ id: ID, now: Int) -> [Action] {
        entries[id]?.isServedInLine = false
        entries[id]?.hasPlace = true
        switch entries[id]?.phase {
        case .waiting, .toRefuse: return [start(id, .serve, now: now)]
        case .waitingReady: return [proceed(id)]
        // Its worker says soon whether it has a request.
        case .starting, .listening: return []
        case .silent, .serving, .unheard, .departing, .leaving, .refusing, .releasing, .none: return []
        }
    }

    private mutating func proceed(_ id: ID) -> Action {
        entries[id]?.phase = .serving
        entries[id]?.deadline = nil
        return .proceed(id)
    }

    /// Gives a client in line a worker that serves it without the place, or has its worker do that.
    private mutating func serveInLine(_ id: ID, now: Int) -> Action {
        entries[id]?.isServedInLine = true
        guard entries[id]?.phase == .waitingReady else { return start(id, .serve, now: now) }
        entries[id]?.deadline = nil
        return .wait(id)
    }

    private mutating func start(_ id: ID, _ role: WorkerRole, now: Int) -> Action {
        entries[id]?.phase = .starting(role)
        entries[id]?.deadline = now + Bound.start
        return .start(id, role)
    }

    private func refusal(now: Int) -> ClientRefusal {
        guard let occupant else { return .noPlace }
        let client = ClientInTheWay(
            pid: UInt32(clamping: occupant.pid), program: occupant.program, name: occupant.name ?? "",
            seconds: UInt32(clamping: (now - occupant.since) / 1000))
        return .occupied(socket: socket, by: client, waited: UInt32(clamping: waitMilliseconds / 1000))
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
            case .listening, .serving, .unheard, .waitingReady:
                actions.append(.drain(id))
                entries[id]?.deadline = now + Bound.drain
            case .starting(.serve), .departing, .leaving, .releasing: entries[id]?.deadline = now + Bound.drain
            }
        }
        return actions
    }
}
