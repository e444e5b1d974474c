internal import SSH

/// Where a client's requests go. What comes back is given to the client by whoever made the transport.
protocol SFTPTransport: Sendable {
    /// Begins the conversation.
    func begin()
    /// Queues a request, in order.
    func send(_ request: SFTPRequest, id: UInt32)
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
    func send(_ request: SFTPRequest, id: UInt32) { send(request.encode(id: id)) }
}

extension SSHChannel: SFTPPacketTransport {
    func send(_ bytes: [UInt8]) { send(bytes, then: nil) }
}

/// The ways to the files of a host.
public enum FileTransport: String, Sendable {
    /// The SFTP subsystem of its sshd.
    case sftp
    /// A POSIX shell, where there is no such subsystem.
    case shell
}
