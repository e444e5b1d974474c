internal import Dispatch
internal import Glibc
internal import Synchronization

/// How a client's stream of lines ended.
public enum ConnectionEnd: Equatable, Sendable {
    /// End of input; a half line before it is dropped.
    case closed
    /// A line was longer than this many bytes; whom to answer of it.
    case lineTooLong(limit: Int, UnreadableLine)
    /// Reading failed with this errno.
    case failed(errno: Int32)
}

/// The client's descriptor: lines in on one thread, lines out on another, both blocking.
///
/// Answers queue up to a bound, beyond which the reader waits: a client that sends and never reads stops itself. Below that
/// bound the reader goes on, because a bridge that copies one direction at a time and this process would otherwise wait for
/// each other.
public final class ClientStream: LineWriter {
    /// Bytes of answers that may wait while more is read.
    private static let maximumQueued = 8 << 20
    /// How long a client may leave the rest of a line that is too long waiting, and what of it fills that time up again.
    static let excessPatience = Duration.seconds(5)
    private static let excessBytesPerSecond = 16 << 10
    /// Bytes of messages waiting beyond which one that may be lost is dropped.
    private static let maximumOffered = 64 << 10

    private let descriptor: Int32
    private let reading = DispatchQueue(label: "client.read")
    private let writing = DispatchQueue(label: "client.write")
    /// Makes large answers, one at a time; a short one is not behind them.
    private let making = DispatchQueue(label: "client.make")
    private let queued = Atomic<Int>(0)
    private let patience: Duration

    /// A connection over an open stream socket, which stays the caller's.
    public convenience init(descriptor: Int32) { self.init(descriptor: descriptor, patience: Self.excessPatience) }

    init(descriptor: Int32, patience: Duration) {
        self.descriptor = descriptor
        self.patience = patience
    }

    /// Reads lines of at most `limit` bytes and hands each to `receive`, on the reading thread, until the stream ends.
    /// `between` is called there when all whole lines of what was read have been handed over, `atEnd` when no more come.
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
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return .closed }
            if count < 0 {
                if errno == EINTR { continue }
                return errno == ECONNRESET ? .closed : .failed(errno: errno)
            }
            do {
                for line in try framer.append(chunk[..<count]) { receive(line) }
                between()
            } catch {
                return .lineTooLong(limit: error.limit, rest(of: framer.excess ?? ExcessLine(), &chunk))
            }
        }
    }

    /// Reads on to the end of a line that is too long, for its ids alone: the client waits for the answer. It may take its time
    /// as long as it sends, but for one that drips; one that sends no more of it does not hold up that answer.
    private func rest(of line: ExcessLine, _ chunk: inout [UInt8]) -> UnreadableLine {
        var line = line
        var left = patience
        while !line.isOver {
            var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let start = ContinuousClock.now
            let ready = poll(&event, 1, Int32(max(0, left / .milliseconds(1))))
            left -= ContinuousClock.now - start
            if ready < 0 && errno == EINTR && left > .zero { continue }
            guard ready > 0 else { break }
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            left = min(patience, left + .seconds(1) * count / Self.excessBytesPerSecond)
            line.take(chunk[..<count])
        }
        return line.end
    }

    /// See `LineWriter`.
    public func post(_ message: [UInt8]) {
        queued.wrappingAdd(message.count, ordering: .relaxed)
        writing.async {
            self.put(message)
            self.queued.wrappingSubtract(message.count, ordering: .relaxed)
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
                let message = message()
                writing.async {
                    self.put(message)
                    continuation.resume()
                }
                return
            }
            making.async {
                let message = message()
                self.writing.sync { self.put(message) }
                continuation.resume()
            }
        }
    }

    /// See `LineWriter`.
    public func offer(_ message: [UInt8]) {
        if queued.load(ordering: .relaxed) < Self.maximumOffered { post(message) }
    }

    /// Returns when all that was queued before has been taken, or the client has gone.
    public func flush() async {
        await withCheckedContinuation { continuation in
            making.async { self.writing.async { continuation.resume() } }
        }
    }

    /// A client that has gone takes nothing any more; the reading side sees its end.
    private func put(_ message: [UInt8]) {
        let end = [UInt8(ascii: "\n")]
        // Short lines go out as a whole; a long one is not copied for its end.
        if message.count < 4096 { send(message + end) } else if send(message) { send(end) }
    }

    /// - Returns: false where the client has gone.
    @discardableResult
    private func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress.map { $0 + sent }, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
