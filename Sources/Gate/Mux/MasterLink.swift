public import IPC

/// A connection to a master over a socket. Its owner waits on `rawValue` for what `wants` says, and then calls
/// `readable` or `writable`. Neither blocks, and each moves a bounded number of bytes.
public final class MasterLink {
    /// What the owner of the connection must wait for.
    public enum Wants: Equatable, Sendable {
        /// Nothing: the connection is over.
        case nothing
        /// Bytes to read, or the end.
        case toRead
        /// The same, or room to send.
        case toReadAndWrite
    }

    /// Bytes that are read at most at once.
    private static let chunk = 16 * 1024

    private var socket: StreamSocket?
    private var conversation: MasterConversation
    private var outgoing: [UInt8] = []
    private var sent = 0
    private var descriptors: SessionDescriptors?
    /// Whether the descriptors must be sent after the outgoing bytes. No bytes are queued after the descriptors before
    /// these are sent: a master that does not have them says nothing that needs an answer.
    private var passes = false
    private var facts: [MasterFact] = []

    /// Takes a connected socket, and asks the master this over it.
    /// - Throws: if the socket cannot be made non-blocking.
    public init(taking socket: consuming OwnedFD, asking control: ControlRequest) throws(IPCError) {
        self.socket = try StreamSocket(taking: socket)
        conversation = MasterConversation(.control(control))
        perform(conversation.opening)
    }

    /// Takes a connected socket, and opens this session with these descriptors over it.
    /// - Throws: if the socket cannot be made non-blocking.
    public init(
        taking socket: consuming OwnedFD, opening session: MuxSession, with descriptors: consuming SessionDescriptors
    ) throws(IPCError) {
        self.socket = try StreamSocket(taking: socket)
        self.descriptors = consume descriptors
        conversation = MasterConversation(.session(session))
        perform(conversation.opening)
    }

    /// The descriptor to wait on; nil if the connection is over.
    public var rawValue: Int32? {
        switch socket {
        case .some(let socket): socket.rawValue
        case .none: nil
        }
    }

    /// What the owner must wait for now.
    public var wants: Wants {
        if rawValue == nil { return .nothing }
        return sent < outgoing.count || passes ? .toReadAndWrite : .toRead
    }

    /// Whose answer the connection waits for. The owner chooses the time limit by it.
    public var waiting: MasterConversation.Waiting { conversation.waiting }

    /// Asks the master something more; `writable` sends it. Returns false unless `waiting` is `forNothing` and the
    /// connection is not over.
    public func ask(_ control: ControlRequest) -> Bool {
        guard let actions = conversation.ask(control) else { return false }
        perform(actions)
        return true
    }

    /// Opens this session with these descriptors; `writable` asks for it. Returns false as for a question, and closes the
    /// descriptors then.
    public func ask(_ session: MuxSession, with descriptors: consuming SessionDescriptors) -> Bool {
        guard let actions = conversation.ask(session) else { return false }
        self.descriptors = consume descriptors
        perform(actions)
        return true
    }

    /// Reads once. The owner calls this if there are bytes to read, or the end. Returns what was seen of the master.
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

    /// Sends what is queued. The owner calls this if there is room to send. Returns what was seen of the master.
    public func writable() -> [MasterFact] {
        while sendNext() {}
        defer { facts = [] }
        return facts
    }

    /// Gives up the wait. The owner calls this if the time limit has passed. Returns what follows from that.
    public func timedOut() -> [MasterFact] {
        perform(conversation.timedOut())
        return writable()
    }

    /// Ends the connection, and with it the session that it has.
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

    /// Sends the next bytes or, after all bytes, the next descriptor. Returns whether to go on.
    private func sendNext() -> Bool {
        if sent < outgoing.count {
            guard let count = transmit(outgoing[sent...], descriptor: nil) else { return false }
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

    /// Returns how many bytes were sent; nil if there is no room, or no connection any more.
    private func transmit(_ bytes: ArraySlice<UInt8>, descriptor: Int32?) -> Int? {
        let result: StreamSocket.Sent
        switch socket {
        case .some(let socket): result = socket.send(bytes, descriptor: descriptor)
        case .none: return nil
        }
        switch result {
        case .count(let count): return count
        case .full: return nil
        case .closed:
            // Reading still brings what the master said before it left, and then the end.
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
