public import IPC

/// A connection to a master over a socket. Its owner waits on `rawValue` as `wants` says, and calls `readable` and
/// `writable`; neither blocks, and each takes a bounded amount.
public final class MasterLink {
    /// What to wait for.
    public enum Wants: Equatable, Sendable {
        /// The connection is over.
        case nothing
        /// Bytes, or the end.
        case toRead
        /// Those, or room to send.
        case toReadAndWrite
    }

    /// Bytes taken in one turn.
    private static let chunk = 16 * 1024

    private var socket: StreamSocket?
    private var conversation: MasterConversation
    private var outgoing: [UInt8] = []
    private var sent = 0
    private var descriptors: SessionDescriptors?
    /// The descriptors follow the outgoing bytes. Nothing is queued behind them until they are sent: a master says nothing
    /// that needs an answer before it has them.
    private var passes = false
    private var facts: [MasterFact] = []

    /// A connected socket, to ask this.
    /// - Throws: where it cannot be made non-blocking.
    public init(taking socket: consuming OwnedFD, asking control: ControlRequest) throws(IPCError) {
        self.socket = try StreamSocket(taking: socket)
        conversation = MasterConversation(.control(control))
        perform(conversation.opening)
    }

    /// A connected socket, to open this session on these descriptors.
    /// - Throws: where it cannot be made non-blocking.
    public init(
        taking socket: consuming OwnedFD, opening session: MuxSession, with descriptors: consuming SessionDescriptors
    ) throws(IPCError) {
        self.socket = try StreamSocket(taking: socket)
        self.descriptors = consume descriptors
        conversation = MasterConversation(.session(session))
        perform(conversation.opening)
    }

    /// The descriptor to wait on; nil where the connection is over.
    public var rawValue: Int32? {
        switch socket {
        case .some(let socket): socket.rawValue
        case .none: nil
        }
    }

    /// What to wait for.
    public var wants: Wants {
        if rawValue == nil { return .nothing }
        return sent < outgoing.count || passes ? .toReadAndWrite : .toRead
    }

    /// Whose answer is waited for, so that the owner knows the bound.
    public var waiting: MasterConversation.Waiting { conversation.waiting }

    /// Asks for more; false unless the connection is `forNothing` and not over. The request goes out with `writable`.
    public func ask(_ control: ControlRequest) -> Bool {
        guard let actions = conversation.ask(control) else { return false }
        perform(actions)
        return true
    }

    /// There is something to read, or the end. Returns what was seen.
    public func readable() -> [MasterFact] {
        let received: StreamSocket.Received
        switch socket {
        case .some(let socket): received = socket.receive(upTo: Self.chunk)
        case .none: return []
        }
        switch received {
        case .bytes(let bytes): perform(conversation.received(bytes))
        case .nothing: break
        case .closed: perform(conversation.lost(errno: 0))
        case .failed(let errno): perform(conversation.lost(errno: errno))
        }
        return writable()
    }

    /// There is room to send. Returns what was seen.
    public func writable() -> [MasterFact] {
        while sendNext() {}
        defer { facts = [] }
        return facts
    }

    /// The bound of the wait has passed. Returns what follows.
    public func timedOut() -> [MasterFact] {
        perform(conversation.timedOut())
        return writable()
    }

    /// Ends the connection. A session that it has ends with it.
    public func close() {
        socket = nil
        forgetOutgoing()
    }

    private var nextDescriptor: Int32? {
        switch descriptors {
        case .some(let descriptors): descriptors.next
        case .none: nil
        }
    }

    /// Sends the next bytes, or behind all of them the next descriptor, and says whether to go on.
    private func sendNext() -> Bool {
        if sent < outgoing.count {
            guard let count = transmit(outgoing[sent...], descriptor: -1) else { return false }
            sent += count
            return true
        }
        guard passes, let next = nextDescriptor, transmit([0], descriptor: next) != nil else { return false }
        descriptors?.closeSent()
        if nextDescriptor == nil {
            passes = false
            conversation.passedDescriptors()
        }
        return true
    }

    /// How many bytes were sent; nil where there is no room, or no connection any more.
    private func transmit(_ bytes: ArraySlice<UInt8>, descriptor: Int32) -> Int? {
        let result: StreamSocket.Sent
        switch socket {
        case .some(let socket): result = socket.send(bytes, descriptor: descriptor)
        case .none: return nil
        }
        switch result {
        case .count(let count): return count
        case .full: return nil
        case .closed:
            // What the master said before it left, and that it left, comes by reading.
            forgetOutgoing()
            return nil
        case .failed(let errno):
            perform(conversation.lost(errno: errno))
            return nil
        }
    }

    private func perform(_ actions: [MasterConversation.Action]) {
        for action in actions {
            switch action {
            case .send(let bytes):
                if sent == outgoing.count {
                    outgoing = bytes
                    sent = 0
                } else {
                    outgoing += bytes
                }
            case .passDescriptors: passes = true
            case .report(let fact): facts.append(fact)
            case .close: close()
            }
        }
    }

    private func forgetOutgoing() {
        outgoing = []
        sent = 0
        descriptors = nil
        passes = false
    }
}
