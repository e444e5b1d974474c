import CLinux
import Glibc
import IPC
import Mux
import TestSupport
import Testing

/// The master's end of a connection, which says what a test wants. Everything happens in the test's own thread: what a
/// link has sent is there when it is read here.
final class FakeMaster {
    private var linkEnd: OwnedFD?
    private var socket: OwnedFD?

    init() throws {
        var numbers: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        try #require(socketpair(AF_UNIX, kind, 0, &numbers) == 0)
        linkEnd = OwnedFD(taking: numbers[0])
        socket = OwnedFD(taking: numbers[1])
        // A link that has not sent what it should fails the test instead of stopping it.
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(numbers[1], SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// The link's end, once; with room for about so many bytes, where given.
    func takeLinkEnd(room: Int32? = nil) throws -> OwnedFD {
        guard let end = linkEnd.take() else { throw IPCError.closed }
        if var room {
            setsockopt(end.rawValue, SOL_SOCKET, SO_SNDBUF, &room, socklen_t(MemoryLayout<Int32>.size))
        }
        return end
    }

    /// The next bytes, exactly so many; one descriptor may come with them where `count` is 1.
    func bytes(_ count: Int) throws -> (bytes: [UInt8], descriptor: Int32) {
        var taken = [UInt8](repeating: 0, count: count)
        var have = 0
        var descriptor: Int32 = -1
        while have < count {
            var passed = [Int32](repeating: -1, count: Int(CSD_RECEIVED_DESCRIPTORS))
            var received = 0
            var flags: Int32 = 0
            let result = taken.withUnsafeMutableBytes { buffer in
                csd_receive_message(
                    number, buffer.baseAddress?.advanced(by: have), count - have, &passed, &received, &flags)
            }
            guard result > 0, received <= 1 else { throw IPCError.closed }
            if received == 1 { descriptor = passed[0] }
            have += result
        }
        return (taken, descriptor)
    }

    /// The next message without its length. No descriptor comes with it.
    func message() throws -> [UInt8] {
        let header = try bytes(4)
        let body = try bytes(header.bytes.reduce(0) { $0 << 8 | Int($1) })
        #expect(header.descriptor == -1 && body.descriptor == -1)
        return body.bytes
    }

    /// The next descriptor, and the one byte that it comes with.
    func descriptor() throws -> OwnedFD {
        let (bytes, descriptor) = try bytes(1)
        #expect(bytes == [0])
        try #require(descriptor >= 0)
        return OwnedFD(taking: descriptor)
    }

    func say(_ replies: MuxReply...) throws { try send(replies.flatMap { $0.encoded() }) }

    func send(_ bytes: [UInt8]) throws { try #require(sends(bytes)) }

    /// Sends these.
    /// - Returns: whether the link was still there for them.
    func sends(_ bytes: [UInt8]) -> Bool { csd_send_message(number, bytes, bytes.count, nil, 0) == bytes.count }

    /// Leaves. The link sees it at once, also if a child of another test holds a copy of the socket.
    func close() {
        shutdown(number, Int32(SHUT_RDWR))
        socket = nil
    }

    private var number: Int32 {
        switch socket {
        case .some(let socket): socket.rawValue
        case .none: -1
        }
    }
}

/// Three pipes of a session: the ends for the master, and those of the worker.
final class SessionPipes {
    private var input: IPC.Pipe
    private var output: IPC.Pipe
    private var error: IPC.Pipe

    init() throws {
        input = try IPC.Pipe()
        output = try IPC.Pipe()
        error = try IPC.Pipe()
    }

    func takeDescriptors() throws -> SessionDescriptors {
        guard let first = input.readEnd.take(), let second = output.writeEnd.take(), let third = error.writeEnd.take()
        else { throw IPCError.closed }
        return try SessionDescriptors(input: first, output: second, error: third)
    }

    /// The same as numbers.
    func takeNumbers() -> [Int32] {
        let first = input.readEnd.take()?.release() ?? -1
        let second = output.writeEnd.take()?.release() ?? -1
        let third = error.writeEnd.take()?.release() ?? -1
        return [first, second, third]
    }

    /// Sends to the session's standard input.
    func feed(_ byte: UInt8) {
        var byte = byte
        switch input.writeEnd {
        case .some(let end): #expect(write(end.rawValue, &byte, 1) == 1)
        case .none: break
        }
    }

    /// Sends these, which waits for who reads them.
    func feed(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { buffer in
                switch input.writeEnd {
                case .some(let end): write(end.rawValue, buffer.baseAddress, buffer.count)
                case .none: -1
                }
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// Sends no more.
    func closeInput() { input.writeEnd = nil }

    /// One byte of the session's output; nil where there is none.
    func outputByte() -> UInt8? {
        var byte: UInt8 = 0
        switch output.readEnd {
        case .some(let end):
            _ = fcntl(end.rawValue, F_SETFL, O_NONBLOCK)
            return read(end.rawValue, &byte, 1) == 1 ? byte : nil
        case .none: return nil
        }
    }

    /// Whether nobody can write to the session's output any more. Waits for that.
    var isOutputClosed: Bool {
        switch output.readEnd {
        case .some(let end): losesOtherEnd(end.rawValue)
        case .none: true
        }
    }

    /// Whether nobody reads the session's standard input any more. Waits for that.
    var isInputClosed: Bool {
        switch input.writeEnd {
        case .some(let end): losesOtherEnd(end.rawValue)
        case .none: true
        }
    }
}
