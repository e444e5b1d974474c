internal import SSH

/// Where a client's bytes go. What comes back is given to the client by whoever made the transport.
protocol SFTPTransport: Sendable {
    /// Queues bytes, in order.
    func send(_ bytes: [UInt8])
    /// Ends the connection; its end is told as every end is.
    func close()
}

extension SSHChannel: SFTPTransport {}
