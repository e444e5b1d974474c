internal import SSH

/// Where a client's requests go. What comes back is given to the client by whoever made the transport.
protocol SFTPTransport: Sendable {
    /// Begins the conversation.
    func begin()
    /// Queues a request, in order. `moved` is called when some of its bytes are on their way, where that is known.
    func send(_ request: SFTPRequest, id: UInt32, moved: @escaping @Sendable (Int) -> Void)
    /// What came beside answers, for a person.
    var said: String { get }
    /// Ends the connection; its end is told as every end is.
    func close()
}

/// A transport of packets.
protocol SFTPPacketTransport: SFTPTransport {
    /// Queues bytes, in order.
    func send(_ bytes: [UInt8])
}

extension SFTPPacketTransport {
    func begin() { send(SFTPRequest.initialize) }
    func send(_ request: SFTPRequest, id: UInt32, moved: @escaping @Sendable (Int) -> Void) {
        send(request.encode(id: id))
    }
    var said: String { "" }
}

extension SSHChannel: SFTPPacketTransport {
    /// At the slowest rate that is waited for, the line takes as much within the patience.
    private static let piece = 32_768

    func send(_ bytes: [UInt8]) { send(bytes, then: {}) }

    func send(_ request: SFTPRequest, id: UInt32, moved: @escaping @Sendable (Int) -> Void) {
        let packet = request.encode(id: id)
        guard packet.count > Self.piece else { return send(packet) }
        send(packet, piece: Self.piece, then: moved)
    }
}

/// The ways to the files of a host.
public enum FileTransport: String, Sendable {
    /// The SFTP subsystem of its sshd.
    case sftp
    /// A POSIX shell, where there is no such subsystem.
    case shell
}
