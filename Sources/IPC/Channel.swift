internal import CLinux
internal import Glibc

/// One end of a SOCK_SEQPACKET pair between two of the processes, unix(7). Each packet is one message.
public struct Channel: ~Copyable, Sendable {
    private let socket: OwnedFD

    /// Takes one end of the pair.
    public init(taking descriptor: consuming OwnedFD) {
        socket = descriptor
    }

    /// The descriptor, to wait on.
    public var rawValue: Int32 { socket.rawValue }

    /// Both ends of a new pair. The owner takes each once, by `take()`.
    public struct Ends: ~Copyable {
        /// The end that does not block: that of a process with a loop.
        public var nonBlocking: OwnedFD?
        /// The end that blocks, until its owner says otherwise.
        public var blocking: OwnedFD?
    }

    /// A connected pair, both ends close-on-exec, socketpair(2).
    public static func pair() throws(IPCError) -> Ends {
        var numbers: [Int32] = [-1, -1]
        let kind = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &numbers) == 0 else { throw .system(call: "socketpair", errno: errno) }
        let ends = Ends(nonBlocking: OwnedFD(taking: numbers[0]), blocking: OwnedFD(taking: numbers[1]))
        guard fcntl(numbers[0], F_SETFL, O_NONBLOCK) == 0 else { throw .system(call: "fcntl", errno: errno) }
        return ends
    }

    /// Makes this end non-blocking, fcntl(2).
    public func setNonBlocking() throws(IPCError) { try socket.setNonBlocking() }

    /// Refuses descriptors that the other side sends, because closing one may mean waiting for its file system. From Linux 6.16
    /// on (`SO_PASSRIGHTS`) the sending fails. On older kernels `receive` drops the descriptor.
    public func refuseDescriptors() {
        csd_refuse_descriptors(socket.rawValue)
    }

    /// Receives no more messages, shutdown(2).
    public func refuseMessages() {
        shutdown(socket.rawValue, Int32(SHUT_RD))
    }

    /// Ends the conversation, shutdown(2). Messages that were sent before can still be received. Then comes the end, even if
    /// another process still has the other end.
    public func shutDown() {
        shutdown(socket.rawValue, Int32(SHUT_RDWR))
    }

    /// Sends one message. On a non-blocking end a full buffer is an error.
    /// - Throws: `.missingDescriptor` or `.surplusDescriptor` if `descriptor` does not fit the message, `.closed` if the other
    ///   side has gone, `.system` with EAGAIN if the buffer is full.
    public func send(
        _ message: some IPCMessage, requestID: UInt32 = 0, descriptor: borrowing OwnedFD? = nil
    ) throws(IPCError) {
        switch descriptor {
        case .some(let owned): try send(message, requestID, [owned.rawValue])
        case .none: try send(message, requestID, [])
        }
    }

    /// Sends one message with these descriptors, which the caller keeps. It throws like `send` with one descriptor.
    public func send(
        _ message: some IPCMessage, requestID: UInt32, descriptors: borrowing PassedDescriptors
    ) throws(IPCError) {
        try send(message, requestID, descriptors.numbers)
    }

    /// The same.
    /// - Parameter isPatient: waits for room on a blocking end; without it a full buffer is an error there as well.
    public func send(
        _ message: some IPCMessage, _ requestID: UInt32, _ descriptors: borrowing PassedDescriptors, isPatient: Bool
    ) throws(IPCError) {
        try send(message, requestID, descriptors.numbers, isPatient: isPatient)
    }

    private func send(
        _ message: some IPCMessage, _ requestID: UInt32, _ numbers: [Int32], isPatient: Bool = true
    ) throws(IPCError) {
        guard numbers.count >= message.descriptorCount else { throw .missingDescriptor }
        guard numbers.count == message.descriptorCount else { throw .surplusDescriptor }
        let packet = try message.encoded(requestID: requestID)
        guard packet.count <= Frame.maximumSize else { throw .tooLong(packet.count) }
        let sent = uninterrupted {
            isPatient
                ? csd_send_message(socket.rawValue, packet, packet.count, numbers, numbers.count)
                : csd_send_message_at_once(socket.rawValue, packet, packet.count, numbers, numbers.count)
        }
        if sent >= 0 { return }
        if errno == EPIPE || errno == ECONNRESET { throw .closed }
        throw .system(call: "sendmsg", errno: errno)
    }

    /// Receives one message; nil if none is waiting on a non-blocking end.
    /// - Throws: `.closed` at the end of the conversation, and another error for a packet that an honest process does not send.
    public func receive<Message: IPCMessage>(_: Message.Type) throws(IPCError) -> Incoming<Message>? {
        // There is room for one byte too many, so that a packet which is too long is noticed and not cut.
        let size = Frame.maximumSize + 1
        var numbers = [Int32](repeating: -1, count: Int(CSD_RECEIVED_DESCRIPTORS))
        var received = 0
        var flags: Int32 = 0
        var count = 0
        var code: Int32 = 0
        let packet = [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
            count = uninterrupted {
                Message.maximumDescriptors > 0
                    ? csd_receive_message(socket.rawValue, buffer.baseAddress, size, &numbers, &received, &flags)
                    : csd_receive_bytes(socket.rawValue, buffer.baseAddress, size, &flags)
            }
            code = errno
            filled = max(0, count)
        }
        if count < 0 {
            if code == EAGAIN { return nil }
            if code == ECONNRESET { throw .closed }
            throw .system(call: "recvmsg", errno: code)
        }
        let descriptors = PassedDescriptors(taking: numbers[..<received])
        guard flags & Int32(MSG_CTRUNC) == 0 else { throw .controlTruncated }
        guard count > 0 else { throw .closed }
        guard flags & Int32(MSG_TRUNC) == 0, count <= Frame.maximumSize else { throw .tooLong(count) }
        let decoded = try Message.decode(packet[..<count])
        guard received >= decoded.message.descriptorCount else { throw .missingDescriptor }
        guard received == decoded.message.descriptorCount else { throw .surplusDescriptor }
        return Incoming(message: decoded.message, requestID: decoded.requestID, descriptors: descriptors)
    }
}
