internal import Dispatch
internal import Glibc
internal import IPC
internal import SSH
internal import Synchronization

/// The channel to the gate as the serving worker uses it: one thread listens, any thread asks.
final class GateLink: Sendable {
    /// Who waits for what the gate says to a request.
    private enum Asker {
        case judgement(Awaited<Judgement>, since: ContinuousClock.Instant)
        case session(@Sendable (SessionWord) -> Void, isOpen: Bool)
        /// For a ticket first; then as for a session.
        case ticket(@Sendable (UInt32, String) -> Void, @Sendable (SessionWord) -> Void)
    }

    /// A request with its descriptors, on its way.
    private final class Sending: Sendable {
        private struct Left: ~Copyable {
            var packets: ArraySlice<GateRequest>
            var descriptors: PassedDescriptors

            init(_ packets: [GateRequest], _ descriptors: consuming PassedDescriptors) {
                self.packets = packets[...]
                self.descriptors = descriptors
            }
        }

        let id: UInt32
        private let left: Mutex<Left>

        init(_ id: UInt32, _ request: GateRequest, _ descriptors: consuming PassedDescriptors) {
            self.id = id
            left = Mutex(Left(request.packets, descriptors))
        }

        /// Sends what is left of it. The descriptors go with the last packet, and are the gate's then.
        /// - Parameter isPatient: waits for room; without it the rest can be sent later where there is none.
        func send(over channel: borrowing Channel, isPatient: Bool) -> Sent {
            left.withLock { left in
                let sent = Self.send(id, &left, over: channel, isPatient)
                switch sent {
                case .full: break
                case .whole, .failed: left = Left([], PassedDescriptors())
                }
                return sent
            }
        }

        private static func send(
            _ id: UInt32, _ left: inout Left, over channel: borrowing Channel, _ isPatient: Bool
        ) -> Sent {
            let none = PassedDescriptors()
            while let packet = left.packets.first {
                do throws(IPCError) {
                    if left.packets.count > 1 {
                        try channel.send(packet, id, none, isPatient: isPatient)
                    } else {
                        try channel.send(packet, id, left.descriptors, isPatient: isPatient)
                    }
                } catch .system(_, EAGAIN) where !isPatient {
                    return .full
                } catch {
                    return .failed(error)
                }
                left.packets.removeFirst()
            }
            return .whole
        }
    }

    private enum Sent {
        case whole
        /// There is no room now.
        case full
        case failed(IPCError)
    }

    private struct State {
        var isEnded = false
        /// See `GateAnswer.ready`.
        var mark = ""
        /// Who waits, by the ids of the requests.
        var askers: [UInt32: Asker] = [:]
        var nextID: UInt32 = 1
        /// A timer looks after those who wait for a judgement.
        var isTimed = false
    }

    /// How long a gate may take to answer: more than it gives a ControlMaster, and one that hangs is none.
    private static let patience = Duration.seconds(10)

    private let channel: Channel
    private let state = Mutex(State())
    /// Sends what the gate has no room for now, on a thread of its own: a gate that reads nothing holds up that one.
    private let writing = DispatchQueue(label: "gate.write")
    /// How many sendings that thread has. While there are any, all others are sent after them.
    private let queued = Mutex(0)

    init(channel: consuming Channel) {
        self.channel = channel
    }

    /// Waits for the first message, which comes when the gate is confined.
    func awaitReady() throws(IPCError) {
        guard let first = try channel.receive(GateAnswer.self), case .ready(let mark) = first.message else {
            throw .badValue
        }
        state.withLock { $0.mark = mark }
    }

    /// Hears answers, on a thread of its own. `ended` is called when there will be no more: the gate has ended, or broken the
    /// protocol. Whoever waits for an answer is told before that.
    func follow(ended: @escaping @Sendable () -> Void) {
        DispatchQueue(label: "gate.read").async {
            do throws(IPCError) {
                while true {
                    guard let incoming = try self.channel.receive(GateAnswer.self) else { continue }
                    switch incoming.message {
                    case .ready: throw .badValue
                    case .ticket(let ticket): self.hear(incoming.requestID, ticket: ticket)
                    case .master(let state): self.settle(incoming.requestID, .master(state))
                    case .refused(let refusal): self.settle(incoming.requestID, .refused(refusal))
                    case .allowed: self.settle(incoming.requestID, .allowed)
                    case .opened: self.hear(incoming.requestID, .opened)
                    case .notOpened(let failure): self.hear(incoming.requestID, .notOpened(failure))
                    case .exited(let status): self.hear(incoming.requestID, .exited(status))
                    case .ended: self.hear(incoming.requestID, .ended)
                    }
                }
            } catch {
                let left = self.state.withLock { state in
                    defer { state.askers = [:] }
                    state.isEnded = true
                    return state.askers.values
                }
                for asker in left { Self.tellEnd(asker) }
                ended()
            }
        }
    }

    /// The gate has ended, or takes no request.
    private static func tellEnd(_ asker: Asker, _ why: MasterDown = .noGate) {
        switch asker {
        case .judgement(let asker, _): asker.settle(.master(.down(why)))
        // What ran may run on.
        case .session(let heard, let isOpen): heard(isOpen ? .lost : .notOpened(.unknown(why)))
        case .ticket(_, let heard): heard(.notOpened(.down(why)))
        }
    }

    private func settle(_ id: UInt32, _ answer: Judgement) {
        let asker = state.withLock { state -> Awaited<Judgement>? in
            guard case .judgement(let asker, _) = state.askers[id] else { return nil }
            state.askers[id] = nil
            return asker
        }
        asker?.settle(answer)
    }

    private func hear(_ id: UInt32, _ word: SessionWord) {
        let heard = state.withLock { state -> (@Sendable (SessionWord) -> Void)? in
            let heard: @Sendable (SessionWord) -> Void
            switch state.askers[id] {
            case .session(let asker, _), .ticket(_, let asker): heard = asker
            case .judgement, .none: return nil
            }
            switch word {
            case .opened: state.askers[id] = .session(heard, isOpen: true)
            case .exited: break
            case .notOpened, .ended, .lost: state.askers[id] = nil
            }
            return heard
        }
        heard?(word)
    }

    private func hear(_ id: UInt32, ticket: String) {
        let given = state.withLock { state -> (@Sendable (UInt32, String) -> Void)? in
            guard case .ticket(let given, let heard) = state.askers[id] else { return nil }
            state.askers[id] = .session(heard, isOpen: false)
            return given
        }
        given?(id, ticket)
    }

    /// Sends at once where there is room, most of the time, and else on the writing thread: another thread would have to wake up
    /// for each request.
    private func send(_ sending: Sending) {
        let sent = queued.withLock { queued in
            let sent = queued == 0 ? sending.send(over: channel, isPatient: false) : .full
            if case .full = sent { queued += 1 }
            return sent
        }
        switch sent {
        case .whole: break
        case .full:
            writing.async {
                let sent = sending.send(over: self.channel, isPatient: true)
                self.queued.withLock { $0 -= 1 }
                if case .failed(let error) = sent { self.failed(sending.id, error) }
            }
        case .failed(let error): failed(sending.id, error)
        }
    }

    /// A request could not be sent.
    private func failed(_ id: UInt32, _ error: IPCError) {
        // `follow` sees that the gate has gone.
        if error == .closed { return }
        // Too many descriptors are under way, for one.
        let asker = state.withLock { $0.askers.removeValue(forKey: id) }
        if let asker { Self.tellEnd(asker, .unavailable(errno: error.systemErrno)) }
    }

    /// Answers those who have waited for a judgement long enough. One timer serves them all: each is a wake-up more.
    private func watchAskers(after pause: Duration = GateLink.patience) {
        _ = Timer(pause) {
            let now = ContinuousClock.now
            let (late, next) = self.state.withLock { state -> ([UInt32], Duration?) in
                var late: [UInt32] = []
                var next: Duration?
                for (id, asker) in state.askers {
                    guard case .judgement(_, let since) = asker else { continue }
                    let left = Self.patience - (now - since)
                    if left <= .zero { late.append(id) } else { next = min(next ?? left, left) }
                }
                state.isTimed = next != nil
                return (late, next)
            }
            for id in late { self.settle(id, .master(.down(.noGate))) }
            if let next { self.watchAskers(after: next) }
        }
    }

    /// Sends a request, unless the gate has ended.
    private func ask(
        _ id: UInt32, _ asker: Asker, _ request: GateRequest, _ descriptors: consuming PassedDescriptors
    ) {
        let isEnded = state.withLock { state in
            if !state.isEnded { state.askers[id] = asker }
            return state.isEnded
        }
        if isEnded { return Self.tellEnd(asker) }
        send(Sending(id, request, descriptors))
    }

    private func newID() -> UInt32 {
        state.withLock { state in
            defer { state.nextID &+= 1 }
            return state.nextID
        }
    }
}

extension GateLink: TicketGate {
    var mark: String { state.withLock { $0.mark } }

    func state(of host: String) async -> MasterState {
        await judge(.alive(host: host)).state
    }

    func judge(_ request: GateRequest) async -> Judgement { await begin(request).value }

    func beginState(of host: String) -> Awaited<Judgement> { begin(.alive(host: host)) }

    private func begin(_ request: GateRequest) -> Awaited<Judgement> {
        let asker = Awaited<Judgement>()
        ask(newID(), .judgement(asker, since: .now), request, PassedDescriptors())
        let needsTimer = state.withLock { state in
            defer { state.isTimed = true }
            return !state.isTimed
        }
        if needsTimer { watchAskers() }
        return asker
    }

    func open(
        _ request: GateRequest, _ pipes: consuming PassedDescriptors, heard: @escaping @Sendable (SessionWord) -> Void
    ) -> UInt32 {
        let id = newID()
        ask(id, .session(heard, isOpen: false), request, pipes)
        return id
    }

    func ticket(
        for request: GateRequest, given: @escaping @Sendable (_ session: UInt32, _ ticket: String) -> Void,
        heard: @escaping @Sendable (SessionWord) -> Void
    ) -> UInt32 {
        let id = newID()
        ask(id, .ticket(given, heard), .ticket(TicketRequest(request)), PassedDescriptors())
        return id
    }

    func takeNotice(of host: String, exports: Bool) {
        send(Sending(newID(), .exports(host: host, exports), PassedDescriptors()))
    }

    func close(_ session: UInt32) {
        send(Sending(session, .close, PassedDescriptors()))
        // A gate that hangs says nothing of it any more.
        _ = Timer(Self.patience) { self.hear(session, .ended) }
    }
}
