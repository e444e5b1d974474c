/// Reads a part of an open file in order, with several READs under way.
///
/// It reads until READ tells the end of the file, whatever size was told before: files of /proc tell 0, and files grow
/// and shrink.
struct ReadPump {
    private struct Request {
        let reply: PendingReply
        let length: Int
        /// Whether it asks beyond the expected size: the answer is the end of the file, or more of it.
        let probes: Bool
    }

    private let client: SFTPClient
    private let handle: [UInt8]
    private let path: [UInt8]
    /// The offset at which the reading stops.
    private let end: UInt64
    /// The size that STAT told.
    private let size: UInt64
    /// The offset up to which bytes are expected and asked for ahead.
    private let expected: UInt64
    private var chunk: Int
    private var window: Int
    private let longestWindow: Int
    private var queue: [Request] = []
    private var underWay = 0
    private var asked: UInt64
    /// The offset of the byte that comes next.
    private(set) var position: UInt64
    /// Whether the server has told the end of the file.
    private(set) var reachedEnd = false
    /// How many bytes the file has at least, judged by those that came; 0 if none came.
    private(set) var seen: UInt64 = 0

    /// Asks for the first bytes at once. `size` is what STAT told, `window` the most bytes that may be under way.
    init(
        _ client: SFTPClient, handle: [UInt8], path: [UInt8], from offset: UInt64, to end: UInt64, size: UInt64,
        window longestWindow: Int = 4 << 20, firstWindow: Int = 1 << 20
    ) {
        self.client = client
        self.handle = handle
        self.path = path
        self.end = end
        self.size = size
        expected = min(size, end)
        chunk = client.limits.readLength
        self.longestWindow = longestWindow
        window = min(firstWindow, longestWindow)
        asked = offset
        position = offset
        fill()
    }

    /// The next bytes; nil at `end` or at the end of the file.
    mutating func next() async throws(SFTPError) -> ArraySlice<UInt8>? {
        while !queue.isEmpty {
            if Task.isCancelled { throw .cancelled }
            let request = queue.removeFirst()
            underWay -= request.length
            guard let data = try await data(request.reply) else {
                reachedEnd = true
                queue = []
                return nil
            }
            position += UInt64(data.count)
            seen = position
            window = min(longestWindow, window * 2)
            if data.count < request.length {
                // The READs after this one leave a gap: the file ends here, or the server gives no more bytes at once.
                try await dropQueue()
                asked = position
                if !request.probes && data.count >= 4096 { chunk = data.count }
                window = chunk
            }
            fill()
            return data
        }
        return nil
    }

    /// The bytes of an answer; nil at the end of the file.
    ///
    /// At an offset after the end there is nothing. The host's lseek(2) and pread(2) fail if no file can have that offset, and
    /// this means the same.
    private func data(_ reply: PendingReply) async throws(SFTPError) -> ArraySlice<UInt8>? {
        do throws(SFTPError) {
            return try await reply.data()
        } catch .refused(let status, let call, let path, let message) {
            switch status {
            case .badMessage, .failure:
                if seen == 0 && position > size { return nil }
            case .ok, .endOfFile, .noSuchFile, .permissionDenied, .noConnection, .connectionLost, .unsupported, .other:
                break
            }
            throw .refused(status, call: call, path: path, message: message)
        }
    }

    /// Waits for the answers to all READs that are under way, which nobody needs. Otherwise more and more requests
    /// would stay unanswered if the server leaves them out.
    private mutating func dropQueue() async throws(SFTPError) {
        while !queue.isEmpty {
            let request = queue.removeFirst()
            do throws(SFTPError) {
                _ = try await request.reply.data()
            } catch .refused {
                continue
            }
        }
        underWay = 0
    }

    private mutating func fill() {
        while asked < expected && underWay < window && queue.count < 256 && mayAsk {
            ask(min(UInt64(client.length(upTo: chunk)), expected - asked), probes: false)
        }
        // One at a time, because the file may have no more bytes.
        if asked >= expected && asked < end && queue.last?.probes != true && mayAsk {
            ask(min(UInt64(client.length(upTo: chunk)), end - asked), probes: true)
        }
    }

    /// Whether to ask for more. The next bytes are always asked for, those after them only if all calls together leave
    /// room.
    private var mayAsk: Bool { queue.isEmpty || client.hasRoom(for: chunk) }

    private mutating func ask(_ length: UInt64, probes: Bool) {
        let request = SFTPRequest.read(handle, offset: asked, length: Int(length))
        queue.append(Request(reply: client.send(request, about: path), length: Int(length), probes: probes))
        asked += length
        underWay += Int(length)
    }
}
