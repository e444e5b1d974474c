import CLinux
import Glibc
import IPC
import TestSupport
import Testing

@testable import Mux

/// The end of an `ssh` of a connection to its master, for which the gate is taken. It says what a test wants.
final class FakeSSH {
    private var gateEnd: OwnedFD?
    private var socket: OwnedFD?

    init() throws {
        var numbers: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        try #require(socketpair(AF_UNIX, kind, 0, &numbers) == 0)
        gateEnd = OwnedFD(taking: numbers[0])
        socket = OwnedFD(taking: numbers[1])
        // What does not come fails the test instead of stopping it.
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(numbers[1], SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// The gate's end, once.
    func takeGateEnd() throws -> OwnedFD {
        guard let end = gateEnd.take() else { throw IPCError.closed }
        return end
    }

    /// Sends bytes, with descriptors of this process.
    func send(_ bytes: [UInt8], _ descriptors: [Int32] = []) throws {
        try #require(csd_send_message(number, bytes, bytes.count, descriptors, descriptors.count) == bytes.count)
    }

    /// Asks for a session as ssh does, but for what it is told to.
    func ask(_ command: String, isSubsystem: Bool = false, _ descriptors: [Int32]) throws {
        try send(Self.hello + Self.aliveCheck(1))
        try send(MuxRequest.newSession(request: 2, session(command, isSubsystem: isSubsystem)).encoded())
        for descriptor in descriptors { try send([0], [descriptor]) }
    }

    static let hello = [UInt8].fields(1, 4).framed
    static func aliveCheck(_ request: UInt32) -> [UInt8] { [UInt8].fields(0x1000_0004, request).framed }

    /// The next reply of the gate.
    func reply() throws -> MuxReply {
        let length = try bytes(4).reduce(0) { $0 << 8 | Int($1) }
        return try MuxReply.decode(bytes(length)[...])
    }

    /// Whether the gate has closed the connection. Waits for that.
    var isClosed: Bool { losesOtherEnd(number) }

    func close() {
        shutdown(number, Int32(SHUT_RDWR))
        socket = nil
    }

    private func bytes(_ count: Int) throws -> [UInt8] {
        var taken = [UInt8](repeating: 0, count: count)
        var have = 0
        while have < count {
            let result = taken.withUnsafeMutableBytes {
                recv(number, $0.baseAddress?.advanced(by: have), count - have, 0)
            }
            guard result > 0 else { throw IPCError.closed }
            have += result
        }
        return taken
    }

    private var number: Int32 {
        switch socket {
        case .some(let socket): socket.rawValue
        case .none: -1
        }
    }
}
