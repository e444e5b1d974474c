internal import IPC

/// Keeps the forwards, from the request for one to the proof that it is gone. It has no effects: messages and looks at the
/// listeners come in, and the actions that follow are returned.
///
/// A forward lives in a ControlMaster and outlives every process of the daemon. So it is written down before the master is
/// asked, and it leaves the registry only when its listener was seen to be gone.
struct ForwardRegistry {
    typealias ID = UInt32

    static let maximumCount = Int(ForwardEntry.maximumCount)
    /// How many ports are tried for one request, and how often one forward is cancelled.
    private static let maximumTries = 5
    private static let maximumCancels = 2
    /// Orders that a canceller has at a time. Each takes a process that connects, of which there are few.
    private static let maximumOrders = 32
    /// Below the range that outgoing connections take, ip_local_port_range in ip(7).
    private static let ports: ClosedRange<UInt16> = 20_000...32_767

    let uid: UInt32
    /// The hosts that may carry forwards, by name.
    private(set) var masters: [String: Master] = [:]
    private(set) var forwards: [ID: Forward] = [:]
    private var stopping = false
    private var nextID: ID = 1

    init(uid: UInt32) {
        self.uid = uid
    }

    var isEmpty: Bool { forwards.isEmpty }

    /// Those that a gate without a worker has to cancel.
    var toCancel: [ID] { forwards.filter { $0.value.phase == .toCancel }.keys.sorted() }

    /// The ports on which the forwards that run should listen.
    var runningPorts: [UInt16] { forwards.values.filter { $0.phase == .running }.map(\.route.localPort) }

    // MARK: What workers want

    /// A message of a worker that serves, for this call. `choose` gives ports to try. What listens is looked at only for a message whose answer
    /// depends on it.
    mutating func received(
        _ message: ToSupervisor.Forwards, _ requestID: UInt32, from connection: ConnectionTable.ID,
        for call: Int? = nil, _ listeners: @autoclosure () -> Listeners, now: UInt64,
        choose: () -> UInt16 = { UInt16.random(in: ports) }
    ) -> [Action] {
        switch message {
        case .request(let host, let target, let localPort, _):
            return request(host, target, localPort, (connection, requestID), call, listeners, now, choose)
        case .list: return (isEmpty ? [] : observe(listeners())) + [.answer(.list(entries))]
        case .cancel(let id, let port, let host, _):
            return cancel(id, port, host, (connection, requestID), call, listeners)
        }
    }

    /// Who waits for what comes of a forward: a worker, by its request.
    typealias Asker = (connection: ConnectionTable.ID, requestID: UInt32)

    /// Who waits for what comes of this forward.
    func asker(of id: ID) -> Asker? {
        guard let forward = forwards[id], let owner = forward.owner else { return nil }
        return (owner, forward.requestID)
    }

    private static func refusal(_ why: ForwardRefusal) -> [Action] { [.answer(.refused(why))] }

    private mutating func request(
        _ host: String, _ target: ForwardTarget, _ wanted: UInt16,
        _ asker: Asker, _ call: Int?,
        _ listeners: () -> Listeners, _ now: UInt64, _ choose: () -> UInt16
    ) -> [Action] {
        guard !stopping else { return Self.refusal(.stopping) }
        guard let master = masters[host] else { return Self.refusal(.notAllowed(host: host)) }
        guard target.isPossible else { return Self.refusal(.noTarget) }
        let listeners = listeners()
        // Asking once more for what there is changes nothing.
        let same = forwards.first { _, forward in
            forward.phase == .running && forward.host == host && forward.isOpen(in: listeners, of: uid)
                && forward.route == ForwardRoute(master: master, localPort: wanted, target: target)
        }
        if let same {
            return [.answer(.running(forward: same.key, localPort: wanted, since: same.value.since))]
        }
        // A dead forward to the same target is made again, on its old port if that is free.
        let old = forwards.sorted { $0.key < $1.key }.first { _, forward in
            forward.phase == .dead && forward.inode != nil && forward.host == host
                && forward.route.target == target
                && (wanted == 0 || wanted == forward.route.localPort)
                && listeners.loopback[forward.route.localPort] == nil
        }
        if old == nil, forwards.count >= Self.maximumCount {
            return Self.refusal(.tooMany)
        }
        if let other = forwards.first(where: { $0.value.route.localPort == wanted && $0.key != old?.key }) {
            return Self.refusal(.portOfForward(localPort: wanted, forward: other.key))
        }
        let explicit = wanted != 0 ? wanted : nil
        if let explicit, listeners.taken.contains(explicit) { return Self.refusal(.portTaken(localPort: explicit)) }
        guard let port = explicit ?? free(listeners, preferring: old?.value.route.localPort, choose) else {
            return Self.refusal(.noPort)
        }
        let route = ForwardRoute(master: master, localPort: port, target: target)
        var forward = Forward(host: host, route: route, since: now, phase: .requested)
        guard forward.isPlausible else { return Self.refusal(.namesTooLong(host: host)) }
        (forward.owner, forward.requestID) = asker
        forward.call = call
        forward.wantsPort = explicit != nil
        forward.formerInode = old?.value.inode
        let id = old?.key ?? newID()
        forwards[id] = forward
        return propose(id)
    }

    /// The forward is written down before a master hears of it.
    private mutating func propose(_ id: ID) -> [Action] {
        forwards[id]?.attempts += 1
        guard let forward = forwards[id], let owner = forward.owner else { return [] }
        return [.record, .order(id, .open(host: forward.host, forward.route), by: owner)]
    }

    /// Takes notice that the forwards are written down, so that workers may be told their ports.
    mutating func recorded() {
        for (id, forward) in forwards where forward.phase == .requested { forwards[id]?.phase = .establishing }
    }

    /// Takes notice that the forwards could not be written down.
    /// - Returns: the new ones, which are dropped, and who waits for them.
    mutating func unrecorded() -> [(forward: ID, asker: Asker?)] {
        let unmade = forwards.filter { $0.value.phase == .requested }.keys.sorted().map { ($0, asker(of: $0)) }
        for (id, _) in unmade { giveUp(id, .notWritten) }
        return unmade
    }

    private mutating func newID() -> ID {
        while forwards[nextID] != nil || nextID == 0 { nextID &+= 1 }
        defer { nextID &+= 1 }
        return nextID
    }

    private func free(_ listeners: Listeners, preferring first: UInt16? = nil, _ choose: () -> UInt16) -> UInt16? {
        let used = Set(forwards.values.map(\.route.localPort))
        if let first, !listeners.taken.contains(first) { return first }
        for _ in 0..<1000 {
            let port = choose()
            if !listeners.taken.contains(port), !used.contains(port) { return port }
        }
        return nil
    }

    // MARK: What gates saw

    /// What came of an order that the gate of this connection had. Nothing follows where the forward is not its any more.
    mutating func performed(
        _ id: ID, _ outcome: ForwardOutcome, by connection: ConnectionTable.ID,
        _ listeners: @autoclosure () -> Listeners,
        holds: (UInt32, UInt64) -> Bool? = Listeners.process, choose: () -> UInt16 = { UInt16.random(in: ports) }
    ) -> [Action] {
        guard let forward = forwards[id], forward.owner == connection else { return [] }
        switch forward.phase {
        case .establishing:
            guard case .opened(let masterPID) = outcome else { return failed(id, forward, outcome, listeners, choose) }
            return established(id, forward, listeners()) { masterPID == 0 ? nil : holds(masterPID, $0) }
        case .cancelling, .toCancel: return cancelled(id, forward, outcome, listeners())
        case .requested, .running, .dead: return []
        }
    }

    private mutating func established(
        _ id: ID, _ forward: Forward, _ listeners: Listeners, _ masterHolds: (UInt64) -> Bool?
    ) -> [Action] {
        guard !stopping, masters[forward.host] == forward.route.master else {
            return leaveToCanceller([id]) + Self.refusal(.allowedNoMore(host: forward.host))
        }
        let listener = listeners.loopback[forward.route.localPort]
        guard let listener, listener.canBe(of: uid), masterHolds(listener.inode) != false else {
            // The master says that it listens, and is not seen to. It is cancelled, so that nothing stays behind.
            return leaveToCanceller([id])
                + Self.refusal(.notListening(host: forward.host, localPort: forward.route.localPort))
        }
        settle(id, .running)
        forwards[id]?.inode = listener.inode
        return [
            note(.info, "forward established", id), .record,
            .answer(.running(forward: id, localPort: forward.route.localPort, since: forward.since)),
        ].compactMap { $0 }
    }

    private mutating func failed(
        _ id: ID, _ forward: Forward, _ outcome: ForwardOutcome, _ listeners: () -> Listeners, _ choose: () -> UInt16
    ) -> [Action] {
        let port = forward.route.localPort
        switch outcome {
        case .refused:
            if !forward.wantsPort, forward.attempts < Self.maximumTries, let other = free(listeners(), choose) {
                forwards[id]?.route.localPort = other
                forwards[id]?.phase = .requested
                return propose(id)
            }
            giveUp(id, .notOpened)
            return [.record]
                + Self.refusal(.notOpened(host: forward.host, localPort: port, wasNamed: forward.wantsPort))
        case .down(let why):
            giveUp(id, .masterDead)
            return [.record] + Self.refusal(.masterDown(host: forward.host, why))
        case .notAllowed:
            giveUp(id, .notOpened)
            return [.record] + Self.refusal(.notAllowed(host: forward.host))
        // An order to open is not answered by `closed`: a gate that says so knows nothing.
        case .unknown, .opened, .closed:
            settle(id, .dead, .masterSilent)
            return [.record] + Self.refusal(.masterSilent(host: forward.host))
        }
    }

    /// Takes notice that a forward was not made. If it was a dead one that should be made again, it stays dead.
    private mutating func giveUp(_ id: ID, _ trouble: ForwardTrouble) {
        guard let former = forwards[id]?.formerInode else { return forwards[id] = nil }
        settle(id, .dead, trouble)
        forwards[id]?.inode = former
    }

    private mutating func settle(_ id: ID, _ phase: Phase, _ trouble: ForwardTrouble? = nil) {
        forwards[id]?.phase = phase
        forwards[id]?.trouble = trouble
        forwards[id]?.owner = nil
        forwards[id]?.attempts = 0
    }

    // MARK: Looks at the listeners

    /// Compares all forwards with the listeners that were seen.
    mutating func observe(_ listeners: Listeners) -> [Action] {
        var actions: [Action] = []
        for (id, forward) in forwards.sorted(by: { $0.key < $1.key }) {
            let port = forward.route.localPort
            let open = forward.isOpen(in: listeners, of: uid)
            switch forward.phase {
            case .running where !open:
                settle(id, .dead, listeners.loopback[port] == nil ? .notListening : .otherListener)
                actions += [note(.warning, "forward dead", id), .record].compactMap { $0 }
            // The listener is there after all, and was never seen before.
            case .dead where open && forward.inode == nil && forward.attempts < Self.maximumCancels:
                actions += leaveToCanceller([id])
            case .dead where forward.isOver(in: listeners, of: uid) && masters[forward.host] != forward.route.master:
                actions += remove(id)
            case .requested, .establishing, .running, .dead, .cancelling, .toCancel: break
            }
        }
        return actions
    }

    /// The list for a worker. Forwards that are being made are left out.
    private var entries: [ForwardEntry] {
        forwards.sorted { $0.key < $1.key }.filter { $0.value.phase != .requested && $0.value.phase != .establishing }
            .map { $0.value.entry($0.key) }
    }

    private func note(_ level: LogLevel, _ text: String, _ id: ID) -> Action? {
        forwards[id].map { .note(level, text, id, $0) }
    }

    private mutating func remove(_ id: ID) -> [Action] {
        defer { forwards[id] = nil }
        return [note(.info, "forward closed", id), .record].compactMap { $0 }
    }

    // MARK: Closing

    private mutating func cancel(
        _ id: ID, _ port: UInt16, _ host: String, _ asker: Asker,
        _ call: Int?, _ listeners: () -> Listeners
    ) -> [Action] {
        let found = forwards.first { key, forward in
            (id == 0 ? port != 0 && forward.route.localPort == port : key == id)
                && (host.isEmpty || forward.host == host)
        }
        guard let (id, forward) = found else {
            return Self.refusal(.noSuchForward(forward: id, localPort: port, host: host))
        }
        switch forward.phase {
        case .dead where forward.isOver(in: listeners(), of: uid):
            return remove(id) + [.answer(.closed(forward.entry(id)))]
        case .running, .dead:
            forwards[id]?.phase = .cancelling
            forwards[id]?.owner = asker.connection
            forwards[id]?.requestID = asker.requestID
            forwards[id]?.call = call
            forwards[id]?.attempts = 1
            return [.order(id, .close(forward.route), by: asker.connection)]
        case .requested, .establishing, .cancelling, .toCancel:
            return Self.refusal(.busy(forward: id))
        }
    }

    /// The master has been asked to cancel. Its answer proves nothing: the listener's end does.
    private mutating func cancelled(
        _ id: ID, _ forward: Forward, _ outcome: ForwardOutcome, _ listeners: Listeners
    ) -> [Action] {
        let open = forward.isOpen(in: listeners, of: uid)
        switch forward.phase {
        // A master that has not answered may still have an order to open it, and open it later.
        case .cancelling where !open && forward.inode == nil && !outcome.isOfMaster:
            settle(id, .dead, .masterSilent)
            return [.record] + Self.refusal(.masterSilent(host: forward.host))
        case .cancelling where !open: return remove(id) + [.answer(.closed(forward.entry(id)))]
        case .cancelling where forward.attempts < Self.maximumCancels:
            forwards[id]?.attempts += 1
            return forward.owner.map { [.order(id, .close(forward.route), by: $0)] } ?? []
        case .cancelling:
            settle(id, .running)
            forwards[id]?.inode = listeners.loopback[forward.route.localPort]?.inode
            return [.record] + Self.refusal(.stillOpen(forward: id, outcome, route: forward.route))
        case .toCancel where !open && forward.inode == nil && !outcome.isOfMaster:
            settle(id, .dead, .masterSilent)
            return [.record]
        case .toCancel where !open: return remove(id)
        case .toCancel: return tryAgain(id, forward)
        case .requested, .establishing, .running, .dead: return []
        }
    }

    /// Leaves these forwards to a canceller.
    private mutating func leaveToCanceller(_ ids: [ID]) -> [Action] {
        for id in ids { settle(id, .toCancel) }
        return ids.map { .cancel($0) }
    }

    private mutating func tryAgain(_ id: ID, _ forward: Forward) -> [Action] {
        forwards[id]?.owner = nil
        if forward.attempts < Self.maximumCancels { return [.cancel(id)] }
        settle(id, .dead, .notCancelled)
        forwards[id]?.attempts = Self.maximumCancels
        return [note(.error, "forward not released", id), .record].compactMap { $0 }
    }

    /// What a canceller that is ready is to cancel now: some at a time.
    mutating func handOver(to canceller: ConnectionTable.ID) -> [Action] {
        var orders: [Action] = []
        var room = Self.maximumOrders - forwards.values.count { $0.phase == .toCancel && $0.owner == canceller }
        for (id, forward) in forwards.sorted(by: { $0.key < $1.key })
        where forward.phase == .toCancel && forward.owner == nil && room > 0 {
            room -= 1
            forwards[id]?.owner = canceller
            forwards[id]?.attempts += 1
            orders.append(.order(id, .close(forward.route), by: canceller))
        }
        return orders
    }

    /// A gate has ended, or its worker has, or neither could be started: a canceller takes over the forwards that it worked on.
    mutating func ended(_ connection: ConnectionTable.ID) -> [Action] {
        var actions: [Action] = []
        for (id, forward) in forwards.sorted(by: { $0.key < $1.key }) where forward.owner == connection {
            switch forward.phase {
            case .requested, .establishing, .cancelling: actions += leaveToCanceller([id])
            case .toCancel: actions += tryAgain(id, forward)
            case .running, .dead: break
            }
        }
        return actions
    }

    /// Takes notice that no canceller can be started. The forwards that wait for one are left as they are, and this is logged.
    mutating func noCanceller() -> [Action] {
        var actions: [Action] = []
        for (id, var forward) in forwards.sorted(by: { $0.key < $1.key }) where forward.phase == .toCancel {
            forward.attempts = Self.maximumCancels
            actions += tryAgain(id, forward)
        }
        return actions
    }

    // MARK: Config, start and stop

    /// Takes the hosts of a new config, and closes the forwards of other hosts.
    mutating func configure(_ masters: [String: Master], _ listeners: Listeners) -> [Action] {
        self.masters = masters
        return close(listeners) { masters[$0.host] != $0.route.master }
    }

    /// Closes all forwards. Those that a worker is making or cancelling are closed when that worker has ended.
    mutating func drain(_ listeners: Listeners) -> [Action] {
        stopping = true
        return close(listeners) { _ in true }
    }

    private mutating func close(_ listeners: Listeners, where wanted: (Forward) -> Bool) -> [Action] {
        var actions: [Action] = []
        for (id, forward) in forwards.sorted(by: { $0.key < $1.key }) where wanted(forward) {
            switch forward.phase {
            case .dead where forward.isOver(in: listeners, of: uid): actions += remove(id)
            case .running, .dead: actions += leaveToCanceller([id])
            case .requested, .establishing, .cancelling, .toCancel: break
            }
        }
        return actions
    }

    /// Takes over the forwards of an earlier daemon. Those that are open and allowed are kept. Those that are open and not allowed,
    /// or were being made or closed, are cancelled. The others are forgotten.
    mutating func adopt(_ left: [ID: Forward], masters: [String: Master], _ listeners: Listeners) -> [Action] {
        self.masters = masters
        var actions: [Action] = left.isEmpty ? [] : [.record]
        for (id, forward) in left.sorted(by: { $0.key < $1.key }).prefix(Self.maximumCount) {
            forwards[id] = forward
            nextID = max(nextID, id &+ 1)
            switch forward.phase {
            case .running where forward.isOpen(in: listeners, of: uid) && masters[forward.host] == forward.route.master:
                actions += [note(.info, "forward adopted", id)].compactMap { $0 }
            case .running where forward.isOver(in: listeners, of: uid),
                .dead where forward.isOver(in: listeners, of: uid):
                actions += remove(id)
            case .running, .dead: actions += leaveToCanceller([id])
            // It is not known whether the master was asked for these. If it was, it may still begin to listen.
            case .requested, .establishing, .cancelling, .toCancel: actions += leaveToCanceller([id])
            }
        }
        return actions
    }
}
