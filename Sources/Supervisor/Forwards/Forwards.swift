internal import CLinux
internal import Glibc
internal import IPC

/// The port forwards of the daemon: the registry, its file, and the looks at what listens.
final class Forwards {
    /// The time between two looks at the listeners while there are forwards, in milliseconds.
    private static let interval = 2_000

    /// How many times as long as a look took the next one must wait. So looks take at most a quarter of the time, however many
    /// sockets there are.
    private static let pause = 3
    /// How many messages of one worker may wait for a look.
    static let maximumWaiting = 64
    /// Whose gate has no worker, and only cancels forwards. No connection has this number.
    static let canceller: ConnectionTable.ID = 0

    /// What waits for a look.
    private enum Subject {
        /// A worker's request of this id, and how many calls had begun with the one that it is for.
        case request(ToSupervisor.Forwards, UInt32, call: Int?)
        /// What came of an order to a gate.
        case outcome(ForwardOutcome, forward: UInt32)
    }

    private struct Waiting {
        let subject: Subject
        let connection: ConnectionTable.ID
    }

    /// What a gate is to do.
    struct Order {
        let forward: UInt32
        let order: ForwardOrder
        /// Whose gate it is.
        let connection: ConnectionTable.ID
    }

    private var registry = ForwardRegistry(uid: geteuid())
    private let file: ForwardStateFile
    private(set) var nextLook: Int?
    private var waiting: [Waiting] = []
    private var orders: [Order] = []
    /// Whether the forwards are to be written down. That waits for the disk, so all that happens at once is written down once.
    private var isToRecord = false
    /// When the listeners may be looked at again, in microseconds.
    private var lookAgain = 0
    /// What the last look saw. It counts as long as the tables cannot be read, for example because descriptors have run out: an
    /// open port must not look closed then.
    private var lastSeen = Listeners()
    /// Whether the last look failed.
    private var isBlind = false

    /// - Parameter socket: the MCP socket. This daemon has its lock, so nobody else uses the file of its forwards.
    init(socket: String, runtimeDirectory: String?, policy: PolicySnapshot) {
        file = ForwardStateFile(socket: socket, runtimeDirectory: runtimeDirectory)
        do throws(ForwardStateFile.Failure) {
            let left = try file.load()
            carryOut(registry.adopt(left, masters: Self.masters(policy), look(expecting: [])))
        } catch {
            Log.write(.warning, "state of forwards", ["error": .text(error.sentence)])
            carryOut(registry.configure(Self.masters(policy), look(expecting: [])))
        }
    }

    private static func masters(_ policy: PolicySnapshot) -> [String: Master] {
        let able = policy.hosts.filter(\.capabilities.portForward)
        return Dictionary(
            able.map { ($0.name, $0.master) }
        ) { $1 }
    }

    /// Whether forwards wait for a canceller.
    var hasWork: Bool { !registry.toCancel.isEmpty }

    // MARK: What workers want, and what gates saw

    /// Takes a worker's message. It is answered after a look at the listeners, which must be newer than the message. One look
    /// serves all messages that wait.
    /// - Parameter call: how many calls had begun with the one that it is for, for the audit log.
    func take(
        _ message: ToSupervisor.Forwards, _ requestID: UInt32, from connection: ConnectionTable.ID, for call: Int?
    ) {
        waiting.append(Waiting(subject: .request(message, requestID, call: call), connection: connection))
    }

    /// The host of a forward, and the call that it is being made or closed for; nil where there is no such forward.
    func origin(of forward: UInt32) -> (host: String, call: Int?)? {
        registry.forwards[forward].map { ($0.host, $0.call) }
    }

    /// Takes what came of an order, as the gate of this connection saw it. It waits for a look as well.
    func take(_ outcome: ForwardOutcome, of forward: UInt32, from connection: ConnectionTable.ID) {
        waiting.append(Waiting(subject: .outcome(outcome, forward: forward), connection: connection))
    }

    /// How many messages of a worker wait.
    func waiting(of connection: ConnectionTable.ID) -> Int {
        waiting.count { item in
            switch item.subject {
            case .request: item.connection == connection
            case .outcome: false
            }
        }
    }

    /// The orders that have come up since the last call.
    func takeOrders() -> [Order] {
        defer { orders = [] }
        return orders
    }

    /// When the messages that wait can be answered, in milliseconds; nil if none waits.
    var due: Int? { waiting.isEmpty ? nil : (lookAgain + 999) / 1000 }

    /// Answers messages that wait, as long as the turn lasts, but at least one if they are due.
    func answer(
        in turn: LoopTurn, log: (ConnectionTable.ID) -> LogShare?,
        send: (ToWorker.Forwards, UInt32, ConnectionTable.ID) -> Void
    ) {
        guard !waiting.isEmpty, Clock.microseconds() >= lookAgain else { return }
        var seen: Listeners?
        var answered: [(ConnectionTable.ID, UInt32, ToWorker.Forwards)] = []
        var done = 0
        for item in waiting {
            let asker = asker(item)
            for reply in perform(judged(item, &seen), log(item.connection)) {
                if let asker { answered.append((asker.connection, asker.requestID, reply)) }
            }
            done += 1
            if turn.isOver { break }
        }
        let first = waiting[0].connection
        waiting.removeFirst(done)
        for (asker, refusal) in record(log(first)) { answered.append((asker.connection, asker.requestID, refusal)) }
        // Answers are sent last, because a worker that does not take its answer is killed, and `ended` is called then.
        for (connection, requestID, reply) in answered { send(reply, requestID, connection) }
    }

    /// Who hears what comes of it; nil where nobody waits.
    private func asker(_ item: Waiting) -> (connection: ConnectionTable.ID, requestID: UInt32)? {
        switch item.subject {
        case .request(_, let requestID, _): (item.connection, requestID)
        case .outcome(_, let forward): registry.asker(of: forward)
        }
    }

    private func judged(_ item: Waiting, _ seen: inout Listeners?) -> [ForwardRegistry.Action] {
        let expected = registry.runningPorts
        func listeners() -> Listeners {
            let listeners = seen ?? look(expecting: expected)
            seen = listeners
            return listeners
        }
        switch item.subject {
        case .request(let message, let requestID, let call):
            var clock = timespec()
            clock_gettime(CLOCK_REALTIME, &clock)
            return registry.received(
                message, requestID, from: item.connection, for: call, listeners(),
                now: UInt64(max(0, clock.tv_sec)))
        case .outcome(let outcome, let forward):
            return registry.performed(forward, outcome, by: item.connection, listeners())
        }
    }

    /// A connection or its gate has ended. What its gate has seen still counts; its worker's requests need no answer any more.
    func ended(_ connection: ConnectionTable.ID, log: LogShare?) {
        var seen: Listeners?
        for item in waiting where item.connection == connection {
            switch item.subject {
            case .outcome: perform(judged(item, &seen), log)
            case .request: break
            }
        }
        waiting.removeAll { $0.connection == connection }
        orders.removeAll { $0.connection == connection }
        carryOut(registry.ended(connection), log)
    }

    // MARK: Work of the loop

    /// Looks at the listeners if it is time.
    func tick(now: Int) {
        guard !registry.isEmpty else { return nextLook = nil }
        if let time = nextLook, time > now { return }
        if nextLook != nil { carryOut(registry.observe(look())) }
        nextLook = now + Self.interval
    }

    func configure(_ policy: PolicySnapshot) { carryOut(registry.configure(Self.masters(policy), look())) }
    func drain() { carryOut(registry.drain(look())) }
    func noCanceller() { carryOut(registry.noCanceller()) }
    /// Orders for a canceller that is ready.
    func handOver() { carryOut(registry.handOver(to: Self.canceller)) }

    private func look() -> Listeners { look(expecting: registry.runningPorts) }

    /// What listens now. A table that changes while it is read may leave out a line, and this must not look like the end of a
    /// forward. So if one of these ports is missing, there is a second look, and a port that either look saw counts.
    private func look(expecting ports: [UInt16]) -> Listeners {
        let began = Clock.microseconds()
        let first = current()
        let listeners = ports.allSatisfy { first.loopback[$0] != nil } ? first : first.merging(current())
        lastSeen = listeners
        let ended = Clock.microseconds()
        lookAgain = ended + Self.pause * (ended - began)
        return listeners
    }

    /// One look; what the last one saw if this one fails.
    private func current() -> Listeners {
        let now = Listeners.current()
        if now == nil && !isBlind {
            Log.write(
                .error, "listeners cannot be read",
                [
                    "error": .text(String(cString: strerror(errno))),
                    "mend": "see that /proc/net/tcp can be read and descriptors suffice (LimitNOFILE=, ulimit -n)",
                ])
        }
        isBlind = now == nil
        return now ?? lastSeen
    }

    /// Performs actions of the registry, and writes down what is to be written down.
    /// - Parameter log: logs lines about the worker that is their cause; nil if there is none.
    private func carryOut(_ actions: [ForwardRegistry.Action], _ log: LogShare? = nil) {
        perform(actions, log)
        _ = record(log)
    }

    /// Performs actions of the registry. `record` must follow before an order or an answer is sent.
    /// - Returns: the answers to the worker that asked.
    @discardableResult
    private func perform(_ actions: [ForwardRegistry.Action], _ log: LogShare?) -> [ToWorker.Forwards] {
        var answers: [ToWorker.Forwards] = []
        for action in actions {
            switch action {
            case .answer(let message): answers.append(message)
            case .order(let id, let order, let connection):
                orders.append(Order(forward: id, order: order, connection: connection))
            // The loop learns of it by `hasWork`.
            case .cancel: break
            case .record: isToRecord = true
            case .note(let level, let text, let id, let forward):
                tell(
                    level, text,
                    [
                        "forward_id": .number(Int(id)), "host": .text(forward.host),
                        "forward": .text(forward.route.specification), "reason": .text(forward.reason),
                    ], log)
            }
        }
        return answers
    }

    /// Writes the forwards down, where that is due. No master hears of a new forward that is not.
    /// - Returns: those whose new forwards are not made for that reason, and what to tell them.
    private func record(_ log: LogShare?) -> [(asker: ForwardRegistry.Asker, refusal: ToWorker.Forwards)] {
        guard isToRecord else { return [] }
        isToRecord = false
        do throws(ForwardStateFile.Failure) {
            try file.save(registry.forwards)
            registry.recorded()
            return []
        } catch {
            tell(.error, "state of forwards not written", ["error": .text(error.sentence)], log)
            let unmade = registry.unrecorded()
            orders.removeAll { order in unmade.contains { $0.forward == order.forward } }
            return unmade.compactMap { unmade in unmade.asker.map { ($0, .refused(error.refusal)) } }
        }
    }

    private func tell(
        _ level: LogLevel, _ text: String, _ fields: KeyValuePairs<String, LogValue>, _ log: LogShare?
    ) {
        guard let log else { return Log.write(level, text, fields) }
        log.write(level, text, fields, now: Clock.milliseconds())
    }
}
