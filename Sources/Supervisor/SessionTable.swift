internal import IPC

/// Who is connected, who is served and who waits: one client at a time. Pure: events come in with their time, in
/// milliseconds of a steady clock, and the actions that they lead to are returned.
struct SessionTable {
    /// A connection, and the worker that it gets; never used twice.
    typealias ID = UInt64

    enum Action: Equatable {
        /// Start a worker for this connection.
        case start(ID, WorkerRole)
        /// Close the connection, which has no worker yet.
        case close(ID, reason: String)
        /// Kill the worker.
        case kill(ID, reason: String)
        /// Tell the worker to stop remote work and end.
        case drain(ID)
        /// Do what the message asks for with local files, and answer it.
        case local(ID)
        /// Write down what the message says of a call.
        case audit(ID)
    }

    enum Phase: Equatable {
        /// In line for the place.
        case waiting
        /// Waited too long; to be told so as soon as a refusing worker may start.
        case toRefuse
        /// The worker has been started and is not ready.
        case starting(WorkerRole)
        case serving
        /// Is being told that there is no place.
        case refusing
        /// The client has gone; the worker stops what runs remotely.
        case releasing
    }

    struct Session: Equatable {
        let pid: Int32
        let since: Int
        var phase: Phase
        /// When the phase has lasted too long.
        var deadline: Int?
        /// The client has sent something, so there is a request to answer.
        var hasSpoken = false
    }

    /// How long things may take, in milliseconds.
    enum Bound {
        static let start = 10_000
        static let refusal = 10_000
        /// A client that has sent nothing has no request to be told on.
        static let silence = 30_000
        static let release = 20_000
        static let drain = 5_000
    }

    /// Connections that may wait or be told off at once; the kernel's backlog holds the others.
    static let maximumSessions = 256
    private static let maximumRefusals = 4

    let socket: String
    var waitMilliseconds: Int
    private(set) var sessions: [ID: Session] = [:]
    private(set) var draining = false
    private var nextID: ID = 1

    init(socket: String, waitMilliseconds: Int) {
        self.socket = socket
        self.waitMilliseconds = waitMilliseconds
    }

    /// Whether another connection may be accepted.
    var hasRoom: Bool { sessions.count < Self.maximumSessions && !draining }

    var isEmpty: Bool { sessions.isEmpty }

    /// When `advance` must be called next, if nothing happens before.
    var nextDeadline: Int? { sessions.values.compactMap(\.deadline).min() }

    /// The session that has the one place.
    private var occupant: Session? {
        sessions.values.first { $0.phase == .serving || $0.phase == .starting(.serve) }
    }

    mutating func accepted(pid: Int32, now: Int) -> (id: ID, actions: [Action]) {
        let id = nextID
        nextID += 1
        sessions[id] = Session(pid: pid, since: now, phase: .waiting, deadline: now + waitMilliseconds)
        return (id, advance(now: now))
    }

    /// A client that has no worker yet has closed its connection.
    mutating func hungUp(_ id: ID, now: Int) -> [Action] {
        guard let phase = sessions[id]?.phase, phase == .waiting || phase == .toRefuse else { return [] }
        sessions[id] = nil
        return [.close(id, reason: "the client closed while it waited")] + advance(now: now)
    }

    /// A client that has no worker yet has sent something.
    mutating func spoke(_ id: ID, now: Int) -> [Action] {
        guard sessions[id] != nil else { return [] }
        sessions[id]?.hasSpoken = true
        return advance(now: now)
    }

    /// A worker's message. What it may say in which phase is decided here and nowhere else.
    mutating func received(_ message: ToSupervisor, from id: ID, now: Int) -> [Action] {
        guard let phase = sessions[id]?.phase else { return [] }
        switch (phase, message) {
        case (.starting(.serve), .ready):
            sessions[id]?.phase = .serving
            if !draining { sessions[id]?.deadline = nil }
            return draining ? [.drain(id)] : []
        case (.starting(.refuse), .ready):
            sessions[id]?.phase = .refusing
            sessions[id]?.deadline = now + Bound.refusal
            return []
        case (.serving, .clientGone), (.serving, .clientDropped):
            sessions[id]?.phase = .releasing
            if !draining { sessions[id]?.deadline = now + Bound.release }
            return advance(now: now)
        case (.serving, .openLocal), (.serving, .createLocal), (.serving, .commitLocal), (.serving, .abandonLocal),
            (.releasing, .abandonLocal):
            return [.local(id)]
        case (.serving, .auditBegin), (.serving, .auditEnd), (.releasing, .auditBegin), (.releasing, .auditEnd):
            return [.audit(id)]
        case (.releasing, .openLocal), (.releasing, .createLocal), (.releasing, .commitLocal):
            // Sent before the worker saw its client go: it finds no answer any more, and needs none.
            return []
        case (.starting, .openLocal), (.starting, .createLocal), (.starting, .commitLocal), (.starting, .abandonLocal),
            (.starting, .auditBegin), (.starting, .auditEnd), (.refusing, .auditBegin), (.refusing, .auditEnd),
            (.refusing, .openLocal), (.refusing, .createLocal), (.refusing, .commitLocal), (.refusing, .abandonLocal),
            (.releasing, .clientGone), (.releasing, .clientDropped), (.releasing, .ready),
            (.starting, .clientGone), (.starting, .clientDropped), (.serving, .ready),
            (.refusing, .ready), (.refusing, .clientGone), (.refusing, .clientDropped),
            (.waiting, _), (.toRefuse, _):
            return [.kill(id, reason: "it sent a message out of turn")]
        }
    }

    /// A worker's process has ended, or could not be started.
    mutating func ended(_ id: ID, now: Int) -> [Action] {
        sessions[id] = nil
        return advance(now: now)
    }

    /// Gives the place to who is next, and ends what has lasted too long.
    mutating func advance(now: Int) -> [Action] {
        var actions: [Action] = []
        for (id, session) in sessions.sorted(by: { $0.key < $1.key }) {
            guard let deadline = session.deadline, deadline <= now else { continue }
            sessions[id]?.deadline = nil
            switch session.phase {
            case .waiting:
                sessions[id]?.phase = .toRefuse
                sessions[id]?.deadline = now + Bound.silence
            case .toRefuse where session.hasSpoken: break
            case .toRefuse:
                sessions[id] = nil
                actions.append(.close(id, reason: "it waited too long and sent nothing"))
            case .starting: actions.append(.kill(id, reason: "it was not ready in time"))
            case .serving: actions.append(.kill(id, reason: "it did not end in time after the order to stop"))
            case .refusing: actions.append(.kill(id, reason: "the waiting client sent no request"))
            case .releasing: actions.append(.kill(id, reason: "it did not stop its remote commands in time"))
            }
        }
        guard !draining else { return actions }
        if occupant == nil,
            let next = sessions.filter({ $0.value.phase == .waiting || $0.value.phase == .toRefuse }).keys.min()
        {
            actions.append(start(next, .serve, now: now))
        }
        var refusals = sessions.values.count { session in
            switch session.phase {
            case .starting(.refuse), .refusing: true
            case .starting(.serve), .waiting, .toRefuse, .serving, .releasing: false
            }
        }
        for id in sessions.filter({ $0.value.phase == .toRefuse && $0.value.hasSpoken }).keys.sorted()
        where refusals < Self.maximumRefusals {
            actions.append(start(id, .refuse(reason: refusal(now: now)), now: now))
            refusals += 1
        }
        return actions
    }

    private mutating func start(_ id: ID, _ role: WorkerRole, now: Int) -> Action {
        sessions[id]?.phase = .starting(role)
        sessions[id]?.deadline = now + Bound.start
        return .start(id, role)
    }

    private func refusal(now: Int) -> String {
        guard let occupant else { return "This daemon had no place for you; try again." }
        return
            "Another client is connected to \(socket): process \(occupant.pid), for \((now - occupant.since) / 1000) s. "
            + "This daemon serves one client at a time, and you have waited \(waitMilliseconds / 1000) s for your turn. "
            + "Close the other client, or try again later."
    }

    /// Stops everything: who waits is closed, who is served is told to end in time.
    mutating func drain(now: Int) -> [Action] {
        draining = true
        var actions: [Action] = []
        for (id, session) in sessions.sorted(by: { $0.key < $1.key }) {
            switch session.phase {
            case .waiting, .toRefuse:
                sessions[id] = nil
                actions.append(.close(id, reason: "the daemon stops"))
            case .starting(.refuse), .refusing:
                actions.append(.kill(id, reason: "the daemon stops"))
            case .serving:
                actions.append(.drain(id))
                sessions[id]?.deadline = now + Bound.drain
            case .starting(.serve), .releasing:
                sessions[id]?.deadline = now + Bound.drain
            }
        }
        return actions
    }
}
