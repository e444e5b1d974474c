internal import CLinux
internal import Glibc
public import IPC
internal import Mux

/// The gate's loop: one thread, one epoll(7) set, nothing that blocks. It hears the worker, asks the supervisor for connections,
/// and speaks to ControlMasters over those.
public final class GateService {
    private enum Source {
        static let supervisor: UInt64 = 0
        static let worker: UInt64 = 1
        /// Of the connection of the first inquiry; the others follow.
        static let links: UInt64 = 2
    }

    private let supervisor: Channel
    private let worker: Channel
    private let epoll: OwnedFD
    private var inquiries = Inquiries(PolicySnapshot(hosts: [], defaultHost: ""), number: 0)
    private var links: [Inquiries.ID: MasterLink] = [:]
    /// Answers for which the worker's channel had no room. It is not heard as long as there are any, so they are few.
    private var outbox: [(requestID: UInt32, message: GateAnswer)] = []
    /// How the worker's channel is watched.
    private var watched: UInt32?
    /// The worker has gone: nobody asks, and nobody is answered. The supervisor ends this process then.
    private var isWorkerGone = false

    /// - Parameters:
    ///   - supervisor: where connections come from; it blocks until `run` is called.
    ///   - worker: where requests come from; it does not block.
    /// - Throws: if epoll(7) is not to be had.
    public init(supervisor: consuming Channel, worker: consuming Channel) throws(IPCError) {
        self.supervisor = supervisor
        self.worker = worker
        epoll = OwnedFD(taking: csd_epoll_create())
        guard epoll.rawValue >= 0 else { throw .system(call: "epoll_create1", errno: errno) }
    }

    /// The first message: the policy.
    public func awaitSetup() throws(IPCError) -> PolicySnapshot {
        guard var first = try supervisor.receive(ToGate.self), case .setup(let number) = first.message,
            let memory = first.descriptors.take()
        else { throw .badValue }
        let policy = try PolicySnapshot(sealed: memory)
        inquiries.adopt(policy, number: number)
        return policy
    }

    /// Tells the supervisor and the worker that the gate is confined, and serves until the supervisor has gone.
    /// - Throws: what ended it otherwise.
    public func run(landlockABI: Int) throws(IPCError) {
        do throws(IPCError) {
            try supervisor.setNonBlocking()
            try supervisor.send(FromGate.ready(landlockABI: UInt8(clamping: landlockABI)))
            try answer(0, .ready)
            try watch(supervisor.rawValue, Source.supervisor, CSD_EPOLL_READABLE)
            var ready = [csd_epoll_ready](repeating: csd_epoll_ready(), count: 64)
            while true {
                try watchWorker()
                let timeout = inquiries.nextDeadline.map { Int32(clamping: max(0, $0 - Self.now())) } ?? -1
                let count = csd_epoll_wait(epoll.rawValue, &ready, ready.count, timeout)
                for event in ready.prefix(Int(max(0, count))) {
                    switch event.token {
                    case Source.supervisor: try hearSupervisor()
                    case Source.worker: try attendWorker(event.what)
                    case let token: try attendMaster(Inquiries.ID(truncatingIfNeeded: token - Source.links))
                    }
                }
                try perform(inquiries.advance(now: Self.now()))
            }
        } catch .closed {
            return
        }
    }

    // MARK: The worker

    private func attendWorker(_ what: UInt32) throws(IPCError) {
        do throws(IPCError) {
            if what & CSD_EPOLL_WRITABLE != 0 { try flush() }
            guard what & CSD_EPOLL_HANGUP == 0 else { throw .closed }
            guard what & CSD_EPOLL_READABLE != 0, !inquiries.isFull, outbox.isEmpty,
                let request = try worker.receive(GateRequest.self)
            else { return }
            switch request.message {
            case .alive(let host): try perform(inquiries.take(host, request.requestID, now: Self.now()))
            }
        } catch .closed {
            isWorkerGone = true
            outbox = []
        }
    }

    /// Hears the worker where its request can be taken, and waits for room where answers wait.
    private func watchWorker() throws(IPCError) {
        var wanted: UInt32?
        if !isWorkerGone {
            wanted = outbox.isEmpty ? (inquiries.isFull ? 0 : CSD_EPOLL_READABLE) : CSD_EPOLL_WRITABLE
        }
        guard wanted != watched else { return }
        if watched != nil { _ = csd_epoll_remove(epoll.rawValue, worker.rawValue) }
        if let wanted { try watch(worker.rawValue, Source.worker, wanted) }
        watched = wanted
    }

    private func answer(_ requestID: UInt32, _ message: GateAnswer) throws(IPCError) {
        guard !isWorkerGone else { return }
        outbox.append((requestID, message))
        do throws(IPCError) {
            try flush()
        } catch .closed {
            isWorkerGone = true
            outbox = []
        }
    }

    private func flush() throws(IPCError) {
        while let next = outbox.first {
            do throws(IPCError) {
                try worker.send(next.message, requestID: next.requestID)
            } catch .system(_, EAGAIN) {
                return
            }
            outbox.removeFirst()
        }
    }

    // MARK: The supervisor

    private func hearSupervisor() throws(IPCError) {
        guard var word = try supervisor.receive(ToGate.self) else { return }
        switch word.message {
        case .setup: throw .badValue
        case .policy(let number):
            guard let memory = word.descriptors.take() else { throw .missingDescriptor }
            inquiries.adopt(try PolicySnapshot(sealed: memory), number: number)
        case .connected:
            guard let socket = word.descriptors.take() else { throw .missingDescriptor }
            let (use, actions) = inquiries.connected(word.requestID)
            switch use {
            case .ask: try ask(word.requestID, socket)
            case .drop: break
            case .violation: throw .badValue
            }
            try perform(actions)
        case .notConnected(let failure):
            guard let actions = inquiries.notConnected(word.requestID, failure) else { throw .badValue }
            try perform(actions)
        }
    }

    private func perform(_ actions: [Inquiries.Action]) throws(IPCError) {
        for action in actions {
            switch action {
            case .connect(let id, let host, let policy):
                try supervisor.send(FromGate.connect(host: host, policy: policy), requestID: id)
            case .close(let id): links.removeValue(forKey: id)?.close()
            case .answer(let requestID, let state): try answer(requestID, .master(state))
            }
        }
    }

    // MARK: Masters

    private func ask(_ id: Inquiries.ID, _ socket: consuming OwnedFD) throws(IPCError) {
        let link = try MasterLink(taking: socket, asking: .alive)
        links[id] = link
        try took(id, link, link.writable(), isNew: true)
    }

    private func attendMaster(_ id: Inquiries.ID) throws(IPCError) {
        // An event of before it was closed.
        guard let link = links[id] else { return }
        try took(id, link, link.readable(), isNew: false)
    }

    /// What was seen of a master, or what to wait for.
    private func took(_ id: Inquiries.ID, _ link: MasterLink, _ facts: [MasterFact], isNew: Bool) throws(IPCError) {
        if let fact = facts.first { return try perform(inquiries.answered(id, MasterState(fact))) }
        guard let descriptor = link.rawValue else { return }
        let wanted =
            switch link.wants {
            case .nothing: UInt32(0)
            case .toRead: CSD_EPOLL_READABLE
            case .toReadAndWrite: CSD_EPOLL_READABLE | CSD_EPOLL_WRITABLE
            }
        if !isNew { _ = csd_epoll_remove(epoll.rawValue, descriptor) }
        try watch(descriptor, Source.links + UInt64(id), wanted)
    }

    // MARK: The kernel

    private func watch(_ descriptor: Int32, _ token: UInt64, _ wanted: UInt32) throws(IPCError) {
        guard csd_epoll_add(epoll.rawValue, descriptor, token, wanted) == 0 else {
            throw .system(call: "epoll_ctl", errno: errno)
        }
    }

    private static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }
}

extension MasterState {
    /// What a master's answer to the question means, or its lack.
    fileprivate init(_ fact: MasterFact) {
        switch fact {
        case .alive(let masterPID): self = .alive(masterPID: masterPID)
        case .failed(.lost, _): self = .down(.closed)
        case .failed(.silent, _): self = .down(.hung)
        case .failed(.otherVersion(let version), _): self = .down(.otherVersion(version))
        case .failed(.violation, _), .refused, .sessionOpened, .sessionExited, .sessionEnded, .forwardOpened,
            .forwardClosed:
            self = .down(.noMaster)
        }
    }
}
