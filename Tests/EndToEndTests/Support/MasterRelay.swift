import CLinux
import Foundation
import Glibc
import IPC
import TestSupport
import Testing

/// A socket before a ControlMaster's: what comes is passed on, with descriptors, and requests for forwards can be held back. A
/// master that is stopped would not say that it lives either.
// @unchecked: the fields below `condition` are only touched while it is locked.
final class MasterRelay: @unchecked Sendable {
    /// Where it listens.
    let path: String
    private let directory: TemporaryDirectory
    private let master: String
    private let listener: Int32
    private let condition = NSCondition()
    private var isHolding = false
    private var held = 0
    private let isForgetful: Bool
    private var isStopped = false
    private var open: [Int32] = []

    /// Before the master of this host.
    /// - Parameter isForgetful: what was held back is not passed on where nobody waits for the answer any more. A master that
    ///   was only stopped carries it out.
    init(_ remote: Remote, isForgetful: Bool = true) throws {
        self.isForgetful = isForgetful
        directory = try TemporaryDirectory(readableByAll: true)
        path = directory.file("relay.sock")
        master = remote.master.socketPath
        let number = unixSocket()
        listener = number
        try withSocketAddress(path) { address, length in
            guard bind(number, address, length) == 0, listen(number, 64) == 0 else {
                throw HarnessError("listen at \(path): \(errnoText())")
            }
        }
        Thread.detachNewThread { self.serve() }
    }

    /// The config of a daemon that uses it.
    var config: JSON { ["hosts": ["box": ["socket": .string(path)]]] }

    /// Requests for forwards do not reach the master until `release`.
    func hold() { condition.withLock { isHolding = true } }

    /// Waits until a request is held back.
    func waitForRequest() throws {
        try waitUntil("a request for a forward") { condition.withLock { held > 0 } }
    }

    /// Passes on what is held back.
    func release() {
        condition.withLock {
            isHolding = false
            condition.broadcast()
        }
    }

    func stop() {
        release()
        condition.withLock {
            isStopped = true
            for descriptor in open + [listener] { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }

    private func serve() {
        while case let client = accept(listener, nil, nil), client >= 0 {
            guard let server = try? connectedSocket(master).release() else {
                close(client)
                continue
            }
            condition.withLock {
                open += [client, server]
                if isStopped { for end in [client, server] { shutdown(end, Int32(SHUT_RDWR)) } }
            }
            let isHalfDone = Once()
            Thread.detachNewThread { self.pass(client, server, isHalfDone, requests: true) }
            Thread.detachNewThread { self.pass(server, client, isHalfDone, requests: false) }
        }
        close(listener)
    }

    /// True for the second who asks.
    private final class Once: @unchecked Sendable {
        private let lock = NSLock()
        private var isTaken = false

        func isSecond() -> Bool {
            lock.withLock {
                defer { isTaken = true }
                return isTaken
            }
        }
    }

    private func pass(_ from: Int32, _ to: Int32, _ isHalfDone: Once, requests: Bool) {
        var head: [UInt8] = []
        while let message = SocketMessage(from: from) {
            if requests, head.count < 256 {
                head += message.bytes
                if Self.isForward(head), !waitForRelease(of: from) { break }
            }
            guard message.send(to: to) else { break }
        }
        shutdown(to, Int32(SHUT_WR))
        guard isHalfDone.isSecond() else { return }
        condition.withLock {
            open.removeAll { $0 == from || $0 == to }
            close(from)
            close(to)
        }
    }

    /// Returns whether whoever sent the request is still there by then.
    private func waitForRelease(of client: Int32) -> Bool {
        condition.withLock {
            guard isHolding else { return true }
            held += 1
            while isHolding { condition.wait() }
            guard isForgetful else { return true }
            var state = pollfd(fd: client, events: 0, revents: 0)
            return poll(&state, 1, 0) == 0
        }
    }

    /// Whether one of these messages is MUX_C_OPEN_FWD, PROTOCOL.mux of OpenSSH.
    private static func isForward(_ head: [UInt8]) -> Bool {
        var place = 0
        while head.count >= place + 8 {
            if Array(head[(place + 4)..<(place + 8)]) == [0x10, 0, 0, 6] { return true }
            place += 4 + head[place..<(place + 4)].reduce(0) { $0 << 8 | Int($1) }
        }
        return false
    }
}

/// Bytes that came out of a stream at once, and the descriptors that came with them, recvmsg(2).
private struct SocketMessage {
    let bytes: [UInt8]
    /// As the kernel gave it: passed on as it is, cmsg(3).
    private let control: [UInt8]

    /// nil at the end.
    init?(from socket: Int32) {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        // Aligned as the kernel wants it.
        var control = [UInt64](repeating: 0, count: 8)
        var length = 0
        let count = bytes.withUnsafeMutableBytes { bytes in
            control.withUnsafeMutableBytes { control in
                var part = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                return withUnsafeMutablePointer(to: &part) { part in
                    var message = msghdr()
                    message.msg_iov = part
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = control.count
                    let count = recvmsg(socket, &message, 0)
                    length = count > 0 ? Int(message.msg_controllen) : 0
                    return count
                }
            }
        }
        guard count > 0 else { return nil }
        self.bytes = Array(bytes[..<count])
        self.control = control.withUnsafeBytes { Array($0[..<length]) }
    }

    /// Whether it was sent. Its descriptors are closed here in any case.
    func send(to socket: Int32) -> Bool {
        defer { for descriptor in descriptors { close(descriptor) } }
        var (bytes, control) = (bytes, control)
        var sent = bytes.withUnsafeMutableBytes { bytes in
            control.withUnsafeMutableBytes { control in
                var part = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                return withUnsafeMutablePointer(to: &part) { part in
                    var message = msghdr()
                    message.msg_iov = part
                    message.msg_iovlen = 1
                    if !control.isEmpty {
                        message.msg_control = control.baseAddress
                        message.msg_controllen = control.count
                    }
                    return sendmsg(socket, &message, Int32(MSG_NOSIGNAL))
                }
            }
        }
        while sent > 0, sent < bytes.count {
            let more = Glibc.send(socket, Array(bytes[sent...]), bytes.count - sent, Int32(MSG_NOSIGNAL))
            sent = more > 0 ? sent + more : -1
        }
        return sent == bytes.count
    }

    /// struct cmsghdr: length (8 bytes), level, type; then the descriptors.
    private var descriptors: [Int32] {
        guard control.count >= 16 else { return [] }
        return control.withUnsafeBytes { bytes in
            let length = bytes.loadUnaligned(fromByteOffset: 0, as: Int.self)
            return stride(from: 16, to: min(length, bytes.count), by: 4).map {
                bytes.loadUnaligned(fromByteOffset: $0, as: Int32.self)
            }
        }
    }
}
