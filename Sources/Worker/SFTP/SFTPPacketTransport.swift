/// A transport that carries packets.
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
