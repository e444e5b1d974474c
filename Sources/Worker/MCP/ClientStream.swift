internal import Dispatch
internal import Glibc
internal import IPC
internal import Synchronization

/// The client's descriptor. One thread reads lines from it and another writes lines to it; both may block.
///
/// If more than 8 MiB of answers are queued, the reader waits, so that a client which sends and never reads stops itself. With
/// less the reader goes on: a bridge between client and daemon may copy one direction at a time, and if the reader waited, both
/// would wait for each other.
public final class ClientStream: LineWriter {
    /// How many bytes of answers may be queued while the reader goes on.
    private static let maximumQueued = 8 << 20
    /// How long a client may take for the rest of a line that is too long, if it sends nothing.
    static let excessPatience = Duration.seconds(5)
    /// How many bytes of that rest give the client one second more.
    private static let excessBytesPerSecond = 16 << 10
    /// If so many bytes are queued, a message that may be lost is dropped.
    private static let maximumOffered = 64 << 10

    private let descriptor: Int32
    private let reading = DispatchQueue(label: "client.read")
    private let writing = DispatchQueue(label: "client.write")
    /// The thread that makes large answers, one at a time. Short answers do not wait for it.
    private let making = DispatchQueue(label: "client.make")
    private let queued = Atomic<Int>(0)
    /// How many messages the writing thread has, or will have. While there are any, all others are written after them.
    private let lined = Mutex(0)
    private let patience: Duration

    /// A connection over an open stream socket, which the caller keeps open.
    public convenience init(descriptor: Int32) { self.init(descriptor: descriptor, patience: Self.excessPatience) }

    init(descriptor: Int32, patience: Duration) {
        self.descriptor = descriptor
        self.patience = patience
    }

    /// Reads lines until the stream ends. All three functions are called on the reading thread.
    /// - Parameters:
    ///   - limit: bytes of the longest line.
    ///   - between: called when all whole lines among the bytes that were read have been passed on.
    ///   - atEnd: called when no more lines come.
    ///   - receive: gets each line.
    public func readLines(
        limit: Int, between: @escaping @Sendable () -> Void = {}, atEnd: @escaping @Sendable () -> Void = {},
        to receive: @escaping @Sendable ([UInt8]) -> Void
    ) async -> ConnectionEnd {
        await withCheckedContinuation { continuation in
            reading.async {
                let end = self.read(limit, between, receive)
                atEnd()
                continuation.resume(returning: end)
            }
        }
    }

    private func read(_ limit: Int, _ between: () -> Void, _ receive: ([UInt8]) -> Void) -> ConnectionEnd {
        var framer = LineFramer(limit: limit)
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = uninterrupted { Glibc.read(descriptor, &chunk, chunk.count) }
            if count == 0 { return .closed }
            if count < 0 { return errno == ECONNRESET ? .closed : .failed(errno: errno) }
            do {
                for line in try framer.append(chunk[..<count]) { receive(line) }
                between()
            } catch {
                return .lineTooLong(limit: error.limit, rest(of: framer.excess ?? ExcessLine(), &chunk))
            }
        }
    }

    /// Reads the rest of a line that is too long, only to find the ids of its requests, because the client waits for an answer
    /// to each. The client has time as long as it sends fast enough. If it sends nothing more, it gets its answer soon.
    private func rest(of line: ExcessLine, _ chunk: inout [UInt8]) -> UnreadableLine {
        var line = line
        var left = patience
        while !line.isOver {
            var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let start = ContinuousClock.now
            let ready = uninterrupted {
                poll(&event, 1, Int32(max(0, (start + left - .now) / .milliseconds(1))))
            }
            left -= ContinuousClock.now - start
            guard ready > 0 else { break }
            let count = uninterrupted { Glibc.read(descriptor, &chunk, chunk.count) }
            guard count > 0 else { break }
            left = min(patience, left + .seconds(1) * count / Self.excessBytesPerSecond)
            line.take(chunk[..<count])
        }
        return line.end
    }

    /// See `LineWriter`.
    public func post(_ message: [UInt8]) {
        queued.wrappingAdd(message.count, ordering: .relaxed)
        line {
            self.put(message)
            self.queued.wrappingSubtract(message.count, ordering: .relaxed)
        }
    }

    /// Has the writing thread do this after what it has already.
    private func line(_ work: @escaping @Sendable () -> Void) {
        lined.withLock { count in
            count += 1
            writing.async {
                work()
                self.lined.withLock { $0 -= 1 }
            }
        }
    }

    /// Writes a short message here, where none is before it and the socket has room, most of the time: a thread would have to wake
    /// up for it. Else the writing thread writes it, or its rest, and then calls `then`.
    /// - Returns: whether it is written, or the client has gone.
    private func writeAtOnce(_ message: [UInt8], else then: @escaping @Sendable () -> Void) -> Bool {
        let bytes = message + [UInt8(ascii: "\n")]
        return lined.withLock { count in
            var sent = 0
            if count == 0 {
                let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
                sent = bytes.withUnsafeBytes { all in
                    uninterrupted { Glibc.send(descriptor, all.baseAddress, all.count, flags) }
                }
                if sent == bytes.count || sent < 0 && errno != EAGAIN { return true }
            }
            let rest = Array(bytes[max(0, sent)...])
            count += 1
            writing.async {
                self.send(rest)
                then()
                self.lined.withLock { $0 -= 1 }
            }
            return false
        }
    }

    /// See `LineWriter`.
    public func settle() {
        if queued.load(ordering: .relaxed) > Self.maximumQueued { writing.sync {} }
    }

    /// See `LineWriter`.
    public func writeLater(isLarge: Bool, _ message: @escaping @Sendable () -> [UInt8]) async {
        await withCheckedContinuation { continuation in
            guard isLarge else {
                if writeAtOnce(message(), else: { continuation.resume() }) { continuation.resume() }
                return
            }
            making.async {
                let message = message()
                self.lined.withLock { $0 += 1 }
                self.writing.sync { self.put(message) }
                self.lined.withLock { $0 -= 1 }
                continuation.resume()
            }
        }
    }

    /// See `LineWriter`.
    public func offer(_ message: [UInt8]) {
        if queued.load(ordering: .relaxed) < Self.maximumOffered { post(message) }
    }

    /// Returns when the client has taken all that was queued before, or has gone.
    public func flush() async {
        await withCheckedContinuation { continuation in
            making.async { self.writing.async { continuation.resume() } }
        }
    }

    /// Writes a message and its newline. If the client has gone, the reading side notices that.
    private func put(_ message: [UInt8]) {
        let end = [UInt8(ascii: "\n")]
        // A short message is sent together with its newline. A long one is not copied for that.
        if message.count < 4096 { send(message + end) } else if send(message) { send(end) }
    }

    /// Sends all of the bytes.
    /// - Returns: false if the client has gone.
    @discardableResult
    private func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { rest in
                uninterrupted {
                    Glibc.send(descriptor, rest.baseAddress.map { $0 + sent }, rest.count - sent, Int32(MSG_NOSIGNAL))
                }
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
