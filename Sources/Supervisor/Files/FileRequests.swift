internal import IPC

/// A worker's requests for local files: which broker gets each, in which order, and how each is answered where a broker hangs
/// or ends. Pure: events come in with their time, in milliseconds of a steady clock, and the actions that they lead to are
/// returned.
///
/// Requests are asked one at a time, so that the one that hangs is known. A broker that has not answered one in time is killed;
/// those that waited behind it are asked of the next broker. New files stay with the broker that made them, also when a reload
/// has another one judge what is asked from then on.
struct FileRequests {
    /// A broker of this worker; never used twice.
    typealias Broker = UInt32

    /// A worker's request.
    enum Ask: Equatable {
        case open(path: String)
        case create(path: String)
        case commit(handle: UInt32)
        case abandon(handle: UInt32)
    }

    enum Action: Equatable {
        /// Start a broker under this number, with these roots left out.
        case start(Broker, leftOut: [Int])
        /// Ask a broker.
        case ask(Broker, ToFileBroker, requestID: UInt32)
        /// Give a broker the policy of now.
        case update(Broker)
        /// Answer the worker's request of this id.
        case tell(ToWorker, requestID: UInt32)
        /// Nothing more is asked of this broker: it ends by itself.
        case end(Broker)
        /// Kill a broker. `place` is what did not answer; nil where it broke the rules.
        case kill(Broker, reason: String, place: String?)
    }

    /// How long things may take, in milliseconds.
    enum Bound {
        /// A request, and getting ready.
        static let answer = 10_000
        /// A request behind others that get no answer.
        static let wait = 60_000
        /// Between the starts of brokers that follow each other, after the first few.
        static let restart = 1000
    }

    /// Requests that may wait.
    static let maximumWaiting = 512
    /// New files that one worker may have under way.
    static let maximumFiles = 16
    /// Brokers of one worker that were killed and have not ended: their file systems do not let them.
    static let maximumStuck = 4
    /// Brokers that may start in a row.
    private static let startsInARow = 8
    /// How often one request is asked again, because a root has changed.
    private static let maximumMoves = 2

    private struct Request: Equatable {
        let id: UInt32
        let ask: Ask
        let since: Int
        /// Of a file that is made or was made.
        var handle: UInt32 = 0
        var moves = 0

        /// Of one that waits.
        var path: String? {
            switch ask {
            case .open(let path), .create(let path): path
            case .commit, .abandon: nil
            }
        }
    }

    /// A new file, until it has its name or is dropped.
    private struct File {
        let path: String
        /// Of its creation.
        var holder: Broker
        /// It is being named or dropped.
        var isEnding = false
        /// Why it is lost; nil while it is there.
        var loss: LocalFailure?
    }

    private enum Phase: Equatable {
        /// It looks at this place of the policy.
        case starting(place: UInt32?)
        case idle
        case busy(Request)
        /// Nothing more is asked of it.
        case ending
    }

    private struct State {
        var phase: Phase
        var deadline: Int?
        /// Requests that only this broker can do: naming and dropping its own files.
        var queue: [Request] = []
        let roots: [String]
        let policy: FilePolicy
    }

    private var policy: FilePolicy
    private var current: Broker?
    private var brokers: [Broker: State] = [:]
    private var waiting: [Request] = []
    private var files: [UInt32: File] = [:]
    private var nextBroker: Broker = 1
    private var nextHandle: UInt32 = 1
    private var killed: Set<Broker> = []
    private var starts: Allowance
    private var startAfter: Int?
    /// Roots that did not answer when a broker wanted to be confined to them.
    private var silentRoots: Set<Int> = []
    private(set) var isClosed = false

    init(policy: FilePolicy, now: Int) {
        self.policy = policy
        starts = Allowance(burst: Self.startsInARow * Bound.restart, perSecond: 1000, now: now)
    }

    /// When `advance` must be called next, if nothing happens before.
    var nextDeadline: Int? {
        let brokers = brokers.values.compactMap(\.deadline).min()
        let patience = waiting.map(\.since).min().map { $0 + Bound.wait }
        return [brokers, patience, waiting.isEmpty ? nil : startAfter].compactMap { $0 }.min()
    }

    /// The worker is gone, and so are its brokers.
    var isOver: Bool { isClosed && brokers.isEmpty && killed.isEmpty }

    /// Whether a broker does something just now, which may be what it hangs at.
    func isAtWork(_ broker: Broker) -> Bool {
        switch brokers[broker]?.phase {
        case .starting, .busy, .none: true
        case .idle, .ending: false
        }
    }

    // MARK: What the worker says

    /// A request of the worker. `isOpen` is what the config says of transfers; a file that has a handle was allowed when it was
    /// made.
    mutating func take(_ ask: Ask, _ id: UInt32, isOpen: Bool, now: Int) -> [Action] {
        switch ask {
        case .open, .create:
            guard isOpen else { return fail(id, .closed) }
            guard waiting.count < Self.maximumWaiting else { return fail(id, .tooMany) }
            waiting.append(Request(id: id, ask: ask, since: now))
        case .commit(let handle):
            guard let file = files[handle], !file.isEnding else { return fail(id, .noSuchDownload) }
            if let loss = file.loss {
                files[handle] = nil
                return fail(id, loss)
            }
            enqueue(Request(id: id, ask: ask, since: now, handle: handle), to: file)
        case .abandon(let handle):
            guard let file = files[handle], !file.isEnding else { return [] }
            if file.loss != nil {
                files[handle] = nil
                return []
            }
            enqueue(Request(id: id, ask: ask, since: now, handle: handle), to: file)
        }
        return proceed(now: now)
    }

    private mutating func enqueue(_ request: Request, to file: File) {
        files[request.handle]?.isEnding = true
        brokers[file.holder]?.queue.append(request)
    }

    private func fail(_ id: UInt32, _ failure: LocalFailure) -> [Action] {
        [.tell(.files(.failed(failure)), requestID: id)]
    }

    // MARK: What brokers say

    /// A broker's message. Nil is a violation: what it may say in which phase is decided here and nowhere else.
    mutating func received(_ message: FromFileBroker, _ id: UInt32, from broker: Broker, now: Int) -> [Action]? {
        guard let state = brokers[broker] else { return [] }
        switch (state.phase, message) {
        case (.starting, .looking(let place)):
            guard state.policy.place(place) != nil else { return nil }
            brokers[broker]?.phase = .starting(place: place)
            return []
        case (.starting, .ready):
            brokers[broker]?.phase = .idle
            brokers[broker]?.deadline = nil
            return proceed(now: now)
        case (.busy(let request), .done) where request.id == id:
            free(broker)
            switch request.ask {
            case .open: break
            case .create(let path):
                files[request.handle] = File(path: path, holder: broker)
                return answered(by: broker, id, handle: request.handle) + proceed(now: now)
            case .commit: files[request.handle] = nil
            case .abandon:
                files[request.handle] = nil
                return proceed(now: now)
            }
            return answered(by: broker, id) + proceed(now: now)
        case (.busy(let request), .refused) where request.id == id:
            free(broker)
            switch request.ask {
            case .open, .create: break
            case .commit: files[request.handle] = nil
            case .abandon: return nil
            }
            return answered(by: broker, id) + proceed(now: now)
        case (.busy(let request), .undelivered(let code)) where request.id == id:
            free(broker)
            switch request.ask {
            case .open, .create: return fail(id, .undelivered(errno: code)) + proceed(now: now)
            case .commit:
                // It was done or refused, and only the broker knows.
                guard let path = files.removeValue(forKey: request.handle)?.path else { return proceed(now: now) }
                return fail(id, .commitUnknownAfter(.noAnswer, path: path)) + proceed(now: now)
            case .abandon: return nil
            }
        case (.busy(let request), .rootChanged(let root)) where request.id == id:
            guard state.roots.indices.contains(Int(root)) else { return nil }
            switch request.ask {
            case .open(let path), .create(let path): return move(request, path, from: broker, Int(root), now: now)
            case .commit, .abandon: return nil
            }
        case (.starting, .done), (.starting, .refused), (.starting, .rootChanged), (.starting, .undelivered),
            (.idle, _), (.busy, _), (.ending, _):
            return nil
        }
    }

    private func answered(by broker: Broker, _ id: UInt32, handle: UInt32 = 0) -> [Action] {
        [.tell(.files(.answered(broker: broker, handle: handle)), requestID: id)]
    }

    private mutating func free(_ broker: Broker) {
        brokers[broker]?.phase = .idle
        brokers[broker]?.deadline = nil
    }

    /// Asks another broker, which is confined to what that root is now.
    private mutating func move(
        _ request: Request, _ path: String, from broker: Broker, _ root: Int, now: Int
    ) -> [Action] {
        free(broker)
        if current == broker { current = nil }
        silentRoots.remove(root)
        guard request.moves < Self.maximumMoves else {
            return fail(request.id, .unsteady(path: path)) + proceed(now: now)
        }
        var again = request
        again.moves += 1
        waiting.insert(again, at: 0)
        return proceed(now: now)
    }

    // MARK: How brokers end

    /// A broker could not be started, for this reason.
    mutating func notStarted(_ broker: Broker, _ failure: LocalFailure, now: Int) -> [Action] {
        brokers[broker] = nil
        if current == broker { current = nil }
        return failWaiting(failure) + proceed(now: now)
    }

    /// The process of a broker has ended, in this way.
    mutating func ended(_ broker: Broker, _ how: ProgramFailure, now: Int) -> [Action] {
        killed.remove(broker)
        guard let state = brokers.removeValue(forKey: broker) else { return proceed(now: now) }
        return lose(broker, state, to: nil, how, now: now)
    }

    /// A broker broke the rules in this way, for which the log has this reason.
    mutating func violated(_ broker: Broker, _ how: ProgramFailure, _ reason: String, now: Int) -> [Action] {
        guard let state = brokers.removeValue(forKey: broker) else { return [] }
        killed.insert(broker)
        return [.kill(broker, reason: reason, place: nil)] + lose(broker, state, to: nil, how, now: now)
    }

    /// Ends what has lasted too long.
    mutating func advance(now: Int) -> [Action] {
        var actions: [Action] = []
        for (broker, state) in brokers.sorted(by: { $0.key < $1.key }) {
            guard let deadline = state.deadline, deadline <= now else { continue }
            brokers[broker] = nil
            killed.insert(broker)
            let place = place(of: state)
            let reason = "no answer in \(Bound.answer / 1000) s"
            actions.append(.kill(broker, reason: reason, place: place))
            actions += lose(broker, state, to: place, .notReady, now: now)
        }
        let late = waiting.filter { $0.since + Bound.wait <= now }
        waiting.removeAll { $0.since + Bound.wait <= now }
        for request in late { actions += fail(request.id, .waited) }
        return actions + proceed(now: now)
    }

    /// What a broker is at.
    private func place(of state: State) -> String? {
        switch state.phase {
        case .starting(let place): place.flatMap { state.policy.place($0) }
        case .idle, .ending: nil
        case .busy(let request):
            switch request.ask {
            case .open(let path), .create(let path): path
            case .commit, .abandon: files[request.handle]?.path
            }
        }
    }

    /// A broker is there no more: it was killed at `place`, or ended in this way. What it held is lost, and what was asked of it
    /// is answered with what is known.
    private mutating func lose(
        _ broker: Broker, _ state: State, to place: String?, _ how: ProgramFailure, now: Int
    ) -> [Action] {
        let wasCurrent = current == broker
        if wasCurrent { current = nil }
        var actions: [Action] = []
        switch state.phase {
        case .starting(let index): if wasCurrent { actions += failStart(state, index, place, how) }
        case .idle, .ending: break
        case .busy(let request): actions += fail(request, at: place, how)
        }
        for (handle, file) in files where file.holder == broker && file.loss == nil {
            files[handle]?.loss =
                place.map { .lost(path: file.path, silent: $0) } ?? .lostAfter(how, path: file.path)
        }
        for request in state.queue {
            guard let loss = files.removeValue(forKey: request.handle)?.loss else { continue }
            switch request.ask {
            case .commit: actions += fail(request.id, loss)
            case .open, .create, .abandon: break
            }
        }
        return actions + proceed(now: now)
    }

    /// The request that a broker was at when it hung or ended.
    private mutating func fail(_ request: Request, at place: String?, _ how: ProgramFailure) -> [Action] {
        switch request.ask {
        case .open(let path), .create(let path):
            guard place != nil else { return fail(request.id, .ended(how)) }
            return fail(request.id, .silent(path: path)) + failNeighbours(of: path)
        case .commit:
            guard let path = files.removeValue(forKey: request.handle)?.path else { return [] }
            return fail(
                request.id, place == nil ? .commitUnknownAfter(how, path: path) : .commitUnknown(path: path))
        case .abandon:
            files[request.handle] = nil
            return []
        }
    }

    /// Requests that waited for the same directory get the same answer, because it did not answer while they waited.
    private mutating func failNeighbours(of path: String) -> [Action] {
        failWaiting { PathComponents.areNeighbours($0, path) }
    }

    /// Those that wait for such paths are told that these do not answer.
    private mutating func failWaiting(_ isSilent: (String) -> Bool) -> [Action] {
        var actions: [Action] = []
        var others: [Request] = []
        for request in waiting {
            if let path = request.path, isSilent(path) {
                actions += fail(request.id, .silent(path: path))
            } else {
                others.append(request)
            }
        }
        waiting = others
        return actions
    }

    /// A broker that was to be the current one did not get ready.
    private mutating func failStart(_ state: State, _ index: UInt32?, _ place: String?, _ how: ProgramFailure)
        -> [Action]
    {
        guard let place else { return failWaiting(.unavailable(how)) }
        guard let index = index.map(Int.init), state.roots.indices.contains(index) else {
            // No path can be judged without the daemon's own files and the home directory.
            return failWaiting(.silent(path: place))
        }
        silentRoots.insert(index)
        return failWaiting { PathComponents.isInside($0, place) }
    }

    private mutating func failWaiting(_ failure: LocalFailure) -> [Action] {
        defer { waiting = [] }
        return waiting.flatMap { fail($0.id, failure) }
    }

    // MARK: What comes next

    /// Gives every broker that has nothing to do its next request, and starts one where one is needed.
    private mutating func proceed(now: Int) -> [Action] {
        var actions: [Action] = []
        for broker in brokers.keys.sorted() { actions += proceed(with: broker, now: now) }
        guard current == nil, !waiting.isEmpty, !isClosed else { return actions }
        guard killed.count < Self.maximumStuck else {
            return actions + failWaiting(.stuck(UInt32(killed.count)))
        }
        guard starts.hasLeft(now: now) else {
            startAfter = startAfter.map { $0 > now ? $0 : now + Bound.restart } ?? now + Bound.restart
            return actions
        }
        startAfter = nil
        starts.spend(Bound.restart, now: now)
        let broker = nextBroker
        nextBroker += 1
        current = broker
        brokers[broker] = State(
            phase: .starting(place: nil), deadline: now + Bound.answer, roots: policy.roots ?? [], policy: policy)
        return actions + [.start(broker, leftOut: silentRoots.sorted())]
    }

    private mutating func proceed(with broker: Broker, now: Int) -> [Action] {
        var actions: [Action] = []
        while brokers[broker]?.phase == .idle {
            if brokers[broker]?.queue.isEmpty == false, let request = brokers[broker]?.queue.removeFirst() {
                let message: ToFileBroker =
                    request.ask == .commit(handle: request.handle)
                    ? .commit(handle: request.handle) : .abandon(handle: request.handle)
                return actions + ask(broker, request, message, now: now)
            }
            guard broker == current, !isClosed else {
                guard !files.values.contains(where: { $0.holder == broker && $0.loss == nil }) || isClosed else {
                    return actions
                }
                return actions + [end(broker, now: now)]
            }
            guard !waiting.isEmpty else { return actions }
            var request = waiting.removeFirst()
            switch request.ask {
            case .open(let path): return actions + ask(broker, request, .open(path: path), now: now)
            case .create(let path):
                guard files.count < Self.maximumFiles else {
                    actions += fail(request.id, .downloads(UInt32(files.count)))
                    continue
                }
                request.handle = nextHandle
                nextHandle &+= 1
                return actions + ask(broker, request, .create(handle: request.handle, path: path), now: now)
            case .commit, .abandon: continue
            }
        }
        return actions
    }

    private mutating func end(_ broker: Broker, now: Int) -> Action {
        brokers[broker]?.phase = .ending
        brokers[broker]?.deadline = now + Bound.answer
        return .end(broker)
    }

    private mutating func ask(_ broker: Broker, _ request: Request, _ message: ToFileBroker, now: Int) -> [Action] {
        brokers[broker]?.phase = .busy(request)
        brokers[broker]?.deadline = now + Bound.answer
        return [.ask(broker, message, requestID: request.id)]
    }

    // MARK: Reload and end

    /// A new policy. Another broker judges what is asked from now on; brokers that hold files keep them.
    mutating func configure(_ new: FilePolicy, now: Int) -> [Action] {
        guard new != policy else { return [] }
        policy = new
        silentRoots = []
        current = nil
        return brokers.filter { $0.value.phase != .ending }.keys.sorted().map { .update($0) } + proceed(now: now)
    }

    /// The worker is gone: nobody waits for anything.
    mutating func close(now: Int) -> [Action] {
        isClosed = true
        waiting = []
        files = [:]
        // A broker that is at work ends when it has answered, if it does.
        return brokers.filter { $0.value.phase == .idle }.keys.sorted().map { end($0, now: now) }
    }
}

extension FileRequests.Ask {
    /// What a worker asks for.
    init(_ request: ToSupervisor.Files) {
        switch request {
        case .open(let path): self = .open(path: path)
        case .create(let path): self = .create(path: path)
        case .commit(let handle): self = .commit(handle: handle)
        case .abandon(let handle): self = .abandon(handle: handle)
        }
    }
}
