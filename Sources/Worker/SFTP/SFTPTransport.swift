internal import SSH

/// Sends the requests of a client. Whoever made the transport gives the client what comes back.
protocol SFTPTransport: Sendable {
    /// Begins the conversation.
    func begin()
    /// Queues a request, in order. `moved` is called with the bytes of it that are on their way, if that is known.
    func send(_ request: SFTPRequest, id: UInt32, moved: @escaping @Sendable (Int) -> Void)
    /// What came besides answers, for a person.
    var said: String { get }
    /// Ends the connection. The client is told of this end as of every other one.
    func close()
}

extension SSHChannel: SFTPPacketTransport {
    /// Bytes of a piece: the slowest line that is waited for takes so many within the patience.
    private static let piece = 32_768

    func send(_ bytes: [UInt8]) { send(bytes, then: {}) }

    func send(_ request: SFTPRequest, id: UInt32, moved: @escaping @Sendable (Int) -> Void) {
        let packet = request.encode(id: id)
        guard packet.count > Self.piece else { return send(packet) }
        send(packet, piece: Self.piece, then: moved)
    }
}
