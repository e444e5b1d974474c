internal import Synchronization

/// A handle of the server. It is closed when its last owner lets it go, unless `close` was called to learn the result.
final class SFTPHandle: Sendable {
    let bytes: [UInt8]
    let path: [UInt8]
    private let client: SFTPClient
    private let isClosed = Mutex(false)

    init(bytes: [UInt8], path: [UInt8], client: SFTPClient) {
        self.bytes = bytes
        self.path = path
        self.client = client
    }

    deinit {
        if !isClosed.withLock({ $0 }) { _ = client.send(.close(bytes), about: path) }
    }

    /// Closes the handle now. The server answers a second CLOSE with an error.
    func close() -> PendingReply {
        isClosed.withLock { $0 = true }
        return client.send(.close(bytes), about: path)
    }
}
