public import IPC

/// A connection of a worker's `ssh`, to which the gate is the master, over a socket. Its owner waits on `rawValue` for something to
/// read, and then calls `readable`. Nothing here blocks. What is sent is little, and an `ssh` that reads none of it is left.
public final class SSHLink {
    /// What was seen.
    public enum Seen: Equatable, Sendable {
        /// `ssh` asks for this session. Its descriptors are there to be taken.
        case asked(MuxSession)
        /// `ssh` has gone, or reads nothing.
        case gone
    }

    /// How often is read at most at once: enough for all that an `ssh` sends.
    private static let readsAtOnce = 16

    private var socket: StreamSocket?
    private var conversation: SSHConversation
    private var descriptors = PassedDescriptors()

    /// Takes a connected socket.
    /// - Throws: if it cannot be made non-blocking.
    public init(taking socket: consuming OwnedFD, processID: UInt32) throws(IPCError) {
        self.socket = try StreamSocket(taking: socket)
        conversation = SSHConversation(processID: processID)
    }

    /// The descriptor to wait on; nil if the connection is over.
    public var rawValue: Int32? {
        switch socket {
        case .some(let socket): socket.rawValue
        case .none: nil
        }
    }

    /// Whether the session was asked for.
    public var hasAsked: Bool { conversation.hasAsked }

    /// Reads what is there, within bounds.
    /// - Throws: what no `ssh` sends that opens a session. Nothing is read after that.
    public func readable() throws(MuxViolation) -> Seen? {
        for _ in 0..<Self.readsAtOnce {
            let received: StreamSocket.Passed
            switch socket {
            case .some(let socket): received = socket.receivePassing(upTo: conversation.wanted)
            case .none: return nil
            }
            switch consume received {
            case .nothing: return nil
            case .over: return .gone
            case .bytes(let bytes, let passed):
                for action in try take(bytes, passed) {
                    switch action {
                    case .send(let reply): guard send(reply) else { return .gone }
                    case .open(let session): return .asked(session)
                    case .leave: return .gone
                    }
                }
            }
        }
        return nil
    }

    private func take(_ bytes: [UInt8], _ passed: consuming PassedDescriptors) throws(MuxViolation)
        -> [SSHConversation.Action]
    {
        var passed = passed
        let actions = try conversation.received(bytes, descriptors: passed.count)
        if let descriptor = passed.take() { descriptors.append(descriptor) }
        return actions
    }

    /// The three descriptors of the session that was asked for, once.
    /// - Throws: if one of them is no pipe.
    public func takeDescriptors() throws(SessionDescriptors.NotAPipe) -> SessionDescriptors? {
        guard let input = descriptors.take(), let output = descriptors.take(), let error = descriptors.take() else {
            return nil
        }
        return try SessionDescriptors(input: input, output: output, error: error)
    }

    /// The host has opened the session, to which this number is given here.
    public func opened(session: UInt32) { _ = send(conversation.opened(session: session)) }

    /// What the session of this number ran has ended.
    public func exited(session: UInt32, status: UInt32) { _ = send(.exitMessage(session: session, status: status)) }

    /// The session was not opened.
    public func refuse(_ reason: String) { _ = send(conversation.refused(reason)) }

    /// Ends the connection.
    public func close() {
        socket = nil
        descriptors = PassedDescriptors()
    }

    /// - Returns: whether all of it was taken.
    private func send(_ reply: MuxReply) -> Bool {
        let bytes = reply.encoded()
        switch socket {
        case .some(let socket):
            guard case .count(bytes.count) = socket.send(bytes[...]) else { return false }
            return true
        case .none: return false
        }
    }
}
