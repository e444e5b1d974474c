internal import CLinux
internal import Glibc
public import IPC
internal import Mux
internal import SFTPFilter

/// The gate's loop: one thread, one epoll(7) set, nothing that blocks. It hears the worker, asks the supervisor for connections,
/// and speaks to ControlMasters over those.
public final class GateService {
    enum Source {
        static let supervisor: UInt64 = 0
        static let worker: UInt64 = 1
        /// Of the connection with the first id; the others follow.
        static let links: UInt64 = 2
        /// Of a relay, whichever of its pipes it is.
        static let relays: UInt64 = 1 << 40
        /// Of the connection of an `ssh` with the number 0; the others follow.
        static let ssh: UInt64 = 1 << 61
        /// Of the order about a forward with the number 0; the others follow.
        static let forwards: UInt64 = 1 << 62
    }

    /// A connection to a master.
    private final class Link {
        let link: MasterLink
        /// How it is watched; nil before it is.
        var watched: UInt32?

        init(_ link: MasterLink) {
            self.link = link
        }
    }

    /// The pipes of a session whose connection is still to come.
    private final class WaitingPipes {
        private var descriptors: SessionDescriptors?

        init(_ descriptors: consuming SessionDescriptors) {
            self.descriptors = consume descriptors
        }

        func take() -> SessionDescriptors? { descriptors.take() }
    }

    let supervisor: Channel
    private let worker: Channel
    let epoll: OwnedFD
    var requests = MasterRequests(PolicySnapshot(hosts: [], defaultHost: ""), number: 0)
    private var links: [MasterRequests.ID: Link] = [:]
    private var pipes: [MasterRequests.ID: WaitingPipes] = [:]
    private var relays: [MasterRequests.ID: SFTPRelay] = [:]
    private var ahead = WordsAhead()
    private var policy = PolicySnapshot(hosts: [], defaultHost: "")
    /// How its worker has sessions opened. That is decided when both are started, and no new policy changes it.
    private(set) var transport = Transport.mux
    /// Connections of `ssh`, by their numbers, and those that carry sessions, by the ids of the worker's requests.
    var sides: [UInt64: SSHSide] = [:]
    var sideOf: [UInt32: UInt64] = [:]
    var nextSide: UInt64 = 0
    /// Orders of the supervisor that are under way, by their numbers.
    private var forwards: [UInt32: ForwardWork] = [:]
    /// Answers for which the worker's channel had no room. It is not heard as long as there are any, so they are few.
    private var outbox: [(requestID: UInt32, message: GateAnswer)] = []
    /// Messages for which the supervisor's channel had no room. The worker is not heard as long as there are any, so they are few.
    private var unsent: [(requestID: UInt32, message: FromGate)] = []
    private var isWaitingForSupervisor = false
    /// How the worker's channel is watched.
    private var watched: UInt32?
    /// The worker has gone, or has done what no honest one does: it is neither heard nor answered, and the supervisor ends both.
    private(set) var isWorkerGone = false

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
        guard var first = try supervisor.receive(ToGate.self), case .setup(let number, let transport) = first.message,
            let memory = first.descriptors.take()
        else { throw .badValue }
        let policy = try PolicySnapshot(sealed: memory)
        requests.adopt(policy, number: number, now: Self.now())
        self.policy = policy
        self.transport = transport
        return policy
    }

    /// Tells the supervisor and the worker that the gate is confined, and serves until the supervisor has gone.
    /// - Throws: what ended it otherwise.
    public func run(landlockABI: Int) throws(IPCError) {
        do throws(IPCError) {
            try supervisor.setNonBlocking()
            try supervisor.send(FromGate.ready(landlockABI: UInt8(clamping: landlockABI)))
            try answer(0, .ready(mark: requests.mark))
            try watch(supervisor.rawValue, Source.supervisor, CSD_EPOLL_READABLE)
            var ready = [csd_epoll_ready](repeating: csd_epoll_ready(), count: 64)
            while true {
                try watchWorker()
                let deadline =
                    (forwards.values.map(\.deadline) + [requests.nextDeadline, sshDeadline].compactMap { $0 }).min()
                let timeout = deadline.map { Int32(clamping: max(0, $0 - Self.now())) } ?? -1
                let count = csd_epoll_wait(epoll.rawValue, &ready, ready.count, timeout)
                for event in ready.prefix(Int(max(0, count))) {
                    switch event.token {
                    case Source.supervisor: try attendSupervisor(event.what)
                    case Source.worker: try attendWorker(event.what)
                    case Source.forwards...:
                        try attendForward(UInt32(truncatingIfNeeded: event.token - Source.forwards))
                    case Source.ssh...: try attendSSH(event.token - Source.ssh)
                    case Source.relays...: try attendRelay(MasterRequests.ID(event.token - Source.relays))
                    case let token: try attendMaster(MasterRequests.ID(truncatingIfNeeded: token - Source.links))
                    }
                }
                try perform(requests.advance(now: Self.now()))
                try endLateForwards(now: Self.now())
                endLateSSH(now: Self.now())
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
            guard what & CSD_EPOLL_READABLE != 0, !requests.isFull, outbox.isEmpty, unsent.isEmpty else { return }
            try hearWorker()
        } catch .closed {
            isWorkerGone = true
            outbox = []
        }
    }

    private func hearWorker() throws(IPCError) {
        let request: Incoming<GateRequest>
        do throws(IPCError) {
            guard let next = try worker.receive(GateRequest.self) else { return }
            request = next
        } catch {
            switch error {
            case .closed, .system: throw error
            case .tooLong, .truncated, .trailingBytes, .unknownVersion, .unknownTag, .badValue, .missingDescriptor,
                .surplusDescriptor, .controlTruncated:
                return try expel(.message)
            }
        }
        if let violation = try take(request) { try expel(violation) }
    }

    /// - Returns: why the worker is heard no more, where it did what no honest one does.
    private func take(_ incoming: consuming Incoming<GateRequest>) throws(IPCError) -> WorkerViolation? {
        var request = incoming
        let requestID = request.requestID
        let (message, transport) = Self.wanted(request.message)
        if let awaited = ahead.awaited {
            switch message {
            case .words, .exec, .judge: guard requestID == awaited else { return .words }
            case .alive, .close, .sftp, .shell, .errand, .ticket, .judgeForward, .exports: return .words
            }
        }
        guard transport == nil || transport == self.transport else { return .transport }
        let opened: (id: MasterRequests.ID?, actions: [MasterRequests.Action])?
        switch message {
        case .ticket: return .message
        case .alive(let host):
            try perform(requests.askAlive(host, requestID, now: Self.now()))
            return nil
        case .close:
            try perform(requests.close(requestID))
            return nil
        case .exports(let host, let exports):
            requests.takeNotice(host, exports: exports)
            return nil
        case .words(let words):
            do throws(WordsAhead.Violation) { try ahead.take(words, requestID) } catch { return .words }
            return nil
        case .judge(let host, let seconds, let nonce, let words, let call):
            guard let command = command(host, seconds, nonce, words, call, requestID) else { return .words }
            try perform(requests.judge(command, requestID, now: Self.now()))
            return nil
        case .judgeForward(let host, let target, let call):
            try perform(requests.judgeForward(host, to: target, call: call, requestID))
            return nil
        case .sftp(let host, let access, let call):
            opened = requests.openFiles(host, access, for: call, requestID, by: self.transport, now: Self.now())
        case .shell(let host, let session, let call):
            opened = requests.openShell(host, session, for: call, requestID, by: self.transport, now: Self.now())
        case .exec(let host, let seconds, let nonce, let words, let call):
            guard let command = command(host, seconds, nonce, words, call, requestID) else { return .words }
            opened = requests.run(command, requestID, by: self.transport, now: Self.now())
        case .errand(let host, let errand):
            opened = requests.run(errand, host, requestID, by: self.transport, now: Self.now())
        }
        guard let (id, actions) = opened else { return .number }
        guard transport == .mux else {
            try perform(actions)
            return nil
        }
        guard let input = request.descriptors.take(), let output = request.descriptors.take(),
            let error = request.descriptors.take()
        else { return .message }
        do throws(SessionDescriptors.NotAPipe) {
            let descriptors = try SessionDescriptors(input: input, output: output, error: error)
            if let id { keep(descriptors, for: id) }
        } catch {
            return .descriptor
        }
        try perform(actions)
        return nil
    }

    /// The session that a message asks for, and by which transport; the message itself where it asks for none.
    private static func wanted(_ message: GateRequest) -> (message: GateRequest, transport: Transport?) {
        switch message {
        case .ticket(let wanted): (wanted.request, .ssh)
        case .sftp, .shell, .exec, .errand: (message, .mux)
        case .alive, .close, .words, .judge, .judgeForward, .exports: (message, nil)
        }
    }

    /// Keeps the pipes of a session until there is a connection for it.
    func keep(_ descriptors: consuming SessionDescriptors, for id: MasterRequests.ID) {
        pipes[id] = WaitingPipes(descriptors)
    }

    /// The command whose last words these are; nil where no honest worker sends them.
    private func command(
        _ host: String, _ seconds: UInt32, _ nonce: String, _ words: String, _ call: UInt32, _ requestID: UInt32
    ) -> GateCommand? {
        do throws(WordsAhead.Violation) {
            let command = try ahead.command(
                host: host, seconds: seconds, nonce: nonce, words: words, call: call, requestID)
            return requests.isOwn(nonce) ? command : nil
        } catch {
            return nil
        }
    }

    /// Hears the worker no more, and ends all that it has; the supervisor ends the worker.
    func expel(_ violation: WorkerViolation) throws(IPCError) {
        isWorkerGone = true
        outbox = []
        dropAllSSH()
        try tell(.violation(violation))
        try perform(requests.endAll())
    }

    /// Hears the worker where its request can be taken, and waits for room where answers wait.
    private func watchWorker() throws(IPCError) {
        var wanted: UInt32?
        if !isWorkerGone {
            let isHeard = !requests.isFull && unsent.isEmpty
            wanted = outbox.isEmpty ? (isHeard ? CSD_EPOLL_READABLE : 0) : CSD_EPOLL_WRITABLE
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

    private func attendSupervisor(_ what: UInt32) throws(IPCError) {
        if what & CSD_EPOLL_WRITABLE != 0 { try flushToSupervisor() }
        if what & ~CSD_EPOLL_WRITABLE != 0 { try hearSupervisor() }
    }

    /// Sends the supervisor a message, in its turn.
    func tell(_ message: FromGate, _ requestID: UInt32 = 0) throws(IPCError) {
        unsent.append((requestID, message))
        try flushToSupervisor()
    }

    private func flushToSupervisor() throws(IPCError) {
        while let next = unsent.first {
            do throws(IPCError) {
                try supervisor.send(next.message, requestID: next.requestID)
            } catch .system(_, EAGAIN) {
                break
            }
            unsent.removeFirst()
        }
        guard isWaitingForSupervisor == unsent.isEmpty else { return }
        isWaitingForSupervisor = !unsent.isEmpty
        _ = csd_epoll_remove(epoll.rawValue, supervisor.rawValue)
        let wanted = isWaitingForSupervisor ? CSD_EPOLL_READABLE | CSD_EPOLL_WRITABLE : CSD_EPOLL_READABLE
        try watch(supervisor.rawValue, Source.supervisor, wanted)
    }

    private func hearSupervisor() throws(IPCError) {
        guard var word = try supervisor.receive(ToGate.self) else { return }
        switch word.message {
        case .setup: throw .badValue
        case .policy(let number):
            guard let memory = word.descriptors.take() else { throw .missingDescriptor }
            policy = try PolicySnapshot(sealed: memory)
            requests.adopt(policy, number: number, now: Self.now())
            try tell(.policyTaken(number))
        case .connected:
            guard let socket = word.descriptors.take() else { throw .missingDescriptor }
            let (use, actions) = requests.connected(word.requestID)
            switch use {
            case .ask(let request, let rules): try ask(word.requestID, request, rules, socket)
            case .drop: break
            case .violation: throw .badValue
            }
            try perform(actions)
        case .notConnected(let failure):
            guard let actions = requests.notConnected(word.requestID, failure) else { throw .badValue }
            try perform(actions)
        case .noted:
            guard let actions = requests.noted(word.requestID) else { throw .badValue }
            try perform(actions)
        case .forward(let order):
            guard let socket = word.descriptors.take() else { throw .missingDescriptor }
            try begin(order, word.requestID, socket)
        case .sshConnection:
            guard let socket = word.descriptors.take() else { throw .missingDescriptor }
            try takeSSH(socket)
        }
    }

    // MARK: Forwards

    private func begin(_ order: ForwardOrder, _ number: UInt32, _ socket: consuming OwnedFD) throws(IPCError) {
        guard forwards[number] == nil else { throw .badValue }
        if let rule = ForwardWork.refusal(of: order, by: policy) {
            return try tell(.forward(.notAllowed(rule)), number)
        }
        guard let work = try ForwardWork(order, over: socket, now: Self.now()) else {
            return try tell(.forward(.notAllowed(.forwardAllowlist)), number)
        }
        forwards[number] = work
        try took(number, work, work.begin(), isNew: true)
    }

    private func attendForward(_ number: UInt32) throws(IPCError) {
        // An event of before it was over.
        guard let work = forwards[number] else { return }
        try took(number, work, work.attend(), isNew: false)
    }

    private func endLateForwards(now: Int) throws(IPCError) {
        for (number, work) in forwards where work.deadline <= now {
            try took(number, work, work.timedOut(), isNew: false)
        }
    }

    /// What came of an order, or what to wait for.
    private func took(_ number: UInt32, _ work: ForwardWork, _ outcome: ForwardOutcome?, isNew: Bool) throws(IPCError) {
        if let outcome {
            forwards[number] = nil
            return try tell(.forward(outcome), number)
        }
        guard let descriptor = work.rawValue else { return }
        if !isNew { _ = csd_epoll_remove(epoll.rawValue, descriptor) }
        try watch(descriptor, Source.forwards + UInt64(number), Self.events(work.wants))
    }

    func perform(_ actions: [MasterRequests.Action]) throws(IPCError) {
        for action in actions {
            switch action {
            case .connect(let id, let host, let policy):
                try tell(.connect(host: host, policy: policy), id)
            case .open(let id, let report, let host, let policy):
                try tell(.open(report, host: host, policy: policy), id)
            case .refuse(let id, let report, let rule): try tell(.refused(report, rule), id)
            case .admit(let id, let report, let policy): try tell(.admit(report, policy: policy), id)
            case .reuse(let id, let kept): try reuse(id, kept)
            case .ask(let id, let request, let rules): try askNext(id, request, rules)
            case .close(let id):
                links.removeValue(forKey: id)?.link.close()
                pipes[id] = nil
                dropRelay(id)
            case .answer(let requestID, let word):
                tellSSH(requestID, word)
                try answer(requestID, word)
            case .tell(let kind, let host, let policy):
                try tell(.opened(kind, host: host, policy: policy))
            }
        }
    }

    // MARK: Masters

    private func ask(
        _ id: MasterRequests.ID, _ request: MasterRequest, _ rules: SFTPRules?, _ socket: consuming OwnedFD
    ) throws(IPCError) {
        let link: Link
        switch request {
        case .control(let control): link = Link(try MasterLink(taking: socket, asking: control))
        case .session(let session):
            link = Link(try MasterLink(taking: socket, opening: session, with: descriptors(of: id, rules)))
        }
        links[id] = link
        try took(id, link, link.link.writable())
    }

    /// The pipes of a session. They came with the request, and wait for as long as it does.
    private func descriptors(of id: MasterRequests.ID, _ rules: SFTPRules?) throws(IPCError) -> SessionDescriptors {
        guard var descriptors = pipes.removeValue(forKey: id)?.take() else { throw .missingDescriptor }
        if let rules { try relay(id, &descriptors, rules) }
        return descriptors
    }

    /// Asks whether the master lives over the connection that was kept under another number.
    private func reuse(_ id: MasterRequests.ID, _ kept: MasterRequests.ID) throws(IPCError) {
        guard let link = links.removeValue(forKey: kept), let descriptor = link.link.rawValue else { return }
        if link.watched != nil { _ = csd_epoll_remove(epoll.rawValue, descriptor) }
        link.watched = nil
        links[id] = link
        guard link.link.ask(.alive) else { return }
        try took(id, link, link.link.writable())
    }

    /// Asks a master something more over a connection.
    private func askNext(
        _ id: MasterRequests.ID, _ request: MasterRequest, _ rules: SFTPRules?
    ) throws(IPCError) {
        guard let link = links[id] else { return }
        switch request {
        case .control(let control): guard link.link.ask(control) else { return }
        case .session(let session): guard link.link.ask(session, with: try descriptors(of: id, rules)) else { return }
        }
        try took(id, link, link.link.writable())
    }

    /// Has the session read what the filter lets through.
    private func relay(
        _ id: MasterRequests.ID, _ descriptors: inout SessionDescriptors, _ rules: SFTPRules
    ) throws(IPCError) {
        var pipe = try Pipe()
        guard let sink = pipe.writeEnd.take(), let input = pipe.readEnd.take(),
            let source = descriptors.exchangeInput(input)
        else { throw .missingDescriptor }
        let relay = try SFTPRelay(from: source, to: sink, rules)
        relays[id] = relay
        try wait(id, relay, for: .bytes)
    }

    private func attendRelay(_ id: MasterRequests.ID) throws(IPCError) {
        // An event of before it was closed.
        guard let relay = relays[id] else { return }
        let next: SFTPRelay.Next
        do throws(SFTPViolation) {
            next = try relay.advance()
        } catch {
            return try expel(WorkerViolation(error))
        }
        switch next {
        case .nothing: dropRelay(id)
        case .bytes, .room: if next != relay.waited { try wait(id, relay, for: next) }
        }
    }

    private func dropRelay(_ id: MasterRequests.ID) {
        guard let relay = relays.removeValue(forKey: id) else { return }
        stopWaiting(relay)
        relay.close()
    }

    /// Waits for what a relay needs to go on.
    private func wait(_ id: MasterRequests.ID, _ relay: SFTPRelay, for next: SFTPRelay.Next) throws(IPCError) {
        stopWaiting(relay)
        relay.waited = next
        switch next {
        case .bytes:
            if let number = relay.sourceNumber { try watch(number, Source.relays + UInt64(id), CSD_EPOLL_READABLE) }
        case .room:
            if let number = relay.sinkNumber { try watch(number, Source.relays + UInt64(id), CSD_EPOLL_WRITABLE) }
        case .nothing: break
        }
    }

    private func stopWaiting(_ relay: SFTPRelay) {
        switch relay.waited {
        case .bytes: if let number = relay.sourceNumber { _ = csd_epoll_remove(epoll.rawValue, number) }
        case .room: if let number = relay.sinkNumber { _ = csd_epoll_remove(epoll.rawValue, number) }
        case .nothing: break
        }
    }

    private func attendMaster(_ id: MasterRequests.ID) throws(IPCError) {
        // An event of before it was closed.
        guard let link = links[id] else { return }
        try took(id, link, link.link.readable())
    }

    /// What was seen of a master, and what to wait for.
    private func took(_ id: MasterRequests.ID, _ link: Link, _ facts: [MasterFact]) throws(IPCError) {
        for fact in facts { try perform(requests.seen(id, fact, now: Self.now())) }
        guard let descriptor = link.link.rawValue else { return }
        if link.link.waiting == .forHost { requests.waitsForHost(id) }
        let wanted = Self.events(link.link.wants)
        guard wanted != link.watched else { return }
        if link.watched != nil { _ = csd_epoll_remove(epoll.rawValue, descriptor) }
        try watch(descriptor, Source.links + UInt64(id), wanted)
        link.watched = wanted
    }

    // MARK: The kernel

    private static func events(_ wants: MasterLink.Wants) -> UInt32 {
        switch wants {
        case .nothing: 0
        case .toRead: CSD_EPOLL_READABLE
        case .toReadAndWrite: CSD_EPOLL_READABLE | CSD_EPOLL_WRITABLE
        }
    }

    func watch(_ descriptor: Int32, _ token: UInt64, _ wanted: UInt32) throws(IPCError) {
        guard csd_epoll_add(epoll.rawValue, descriptor, token, wanted) == 0 else {
            throw .system(call: "epoll_ctl", errno: errno)
        }
    }

    static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }
}
