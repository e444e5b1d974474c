internal import Dispatch
internal import Glibc
internal import IPC
internal import SSH
internal import Synchronization

/// The channel to the gate as the serving worker uses it: one thread listens, any thread asks.
final class GateLink: Sendable {
    /// Who waits for what the gate says to a request.
    private enum Asker {
        case judgement(CheckedContinuation<Judgement, Never>)
        case session(@Sendable (SessionWord) -> Void, isOpen: Bool)
        /// For a ticket first; then as for a session.
        case ticket(@Sendable (UInt32, String) -> Void, @Sendable (SessionWord) -> Void)
    }

    /// A request with its descriptors, on its way.
    private final class Sending: Sendable {
        let id: UInt32
        let request: GateRequest
        private let descriptors: Mutex<PassedDescriptors>

        init(_ id: UInt32, _ request: GateRequest, _ descriptors: consuming PassedDescriptors) {
            self.id = id
            self.request = request
            self.descriptors = Mutex(descriptors)
        }

        /// Sends it. The descriptors are the gate's then.
        func send(over channel: borrowing Channel) throws(IPCError) {
            try descriptors.withLock { descriptors throws(IPCError) in
                defer { descriptors = PassedDescriptors() }
                let packets = request.packets
                for packet in packets.dropLast() { try channel.send(packet, requestID: id) }
                if let last = packets.last { try channel.send(last, requestID: id, descriptors: descriptors) }
            }
        }
    }

    private struct State {
        var isEnded = false
        /// See `GateAnswer.ready`.
        var mark = ""
        /// Who waits, by the ids of the requests.
        var askers: [UInt32: Asker] = [:]
        var nextID: UInt32 = 1
    }

    /// How long a gate may take to answer: more than it gives a ControlMaster, and one that hangs is none.
    private static let patience = Duration.seconds(10)

    private let channel: Channel
    private let state = Mutex(State())
    /// Sends, on a thread of its own: a gate that reads nothing holds up that one.
    private let writing = DispatchQueue(label: "gate.write")

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
        case .judgement(let asker): asker.resume(returning: .master(.down(why)))
        // What ran may run on.
        case .session(let heard, let isOpen): heard(isOpen ? .lost : .notOpened(.unknown(why)))
        case .ticket(_, let heard): heard(.notOpened(.down(why)))
        }
    }

    private func settle(_ id: UInt32, _ answer: Judgement) {
        let asker = state.withLock { state -> CheckedContinuation<Judgement, Never>? in
            guard case .judgement(let asker) = state.askers[id] else { return nil }
            state.askers[id] = nil
            return asker
        }
        asker?.resume(returning: answer)
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

    private func send(_ sending: Sending) {
        writing.async {
            do throws(IPCError) {
                try sending.send(over: self.channel)
            } catch .closed {
                // `follow` sees that.
            } catch {
                // Too many descriptors are under way, for one.
                let asker = self.state.withLock { $0.askers.removeValue(forKey: sending.id) }
                if let asker { Self.tellEnd(asker, .unavailable(errno: error.systemErrno)) }
            }
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
        switch await judge(.alive(host: host)) {
        case .master(let state): state
        // A gate that says so to that question knows nothing.
        case .refused, .allowed: .down(.noGate)
        }
    }

    func judge(_ request: GateRequest) async -> Judgement {
        let id = newID()
        let timer = Timer(Self.patience) { self.settle(id, .master(.down(.noGate))) }
        defer { timer.cancel() }
        return await withCheckedContinuation { asker in
            ask(id, .judgement(asker), request, PassedDescriptors())
        }
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

    func close(_ session: UInt32) {
        send(Sending(session, .close, PassedDescriptors()))
        // A gate that hangs says nothing of it any more.
        _ = Timer(Self.patience) { self.hear(session, .ended) }
    }
}
