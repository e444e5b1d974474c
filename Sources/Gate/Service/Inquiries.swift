internal import IPC

/// The questions of a worker whether ControlMasters live, and how far each is. Questions about one master that come while it is
/// being asked share the answer. Pure: events come in with their time, in milliseconds of a steady clock, and the actions that they
/// lead to are returned.
struct Inquiries {
    /// The number of an inquiry, which its request to the supervisor has as well.
    typealias ID = UInt32

    enum Action: Equatable {
        /// Ask the supervisor for a connection to the host of this index in the policy of this number.
        case connect(ID, host: UInt32, policy: UInt32)
        /// Close the connection to the master, if there is one.
        case close(ID)
        /// Answer the worker's request of this id.
        case answer(requestID: UInt32, MasterState)
    }

    /// What the supervisor's connection is for.
    enum Use: Equatable {
        /// Ask the master over it.
        case ask
        /// Nobody wants it any more.
        case drop
        /// Nobody has asked for it.
        case violation
    }

    private struct Asker {
        let requestID: UInt32
        let host: String
        let deadline: Int
    }

    private enum Stage {
        /// Others that are connecting must be done first.
        case queued
        /// The supervisor connects.
        case connecting
        /// The master is asked.
        case asking
    }

    private struct Inquiry {
        let socket: String
        let host: UInt32
        let policy: UInt32
        var stage = Stage.queued
        /// Empty where the answer has come too late for all.
        var askers: [Asker]
    }

    /// Requests of the worker that are under way at most. Further ones are not read before one of these is answered.
    static let maximum = 64

    private var policy: PolicySnapshot
    private var number: UInt32
    private var inquiries: [ID: Inquiry] = [:]
    private var nextID: ID = 1

    init(_ policy: PolicySnapshot, number: UInt32) {
        self.policy = policy
        self.number = number
    }

    /// Whether no further request may be taken now.
    var isFull: Bool { inquiries.values.reduce(0) { $0 + $1.askers.count } >= Self.maximum }

    /// When `advance` must be called next, if nothing happens before.
    var nextDeadline: Int? { inquiries.values.flatMap { $0.askers.map(\.deadline) }.min() }

    private var connecting: Int { inquiries.values.count { $0.stage == .connecting } }

    /// The worker asks about the master of this host.
    mutating func take(_ host: String, _ requestID: UInt32, now: Int) -> [Action] {
        take(Asker(requestID: requestID, host: host, deadline: now + MasterDown.patience))
    }

    private mutating func take(_ asker: Asker) -> [Action] {
        guard let index = policy.hosts.firstIndex(where: { $0.name.utf8.elementsEqual(asker.host.utf8) }) else {
            return [.answer(requestID: asker.requestID, .down(.noHost))]
        }
        let socket = policy.hosts[index].master.socket
        if let id = inquiries.first(where: { $0.value.policy == number && $0.value.socket == socket })?.key {
            inquiries[id]?.askers.append(asker)
            return []
        }
        let id = nextID
        nextID &+= 1
        inquiries[id] = Inquiry(socket: socket, host: UInt32(index), policy: number, askers: [asker])
        return startQueued()
    }

    /// Has the supervisor connect for those that wait, as many as it takes at once.
    private mutating func startQueued() -> [Action] {
        var actions: [Action] = []
        for (id, inquiry) in inquiries.sorted(by: { $0.key < $1.key }) where inquiry.stage == .queued {
            guard connecting < FromGate.maximumConnects else { break }
            inquiries[id]?.stage = .connecting
            actions.append(.connect(id, host: inquiry.host, policy: inquiry.policy))
        }
        return actions
    }

    /// The supervisor has connected.
    mutating func connected(_ id: ID) -> (use: Use, actions: [Action]) {
        guard let inquiry = inquiries[id], inquiry.stage == .connecting else { return (.violation, []) }
        guard !inquiry.askers.isEmpty else {
            inquiries[id] = nil
            return (.drop, startQueued())
        }
        inquiries[id]?.stage = .asking
        return (.ask, startQueued())
    }

    /// The supervisor has not connected; nil where nobody has asked it to.
    mutating func notConnected(_ id: ID, _ failure: ConnectFailure) -> [Action]? {
        guard let inquiry = inquiries[id], inquiry.stage == .connecting else { return nil }
        inquiries[id] = nil
        let down: MasterDown
        switch failure {
        case .dead(let errno): down = .dead(errno: errno)
        case .hung: down = .hung
        case .foreign(let userID): down = .foreign(userID: userID)
        case .unavailable(let errno): down = .unavailable(errno: errno)
        case .otherPolicy:
            // The new policy came before this word: what it says of these hosts counts.
            return inquiry.askers.flatMap { take($0) } + startQueued()
        }
        return answers(inquiry, .down(down)) + startQueued()
    }

    /// What was seen of the master.
    mutating func answered(_ id: ID, _ state: MasterState) -> [Action] {
        guard let inquiry = inquiries[id], inquiry.stage == .asking else { return [] }
        inquiries[id] = nil
        return [.close(id)] + answers(inquiry, state)
    }

    /// Answers those who have waited long enough.
    mutating func advance(now: Int) -> [Action] {
        var actions: [Action] = []
        for (id, inquiry) in inquiries.sorted(by: { $0.key < $1.key }) {
            let late = inquiry.askers.filter { $0.deadline <= now }
            guard !late.isEmpty else { continue }
            actions += late.map { .answer(requestID: $0.requestID, .down(.hung)) }
            inquiries[id]?.askers.removeAll { $0.deadline <= now }
            guard inquiries[id]?.askers.isEmpty == true else { continue }
            switch inquiry.stage {
            // The supervisor still has the request, and answers it.
            case .connecting: break
            case .queued: inquiries[id] = nil
            case .asking:
                inquiries[id] = nil
                actions.append(.close(id))
            }
        }
        return actions
    }

    /// What is asked from now on is judged by this policy.
    mutating func adopt(_ policy: PolicySnapshot, number: UInt32) {
        self.policy = policy
        self.number = number
    }

    private func answers(_ inquiry: Inquiry, _ state: MasterState) -> [Action] {
        inquiry.askers.map { .answer(requestID: $0.requestID, state) }
    }
}
