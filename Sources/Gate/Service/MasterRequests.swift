internal import Exec
internal import Glibc
internal import IPC
internal import Mux
internal import Policy
internal import SFTPFilter

/// The requests of a worker that need a connection to a ControlMaster: of which kind each is, and how far. Each gets a connection
/// of its own; only questions whether one master lives that come while it is being asked share one. Pure: events come in with
/// their time, in milliseconds of a steady clock, and the actions that they lead to are returned.
struct MasterRequests {
    /// The number of a connection, which its request to the supervisor has as well.
    typealias ID = UInt32

    enum Action: Equatable {
        /// Ask the supervisor for a connection to the host of this index in the policy of this number.
        case connect(ID, host: UInt32, policy: UInt32)
        /// Close the connection to the master and what was to be passed over it, as far as there are any.
        case close(ID)
        /// Answer the worker's request of this id.
        case answer(requestID: UInt32, GateAnswer)
        /// Ask the supervisor for one for the session that this report is about.
        case open(ID, GateReport, host: UInt32, policy: UInt32)
        /// Have the supervisor write down what is refused by this rule.
        case refuse(ID, GateReport, PolicyRule)
        /// Tell the supervisor of a session that a host has opened.
        case tell(SessionKind, host: UInt32, policy: UInt32)
        /// Take the connection that was kept under the second number for the first one, and ask the master over it whether it lives.
        case reuse(ID, kept: ID)
        /// Have the supervisor admit the session that this report is about over such a connection.
        case admit(ID, GateReport, policy: UInt32)
        /// Ask the master this over such a connection.
        case ask(ID, MasterRequest, SFTPRules?)
    }

    /// What the supervisor's connection is for.
    enum Use: Equatable {
        /// Ask the master this over it. Where there are rules, the requests that the session is sent go through a filter.
        case ask(MasterRequest, SFTPRules?)
        /// Nobody wants it any more.
        case drop
        /// Nobody has asked for it.
        case violation
    }

    /// What a worker's request asks for.
    private enum Wish: Equatable {
        /// Whether the master lives.
        case alive
        /// A session with the host's files.
        case files(FileAccess)
        /// A session with the host's files by way of a shell.
        case shell(ShellSession)
        /// A session that runs a command.
        case command(GateCommand)
        /// A session that runs one of the gate's own lines.
        case errand(Errand)

        /// What is written down of it; nil where nothing is opened.
        func report(_ asker: Asker) -> GateReport? {
            switch self {
            case .alive: nil
            case .files(let access):
                GateReport(host: asker.host, call: asker.call, .files(writes: access.writes))
            case .shell(let session): GateReport(host: asker.host, call: asker.call, session)
            case .command(let command): GateReport(command)
            case .errand(let errand): GateReport(host: asker.host, call: 0, .errand(errand.kind))
            }
        }

        /// Of a session.
        var kind: SessionKind? {
            switch self {
            case .alive: nil
            case .files: .sftp
            case .shell: .shell
            case .command: .command
            case .errand: .errand
            }
        }

        /// What judges the requests of a session; nil where they need no judgement.
        var rules: SFTPRules? {
            switch self {
            case .alive, .shell, .command, .errand: return nil
            case .files(let access):
                let rules = SFTPRules(allowsWriting: access.writes, baseDirectory: access.base)
                return rules.allowEverything ? nil : rules
            }
        }
    }

    private struct Asker {
        let requestID: UInt32
        let host: String
        /// The call that a session is for.
        var call: UInt32 = 0
        /// Until when the master must have answered, or asked the host; nil once it has asked the host, which has no time limit
        /// here: the worker closes what lasts too long.
        var deadline: Int?
    }

    /// What an `ssh` gets for the ticket that it shows.
    enum Shown: Equatable {
        /// The session of this connection, for the worker's request of this id. What must be done for it follows when its
        /// descriptors are kept.
        case session(ID, requestID: UInt32)
        /// Nothing: the request has ended.
        case ended
        /// It has no right to show it.
        case violation
    }

    private enum Stage: Equatable {
        /// The worker has a ticket for it, and `ssh` has not shown it.
        case ticketed
        /// Others that are connecting must be done first.
        case queued
        /// The supervisor connects.
        case connecting
        /// Over a connection that was kept, the master is asked whether it still lives, and the supervisor admits the session
        /// meanwhile: which of the two has been answered.
        case reusing(isAlive: Bool, isNoted: Bool)
        /// The master is asked.
        case asking
        /// The host has opened the session.
        case open
    }

    private struct Entry {
        let socket: String
        let host: UInt32
        let policy: UInt32
        let wish: Wish
        /// What the master is asked.
        let request: MasterRequest
        var stage = Stage.queued
        /// Until when a session may go on that the policy in force would not open.
        var until: Int?
        /// Who is to be answered: one, or those who share a question. Empty where it has come too late for all.
        var askers: [Asker]

        var kind: SessionKind? { wish.kind }

        /// The same with nobody who is to be answered.
        var unasked: Entry {
            var entry = self
            entry.askers = []
            return entry
        }
    }

    /// A connection over which a master has said that it lives, and over which nothing is asked now.
    private struct Kept {
        let id: ID
        let policy: UInt32
        let until: Int
    }

    /// How long one is kept, in milliseconds. A command is judged and run within that, over one connection. A master whose user leaves
    /// waits for open connections.
    static let keeping = 500
    /// Requests that wait for a supervisor or a master at most. Further ones are not read before one of these is answered.
    static let maximum = 64
    /// Refusals that wait to be written down at most.
    static let maximumRefusals = 16

    private var policy: PolicySnapshot
    private var number: UInt32
    private var entries: [ID: Entry] = [:]
    /// Connections that are kept, at most one to each socket.
    private var kept: [String: Kept] = [:]
    /// Sessions that the worker may still hear of, by the ids of its requests.
    private var sessions: [UInt32: ID] = [:]
    private var nextID: ID = 1
    private var nonces = OwnNonces()
    private var tickets = Tickets()
    private var logins = LoginsSeen()
    /// Names of hosts of the policy whose lines may use `export`.
    private var exporting: Set<String> = []
    /// What the worker hears of refusals once they are written down, by their numbers: the ids of its requests, and the answers.
    private var refusals: [ID: (requestID: UInt32, answer: GateAnswer)] = [:]

    init(_ policy: PolicySnapshot, number: UInt32) {
        self.policy = policy
        self.number = number
    }

    /// Whether no further request may be taken now.
    var isFull: Bool {
        refusals.count >= Self.maximumRefusals
            || entries.values.reduce(0) { $0 + $1.askers.count { $0.deadline != nil } } >= Self.maximum
    }

    /// When `advance` must be called next, if nothing happens before.
    var nextDeadline: Int? {
        (entries.values.flatMap { entry in entry.askers.compactMap(\.deadline) + [entry.until].compactMap { $0 } }
            + kept.values.map(\.until)).min()
    }

    /// What the nonces of the worker's commands begin with.
    var mark: String { nonces.mark }

    /// Whether a command may have this nonce.
    func isOwn(_ nonce: String) -> Bool { nonces.isOwn(nonce) }

    private var connecting: Int { entries.values.count { $0.stage == .connecting } }

    // MARK: Requests

    /// The worker asks about the master of this host.
    mutating func askAlive(_ host: String, _ requestID: UInt32, now: Int) -> [Action] {
        take(.alive, Asker(requestID: requestID, host: host, deadline: now + MasterDown.patience)).actions
    }

    /// The worker asks for a session with the files of this host.
    /// - Returns: the connection that the session's descriptors belong to, nil where there will be none; nil where the id is that of
    ///   another session.
    mutating func openFiles(
        _ host: String, _ access: FileAccess, for call: UInt32 = 0, _ requestID: UInt32, by transport: Transport = .mux,
        now: Int
    ) -> (id: ID?, actions: [Action])? {
        open(.files(access), host, for: call, requestID, by: transport, now: now)
    }

    /// The worker asks for a session with the files of this host by way of a shell; see `openFiles`.
    mutating func openShell(
        _ host: String, _ session: ShellSession, for call: UInt32 = 0, _ requestID: UInt32,
        by transport: Transport = .mux, now: Int
    ) -> (id: ID?, actions: [Action])? {
        open(.shell(session), host, for: call, requestID, by: transport, now: now)
    }

    /// The worker asks for a session that runs this command; see `openFiles`.
    mutating func run(
        _ command: GateCommand, _ requestID: UInt32, by transport: Transport = .mux, now: Int
    ) -> (id: ID?, actions: [Action])? {
        nonces.insert(command.nonce)
        var command = command
        command.seconds = min(command.seconds, UInt32(clamping: policy.limits.maxTimeoutSeconds))
        return open(.command(command), command.host, for: command.call, requestID, by: transport, now: now)
    }

    /// The worker has a command judged, and asks whether its ControlMaster lives.
    mutating func judge(_ command: GateCommand, _ requestID: UInt32, now: Int) -> [Action] {
        guard let host = host(command.host) else { return askAlive(command.host, requestID, now: now) }
        do throws(GateRefusal) {
            try CommandJudge.judge(command, on: host, allowDelete: policy.allowDelete)
        } catch {
            return refuse(requestID, .refused(error), GateReport(command), error.rule)
        }
        return askAlive(command.host, requestID, now: now)
    }

    /// The worker has a forward to this target judged.
    mutating func judgeForward(
        _ name: String, to target: ForwardTarget, call: UInt32, _ requestID: UInt32
    ) -> [Action] {
        guard let host = host(name) else { return [answer(requestID, .master(.down(.noHost)))] }
        do throws(GateRefusal) {
            try ForwardWork.judge(target, on: host)
        } catch {
            return refuse(
                requestID, .refused(error), GateReport(host: name, call: call, .forward(target.fields)), error.rule)
        }
        return [answer(requestID, .allowed)]
    }

    /// The worker tells whether lines to this host may use `export`.
    mutating func takeNotice(_ name: String, exports: Bool) {
        guard let host = host(name) else { return }
        if exports { exporting.insert(host.name) } else { exporting.remove(host.name) }
    }

    private func host(_ name: String) -> PolicySnapshot.Host? {
        policy.hosts.first { $0.name.utf8.elementsEqual(name.utf8) }
    }

    /// A refusal is written down before the worker hears of it. So a worker gets no more of them than are.
    private mutating func refuse(
        _ requestID: UInt32, _ answer: GateAnswer, _ report: GateReport, _ rule: PolicyRule
    ) -> [Action] {
        let id = newID()
        refusals[id] = (requestID, answer)
        return [.refuse(id, report, rule)]
    }

    /// A refusal is written down, or a session; nil where there is none with this number.
    mutating func noted(_ id: ID) -> [Action]? {
        if let refusal = refusals.removeValue(forKey: id) { return [answer(refusal.requestID, refusal.answer)] }
        guard let entry = entries[id], case .reusing(let isAlive, isNoted: false) = entry.stage else { return nil }
        guard !entry.askers.isEmpty else {
            entries[id] = nil
            return [.close(id)]
        }
        guard entry.policy == number else { return judgeAgain(id, entry) }
        return reusing(id, entry, isAlive: isAlive, isNoted: true)
    }

    /// The master lives, or the session is admitted. When both are so, it is asked for.
    private mutating func reusing(_ id: ID, _ entry: Entry, isAlive: Bool, isNoted: Bool) -> [Action] {
        guard isAlive, isNoted else {
            entries[id]?.stage = .reusing(isAlive: isAlive, isNoted: isNoted)
            return []
        }
        entries[id]?.stage = .asking
        return [.ask(id, entry.request, entry.wish.rules)]
    }

    private mutating func newID() -> ID {
        defer { nextID &+= 1 }
        return nextID
    }

    /// The worker asks for a session that runs a line of the gate's own; see `openFiles`.
    mutating func run(
        _ errand: Errand, _ host: String, _ requestID: UInt32, by transport: Transport = .mux, now: Int
    ) -> (id: ID?, actions: [Action])? {
        switch errand {
        case .probe(let nonce), .trial(let nonce), .identity(let nonce): nonces.insert(nonce)
        case .stop, .sweep, .question: break
        }
        return open(.errand(errand), host, requestID, by: transport, now: now)
    }

    private mutating func open(
        _ wish: Wish, _ host: String, for call: UInt32 = 0, _ requestID: UInt32, by transport: Transport, now: Int
    ) -> (id: ID?, actions: [Action])? {
        guard sessions[requestID] == nil else { return nil }
        guard sessions.count < GateRequest.maximumSessions else {
            let failure = SessionFailure.down(.unavailable(errno: UInt32(EMFILE)))
            return (nil, [.answer(requestID: requestID, .notOpened(failure))])
        }
        let patience =
            switch transport {
            case .mux: MasterDown.patience
            case .ssh: TicketRequest.patience
            }
        let asker = Asker(requestID: requestID, host: host, call: call, deadline: now + patience)
        return take(wish, asker, by: transport)
    }

    /// An `ssh` of the worker shows a ticket, and wants a subsystem or none.
    mutating func show(_ ticket: String, isSubsystem: Bool, now: Int) -> Shown {
        switch tickets.show(ticket) {
        case .none: return .violation
        case .ended: return .ended
        case .request(let id):
            guard let entry = entries[id], entry.stage == .ticketed, case .session(let session) = entry.request,
                session.isSubsystem == isSubsystem, let asker = entry.askers.first
            else { return .violation }
            entries[id]?.stage = .queued
            entries[id]?.askers = [
                Asker(
                    requestID: asker.requestID, host: asker.host, call: asker.call,
                    deadline: now + MasterDown.patience)
            ]
            return .session(id, requestID: asker.requestID)
        }
    }

    /// The worker closes a session, which may be over already.
    mutating func close(_ requestID: UInt32) -> [Action] {
        guard let id = sessions.removeValue(forKey: requestID), let entry = entries[id] else { return [] }
        switch entry.stage {
        case .ticketed, .queued:
            tickets.end(id)
            entries[id] = nil
            return [.close(id), answer(requestID, .notOpened(.closed(wasAsked: false)))]
        case .reusing(_, isNoted: true):
            entries[id] = nil
            return [.close(id), answer(requestID, .notOpened(.closed(wasAsked: false)))]
        case .connecting, .reusing(_, isNoted: false):
            // The supervisor still has the request, and answers it.
            entries[id]?.askers = []
            return [.close(id), answer(requestID, .notOpened(.closed(wasAsked: false)))]
        case .asking:
            entries[id] = nil
            let wasAsked = entry.askers.contains { $0.deadline == nil }
            return [.close(id), answer(requestID, .notOpened(.closed(wasAsked: wasAsked)))]
        case .open:
            entries[id] = nil
            return [.close(id), answer(requestID, .ended)]
        }
    }

    /// Judges a request by the policy in force, and begins it.
    /// - Parameter known: the id that it has already.
    private mutating func take(
        _ wish: Wish, _ asker: Asker, as known: ID? = nil, by transport: Transport = .mux
    ) -> (id: ID?, actions: [Action]) {
        guard let index = policy.hosts.firstIndex(where: { $0.name.utf8.elementsEqual(asker.host.utf8) }) else {
            return (nil, [failed(wish, asker, .noHost)])
        }
        let request: MasterRequest
        do throws(SessionFailure) {
            request = try self.request(for: wish, policy.hosts[index])
        } catch {
            guard let rule = error.rule, let report = wish.report(asker) else {
                return (nil, [answer(asker.requestID, .notOpened(error))])
            }
            return (nil, refuse(asker.requestID, .notOpened(error), report, rule))
        }
        let socket = policy.hosts[index].master.socket
        switch wish {
        case .alive:
            let same = entries.first {
                $0.value.wish == .alive && $0.value.policy == number && $0.value.socket == socket
            }
            if let id = same?.key {
                entries[id]?.askers.append(asker)
                return (id, [])
            }
        case .files, .shell, .command, .errand: break
        }
        let id = known ?? newID()
        entries[id] = Entry(
            socket: socket, host: UInt32(index), policy: number, wish: wish, request: request, askers: [asker])
        if wish.kind != nil { sessions[asker.requestID] = id }
        switch transport {
        case .mux: return (id, startQueued())
        case .ssh:
            entries[id]?.stage = .ticketed
            return (id, [answer(asker.requestID, .ticket(tickets.issue(for: id)))])
        }
    }

    /// What the master is asked, where the policy of the host allows it.
    private func request(
        for wish: Wish, _ host: PolicySnapshot.Host
    ) throws(SessionFailure) -> MasterRequest {
        let (text, isSubsystem): (String, Bool)
        switch wish {
        case .alive: return .control(.alive)
        case .files(let access):
            guard host.capabilities.fileRead || host.capabilities.fileWrite else { throw .refused(.fileAccess) }
            guard FilesOverShell.allowsSFTP(on: host), access.isWithin(FileAccess(host)) else {
                throw .refused(.otherAccess)
            }
            (text, isSubsystem) = ("sftp", true)
        case .shell(let session):
            (text, isSubsystem) = (try shellLine(session, host), false)
        case .command(let command):
            do throws(GateRefusal) {
                try CommandJudge.judge(command, on: host, allowDelete: policy.allowDelete)
            } catch {
                throw .notAllowed(error)
            }
            text =
                logins.isKnown(host.master)
                ? Observer.line(for: command, on: host, exports: exporting.contains(host.name))
                : Observer.guardedLine(for: command, on: host)
            isSubsystem = false
        case .errand(let errand):
            guard nonces.allow(errand, host.capabilities) else { throw .refused(.errand) }
            (text, isSubsystem) = ErrandLine.of(errand)
        }
        guard text.utf8.count <= Observer.maximumLine, let session = MuxSession(command: text, isSubsystem: isSubsystem)
        else {
            throw .tooLong(bytes: UInt32(clamping: text.utf8.count), limit: UInt32(Observer.maximumLine))
        }
        return .session(session)
    }

    private func shellLine(
        _ session: ShellSession, _ host: PolicySnapshot.Host
    ) throws(SessionFailure) -> String {
        guard host.capabilities.fileRead || host.capabilities.fileWrite else { throw .refused(.fileAccess) }
        guard FilesOverShell.isAllowed(on: host) else { throw .refused(.filesOverShell) }
        switch session {
        case .requests: break
        case .content: guard host.capabilities.fileWrite else { throw .refused(.otherAccess) }
        }
        guard let line = ShellLine.of(session) else { throw .refused(.words) }
        return line
    }

    /// Has the supervisor connect for those that wait, as many as it takes at once.
    mutating func startQueued() -> [Action] {
        var actions: [Action] = []
        for (id, entry) in entries.sorted(by: { $0.key < $1.key }) where entry.stage == .queued {
            if let used = reuse(id, entry) {
                actions += used
                continue
            }
            guard connecting < FromGate.maximumConnects else { break }
            entries[id]?.stage = .connecting
            guard let report = entry.askers.first.flatMap(entry.wish.report) else {
                actions.append(.connect(id, host: entry.host, policy: entry.policy))
                continue
            }
            actions.append(.open(id, report, host: entry.host, policy: entry.policy))
        }
        return actions
    }

    /// Begins a request over the connection that is kept to its master; nil where there is none.
    private mutating func reuse(_ id: ID, _ entry: Entry) -> [Action]? {
        guard let connection = kept[entry.socket], connection.policy == entry.policy else { return nil }
        kept[entry.socket] = nil
        guard let report = entry.askers.first.flatMap(entry.wish.report) else {
            entries[id]?.stage = .asking
            return [.reuse(id, kept: connection.id)]
        }
        entries[id]?.stage = .reusing(isAlive: false, isNoted: false)
        return [.admit(id, report, policy: entry.policy), .reuse(id, kept: connection.id)]
    }

    /// Keeps a connection for what is asked next of the same master.
    private mutating func keep(_ id: ID, _ entry: Entry, now: Int) -> [Action] {
        let other = kept[entry.socket]
        kept[entry.socket] = Kept(id: id, policy: entry.policy, until: now + Self.keeping)
        return other.map { [.close($0.id)] } ?? []
    }

    // MARK: The supervisor

    /// The supervisor has connected.
    mutating func connected(_ id: ID) -> (use: Use, actions: [Action]) {
        guard let entry = entries[id], entry.stage == .connecting else { return (.violation, []) }
        guard !entry.askers.isEmpty else {
            entries[id] = nil
            return (.drop, startQueued())
        }
        // It may lead elsewhere than the policy in force does.
        guard entry.policy == number || entry.kind == nil else { return (.drop, judgeAgain(id, entry)) }
        entries[id]?.stage = .asking
        return (.ask(entry.request, entry.wish.rules), startQueued())
    }

    /// The supervisor has not connected; nil where nobody has asked it to.
    mutating func notConnected(_ id: ID, _ failure: ConnectFailure) -> [Action]? {
        guard let entry = entries[id] else { return nil }
        switch entry.stage {
        case .connecting: break
        case .reusing(_, let isNoted):
            guard !isNoted, failure == .otherPolicy || failure == .noCall else { return nil }
        case .ticketed, .queued, .asking, .open: return nil
        }
        let down: MasterDown
        switch failure {
        case .dead(let errno, let place): down = .dead(errno: errno, place)
        case .hung: down = .hung
        case .foreign(let userID): down = .foreign(userID: userID)
        case .unavailable(let errno): down = .unavailable(errno: errno)
        case .otherPolicy: return judgeAgain(id, entry)
        case .noCall:
            guard entry.kind != nil else { return nil }
            forget(id, entry)
            return [.close(id)] + answers(entry, .notOpened(.refused(.call))) + startQueued()
        }
        forget(id, entry)
        return [.close(id)] + entry.askers.map { failed(entry.wish, $0, down) } + startQueued()
    }

    /// The new policy came before this word: what it says of these hosts counts. A session keeps its id, because its descriptors
    /// wait under it.
    private mutating func judgeAgain(_ id: ID, _ entry: Entry) -> [Action] {
        switch entry.wish {
        case .alive:
            entries[id] = nil
            return entry.askers.flatMap { take(entry.wish, $0).actions } + startQueued()
        case .files, .shell, .command, .errand:
            forget(id, entry)
            guard let asker = entry.askers.first else { return startQueued() }
            let (again, actions) = take(entry.wish, asker, as: id)
            return (again == nil ? [.close(id)] : []) + actions + startQueued()
        }
    }

    /// What is asked from now on is judged by this policy. Sessions that it would not open may end what they do: for as long as a call
    /// may last, `limits.max_timeout_seconds`.
    mutating func adopt(_ policy: PolicySnapshot, number: UInt32, now: Int) {
        self.policy = policy
        self.number = number
        logins.forget(all: { socket in !policy.hosts.contains { $0.master.socket == socket } })
        exporting.formIntersection(policy.hosts.map(\.name))
        for (id, entry) in entries where entry.kind != nil && entry.until == nil {
            guard entry.stage == .asking || entry.stage == .open, !isOpenable(entry) else { continue }
            entries[id]?.until = now + policy.limits.maxTimeoutSeconds * 1000
        }
    }

    /// Whether the policy in force would open this session as well.
    private func isOpenable(_ entry: Entry) -> Bool {
        guard let name = entry.askers.first?.host,
            let host = policy.hosts.first(where: { $0.name.utf8.elementsEqual(name.utf8) })
        else { return false }
        return host.master.socket == entry.socket && (try? request(for: entry.wish, host)) != nil
    }

    // MARK: Masters

    /// The master has the whole request, and waits for the host.
    mutating func waitsForHost(_ id: ID) {
        for index in entries[id]?.askers.indices ?? 0..<0 { entries[id]?.askers[index].deadline = nil }
    }

    /// What was seen of the master.
    mutating func seen(_ id: ID, _ fact: MasterFact, now: Int) -> [Action] {
        guard let entry = entries[id] else { return lost(kept: id) }
        if entry.kind == nil, entry.stage == .asking || entry.stage == .open {
            entries[id] = nil
            let told = entry.askers.map { answer($0.requestID, .master(MasterState(fact))) }
            guard case .alive(let processID) = fact else { return [.close(id)] + told }
            logins.answers(entry.socket, as: processID)
            return keep(id, entry, now: now) + told
        }
        switch entry.stage {
        case .ticketed, .queued, .connecting: return []
        case .reusing(_, let isNoted):
            if case .alive = fact { return reusing(id, entry, isAlive: true, isNoted: isNoted) }
            forget(id, entry)
            // The supervisor still has the request, and answers it.
            if !isNoted { entries[id] = entry.unasked }
            return [.close(id)] + answers(entry, .notOpened(.down(MasterDown(fact))))
        case .asking:
            guard fact != .sessionOpened else {
                entries[id]?.stage = .open
                waitsForHost(id)
                guard let kind = entry.kind else { return answers(entry, .opened) }
                return [.tell(kind, host: entry.host, policy: entry.policy)] + answers(entry, .opened)
            }
            forget(id, entry)
            return [.close(id)] + answers(entry, .notOpened(SessionFailure(fact)))
        case .open:
            if case .sessionExited(let status) = fact {
                if case .command(let command) = entry.wish, status != LoginCheck.otherUser,
                    let host = host(command.host),
                    host.master.socket == entry.socket
                {
                    logins.ran(host.master)
                }
                return answers(entry, .exited(status: status))
            }
            forget(id, entry)
            return [.close(id)] + answers(entry, .ended)
        }
    }

    /// A connection that is kept has ended, or its master says what nobody has asked.
    private mutating func lost(kept id: ID) -> [Action] {
        guard let socket = kept.first(where: { $0.value.id == id })?.key else { return [] }
        kept[socket] = nil
        return [.close(id)]
    }

    /// Answers those who have waited long enough.
    mutating func advance(now: Int) -> [Action] {
        var actions: [Action] = []
        for (socket, connection) in kept where connection.until <= now {
            kept[socket] = nil
            actions.append(.close(connection.id))
        }
        for (id, entry) in entries.sorted(by: { $0.key < $1.key }) where entry.until.map({ $0 <= now }) ?? false {
            forget(id, entry)
            let last: GateAnswer = entry.stage == .open ? .ended : .notOpened(.refused(.otherAccess))
            actions += [.close(id)] + answers(entry, last)
        }
        for (id, entry) in entries.sorted(by: { $0.key < $1.key }) {
            func isLate(_ asker: Asker) -> Bool { asker.deadline.map { $0 <= now } ?? false }
            let late = entry.askers.filter(isLate)
            guard !late.isEmpty else { continue }
            let isWithoutSSH = entry.stage == .ticketed
            actions += late.map {
                isWithoutSSH
                    ? answer($0.requestID, .notOpened(.ssh("it did not come in time"))) : failed(entry.wish, $0, .hung)
            }
            for asker in late where entry.kind != nil { sessions[asker.requestID] = nil }
            entries[id]?.askers.removeAll(where: isLate)
            guard entries[id]?.askers.isEmpty == true else { continue }
            switch entry.stage {
            // The supervisor still has the request, and answers it.
            case .connecting, .reusing(_, isNoted: false): if entry.kind != nil { actions.append(.close(id)) }
            case .ticketed, .queued:
                tickets.end(id)
                entries[id] = nil
                if entry.kind != nil { actions.append(.close(id)) }
            case .asking, .open, .reusing(_, isNoted: true):
                entries[id] = nil
                actions.append(.close(id))
            }
        }
        return actions
    }

    /// The worker is heard no more: all that it has ends.
    mutating func endAll() -> [Action] {
        defer { sessions = [:] }
        var actions = kept.values.map(\.id).sorted().map { Action.close($0) }
        kept = [:]
        for (id, entry) in entries.sorted(by: { $0.key < $1.key }) {
            actions.append(.close(id))
            // The supervisor still has these requests, and answers them.
            switch entry.stage {
            case .connecting, .reusing(_, isNoted: false): break
            case .ticketed, .queued, .reusing(_, isNoted: true), .asking, .open: entries[id] = nil
            }
            entries[id]?.askers = []
        }
        return actions
    }

    // MARK: Answers

    private mutating func forget(_ id: ID, _ entry: Entry) {
        entries[id] = nil
        guard entry.kind != nil else { return }
        for asker in entry.askers { sessions[asker.requestID] = nil }
    }

    private func answer(_ requestID: UInt32, _ word: GateAnswer) -> Action { .answer(requestID: requestID, word) }

    private func answers(_ entry: Entry, _ word: GateAnswer) -> [Action] {
        entry.askers.map { answer($0.requestID, word) }
    }

    /// Nothing was asked of the master, or nothing has come of it.
    private func failed(_ wish: Wish, _ asker: Asker, _ down: MasterDown) -> Action {
        switch wish {
        case .alive: answer(asker.requestID, .master(.down(down)))
        case .files, .shell, .command, .errand: answer(asker.requestID, .notOpened(.down(down)))
        }
    }
}

extension MasterState {
    /// What a master's answer to the question means, or its lack.
    init(_ fact: MasterFact) {
        switch fact {
        case .alive(let masterPID): self = .alive(masterPID: masterPID)
        case .failed(let failure, _): self = .down(MasterDown(failure))
        case .refused, .sessionOpened, .sessionExited, .sessionEnded, .forwardOpened, .forwardClosed:
            self = .down(.noMaster)
        }
    }
}

extension MasterDown {
    /// What it means that a master says something else than that it lives.
    fileprivate init(_ fact: MasterFact) {
        switch fact {
        case .failed(let failure, _): self.init(failure)
        case .alive, .refused, .sessionOpened, .sessionExited, .sessionEnded, .forwardOpened, .forwardClosed:
            self = .noMaster
        }
    }

    fileprivate init(_ failure: MasterFailure) {
        switch failure {
        case .lost: self = .closed
        case .silent: self = .hung
        case .otherVersion(let version): self = .otherVersion(version)
        case .violation: self = .noMaster
        }
    }
}

extension SessionFailure {
    /// What a master's answer other than that the session is open means, or its lack.
    init(_ fact: MasterFact) {
        switch fact {
        case .refused(let refusal): self = refusal.isByHost ? .byHost : .byMaster(reason: refusal.reason)
        case .failed(let failure, .nothingAsked): self = .down(MasterDown(failure))
        case .failed(let failure, .unknown): self = .unknown(MasterDown(failure))
        case .alive, .sessionOpened, .sessionExited, .sessionEnded, .forwardOpened, .forwardClosed:
            self = .unknown(.noMaster)
        }
    }
}
