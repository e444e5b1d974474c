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
/// Answers queue up to a bound, beyond which the reader waits: a client that sends and never reads stops itself. Short of
/// that the reader goes on, because a bridge that copies one direction at a time would otherwise wait for us, and we for it.
public final class ClientStream: LineWriter {
    /// Bytes of answers that may wait while more is read.
    private static let maximumQueued = 8 << 20
    /// How long the rest of a line that is too long is waited for, in seconds.
    private static let excessSeconds = 2
    /// Bytes of messages waiting beyond which one that may be lost is dropped.
    private static let maximumOffered = 64 << 10

    private let descriptor: Int32
    private let reading = DispatchQueue(label: "client.read")
    private let writing = DispatchQueue(label: "client.write")
    private let queued = Atomic<Int>(0)

    /// A connection over an open stream socket, which stays the caller's.
    public init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Reads lines of at most `limit` bytes and hands each to `receive`, on the reading thread, until the stream ends.
    /// `between` is called there when all whole lines of what was read have been handed over.
    public func readLines(
        limit: Int, between: @escaping @Sendable () -> Void = {}, to receive: @escaping @Sendable ([UInt8]) -> Void
    ) async -> ConnectionEnd {
        await withCheckedContinuation { continuation in
            reading.async { [descriptor] in
                continuation.resume(returning: Self.read(descriptor, limit, between, receive))
            }
        }
    }

    private static func read(
        _ descriptor: Int32, _ limit: Int, _ between: () -> Void, _ receive: ([UInt8]) -> Void
    ) -> ConnectionEnd {
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
                return .lineTooLong(limit: error.limit, rest(of: framer.excess ?? ExcessLine(), descriptor, &chunk))
            }
        }
    }

    /// Reads on to the end of a line that is too long, for its ids alone: the client waits for the answer. One that sends no
    /// more of it does not hold up that answer.
    private static func rest(of line: ExcessLine, _ descriptor: Int32, _ chunk: inout [UInt8]) -> UnreadableLine {
        var line = line
        DispatchQueue(label: "excess").asyncAfter(deadline: .now() + .seconds(excessSeconds)) {
            shutdown(descriptor, Int32(SHUT_RD))
        }
        while !line.isOver {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
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
    public func writeLater(_ message: @escaping @Sendable () -> [UInt8]) async {
        await withCheckedContinuation { continuation in
            writing.async {
                self.put(message())
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
            writing.async { continuation.resume() }
        }
    }

    /// A client that has gone takes nothing any more; the reading side sees its end.
    private func put(_ message: [UInt8]) {
        let line = message + [UInt8(ascii: "\n")]
        var sent = 0
        while sent < line.count {
            let count = line.withUnsafeBytes {
                send(descriptor, $0.baseAddress.map { $0 + sent }, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            sent += count
        }
    }
}
