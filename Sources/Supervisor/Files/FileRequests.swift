internal import IPC

/// One worker's requests for local files. It decides which broker gets each request and when, and how a request is answered if
/// its broker hangs or ends. It has no effects: events come in with their time, in milliseconds of a steady clock, and the
/// actions that follow are returned. FileRequestsEnds.swift has what happens when a broker ends.
///
/// A broker gets one request at a time, so that it is known which request hangs. A broker that does not answer in time is
/// killed, and the requests behind that one go to the next broker. A new file stays with the broker that made it, even if a
/// reload has started another broker since.
struct FileRequests {
    /// The number of a broker of this worker. A number is never used again.
    typealias Broker = UInt32

    /// What `FileBrokers` must do.
    enum Action: Equatable {
        /// Start a broker with this number, and leave out these roots of the policy.
        case start(Broker, leftOut: [Int])
        /// Send a broker this request.
        case ask(Broker, ToFileBroker, requestID: UInt32)
        /// Send a broker the current policy.
        case update(Broker)
        /// Send the worker this answer.
        case tell(ToWorker, requestID: UInt32)
        /// Close the channel of a broker, which then ends by itself.
        case end(Broker)
        /// Kill a broker. `place` is the path that did not answer; nil if the broker broke the protocol.
        case kill(Broker, reason: String, place: String?)
    }

    /// How long things may take, in milliseconds.
    enum Bound {
        /// One request at a broker, or the start of a broker.
        static let answer = 10_000
        /// The wait of a request for its turn.
        static let wait = 60_000
        /// The pause between two starts of brokers, after the first few.
        static let restart = 1000
    }

    /// How many requests may wait.
    static let maximumWaiting = 512
    /// How many killed brokers of one worker may not have ended yet, because a file system does not let them.
    static let maximumStuck = 4
    /// How many brokers may start without a pause.
    private static let startsInARow = 8
    /// How often a request goes to another broker because a root has changed.
    private static let maximumMoves = 2

    struct Request: Equatable {
        let id: UInt32
        let ask: ToSupervisor.Files
        let since: Int
        /// The handle of the new file; 0 if it has none.
        var handle: UInt32 = 0
        var moves = 0

        /// The path that an `open` or `create` asks for.
        var path: String? {
            switch ask {
            case .open(let path), .create(let path): path
            case .commit, .abandon: nil
            }
        }
    }

    /// A new file that has not got its name and was not dropped.
    struct File {
        let path: String
        /// The broker that made it.
        var holder: Broker
        /// Whether its name or its end was asked for.
        var isEnding = false
        /// Why it is lost; nil if it is not.
        var loss: LocalFailure?
    }

    /// What a broker does.
    enum Phase: Equatable {
        /// It starts, and looks at this place of the policy.
        case starting(place: UInt32?)
        /// It waits for a request.
        case idle
        /// It has this request.
        case busy(Request)
        /// Its channel is closed, and it will end.
        case ending
    }

    struct State {
        var phase: Phase
        var deadline: Int?
        /// Requests for this broker alone: to name or to drop files that it made.
        var queue: [Request] = []
        let roots: [String]
        let policy: FilePolicy
    }

    private var policy: FilePolicy
    var current: Broker?
    var brokers: [Broker: State] = [:]
    var waiting: [Request] = []
    var files: [UInt32: File] = [:]
    private var nextBroker: Broker = 1
    private var nextHandle: UInt32 = 1
    var killed: Set<Broker> = []
    private var starts: Allowance
    private var startAfter: Int?
    /// The roots that did not answer when a starting broker looked at them.
    var silentRoots: Set<Int> = []
    private(set) var isClosed = false

    init(policy: FilePolicy, now: Int) {
        self.policy = policy
        starts = Allowance(burst: Self.startsInARow * Bound.restart, perSecond: 1000, now: now)
    }

    /// When `advance` must be called next if nothing happens before, in milliseconds; nil if never.
    var nextDeadline: Int? {
        let brokers = brokers.values.compactMap(\.deadline).min()
        let patience = waiting.map(\.since).min().map { $0 + Bound.wait }
        return [brokers, patience, waiting.isEmpty ? nil : startAfter].compactMap { $0 }.min()
    }

    /// Whether the worker and all its brokers have ended.
    var isOver: Bool { isClosed && brokers.isEmpty && killed.isEmpty }

    /// Whether a broker is doing something now, so that it may hang.
    func isAtWork(_ broker: Broker) -> Bool {
        switch brokers[broker]?.phase {
        case .starting, .busy: true
        case .idle, .ending, .none: false
        }
    }

    // MARK: What the worker says

    /// Takes a request of the worker.
    /// - Parameter isOpen: whether the config allows transfers. A file that has a handle was allowed when it was made.
    mutating func take(_ ask: ToSupervisor.Files, _ id: UInt32, isOpen: Bool, now: Int) -> [Action] {
        switch ask {
        case .open, .create:
            guard isOpen else { return fail(id, .closed) }
            guard waiting.count < Self.maximumWaiting else { return fail(id, .tooMany) }
            waiting.append(Request(id: id, ask: ask, since: now))
        case .commit(let handle, _):
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

    func fail(_ id: UInt32, _ failure: LocalFailure) -> [Action] {
        [.tell(.files(.failed(failure)), requestID: id)]
    }

    // MARK: What brokers say

    /// Takes a message of a broker. Only this function decides what a broker may say in which phase.
    /// - Returns: nil if the broker may not say this now.
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
                // Only the broker knows whether the file got its name.
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

    /// Gives a request to a new broker, which is confined to the directory that the root is now.
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

    // MARK: What comes next

    /// Gives each idle broker its next request, and starts a broker if one is needed.
    mutating func proceed(now: Int) -> [Action] {
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
                    switch request.ask {
                    case .commit(let handle, let mode): .commit(handle: handle, mode: mode)
                    case .open, .create, .abandon: .abandon(handle: request.handle)
                    }
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
                guard files.count < FilePolicy.maximumFiles else {
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

    /// Takes a new policy. From now on another broker judges requests. Brokers that hold files keep them.
    mutating func configure(_ new: FilePolicy, now: Int) -> [Action] {
        guard new != policy else { return [] }
        policy = new
        silentRoots = []
        current = nil
        return brokers.filter { $0.value.phase != .ending }.keys.sorted().map { .update($0) } + proceed(now: now)
    }

    /// Takes notice that the worker has gone, so that nobody waits for an answer.
    mutating func close(now: Int) -> [Action] {
        isClosed = true
        waiting = []
        files = [:]
        // A busy broker is told to end when it has answered.
        return brokers.filter { $0.value.phase == .idle }.keys.sorted().map { end($0, now: now) }
    }
}
