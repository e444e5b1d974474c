internal import IPC

/// Writes to an open file with several WRITEs under way.
struct WritePump {
    /// Most bytes under way.
    private static let window = 4 << 20

    private let client: SFTPClient
    private let handle: SFTPHandle
    private let source: ByteSource
    private let progress: @Sendable (UInt64) -> Void
    private var queue: [(reply: PendingReply, length: Int)] = []
    private var underWay = 0
    private var written: UInt64 = 0
    /// The digest of what was sent, if it is wanted.
    private(set) var digest: SHA256?

    init(
        _ client: SFTPClient, _ handle: SFTPHandle, source: @escaping ByteSource, digests: Bool = false,
        progress: @escaping @Sendable (UInt64) -> Void
    ) {
        digest = digests ? SHA256() : nil
        self.client = client
        self.handle = handle
        self.source = source
        self.progress = progress
    }

    /// Sends what the source has from `start` up to `end`. `drain` waits for the last answers.
    /// - Returns: where the source ended, or `end`.
    mutating func send(from start: UInt64, to end: UInt64) async throws(SFTPError) -> UInt64 {
        let chunk = client.limits.writeLength
        var offset = start
        while offset < end {
            let bytes = try await source(offset, Int(min(UInt64(client.length(upTo: chunk)), end - offset)))
            if Task.isCancelled { throw .cancelled }
            if bytes.isEmpty { break }
            digest?.update(bytes)
            while !queue.isEmpty, underWay + bytes.count > Self.window || !client.hasRoom(for: bytes.count) {
                try await settle()
            }
            let request = SFTPRequest.write(handle.bytes, offset: offset, data: bytes)
            queue.append((client.send(request, about: handle.path), bytes.count))
            underWay += bytes.count
            offset += UInt64(bytes.count)
        }
        return offset
    }

    /// Waits until the host has taken all that was sent.
    mutating func drain() async throws(SFTPError) {
        while !queue.isEmpty { try await settle() }
    }

    private mutating func settle() async throws(SFTPError) {
        let (reply, length) = queue.removeFirst()
        try await reply.done()
        underWay -= length
        written += UInt64(length)
        progress(written)
    }
}
