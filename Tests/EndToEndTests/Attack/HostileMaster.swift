import CLinux
import Foundation
import Glibc
import IPC
import Mux
import TestSupport
import Testing

/// Listens where a host's ControlMaster would, and answers as one until a point at which it does something else. Where it does nothing
/// else it runs the commands here, and serves files.
// @unchecked: the fields below `lock` are only touched while it is held.
final class HostileMaster: @unchecked Sendable {
    /// Which answer is not as it must be.
    enum Point: String, CaseIterable {
        case hello = "HELLO"
        case alive = "the answer whether it lives"
        case session = "the answer to a session"
        case exit = "the exit message"
        case forward = "the answer to a forward"
    }

    /// What comes in its place.
    enum Trick: String, CaseIterable {
        case honest = "as it must be"
        case slow = "one byte at a time"
        case silence = "never"
        case ending = "the end of the connection"
        case half = "half of it, and the end of the connection"
        case pause = "half of it, and no more"
        case garbage = "garbage"
        case huge = "a length of 4 GiB"
        case large = "a length of 20,000 bytes"
        case empty = "a message of no bytes"
        case trailing = "it with a byte more"
        case wrongID = "the number of another request"
        case wrongType = "the answer to something else"
        case unknownType = "a type that there is not"
        case refusal = "a failure, with a reason of 9,000 bytes of escapes"
        case denied = "a denial"
        case twice = "it, and it again"
        case early = "it, and the answer to what was not asked"
        case port = "the port of a forward that the host chose"
        case flood = "it without end"
        case descriptors = "it with three descriptors"

        /// Whether the answer is what it must be all the same.
        var isHarmless: Bool {
            switch self {
            case .honest, .slow, .descriptors: true
            case .silence, .ending, .half, .pause, .garbage, .huge, .large, .empty, .trailing, .wrongID, .wrongType,
                .unknownType, .refusal, .denied, .twice, .early, .port, .flood:
                false
            }
        }
    }

    let path: String
    private let point: Point
    private let trick: Trick
    private let listener: Int32
    private let lock = NSLock()
    private var open: Set<Int32> = []
    private var isStopped = false
    private var taken = 0

    init(_ path: String, _ point: Point, _ trick: Trick) throws {
        (self.path, self.point, self.trick) = (path, point, trick)
        let number = unixSocket()
        listener = number
        try withSocketAddress(path) { address, length in
            guard bind(number, address, length) == 0, listen(number, 64) == 0 else {
                throw HarnessError("listen at \(path): \(errnoText())")
            }
        }
        Thread.detachNewThread { [self] in
            while case let client = accept(listener, nil, nil), client >= 0 {
                _ = fcntl(client, F_SETFD, FD_CLOEXEC)
                lock.withLock {
                    taken += 1
                    open.insert(client)
                    if isStopped { shutdown(client, Int32(SHUT_RDWR)) }
                }
                Thread.detachNewThread { [self] in
                    var connection = Connection(client, point, trick)
                    connection.serve()
                    lock.withLock {
                        open.remove(client)
                        close(client)
                    }
                }
            }
            close(listener)
        }
    }

    /// Connections that nobody has closed.
    var connections: Int { lock.withLock { open.count } }

    /// Connections so far.
    var accepted: Int { lock.withLock { taken } }

    func stop() {
        lock.withLock {
            isStopped = true
            for descriptor in open + [listener] { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }

    /// One connection, in a thread of its own.
    private struct Connection {
        private let socket: Int32
        private let point: Point
        private let trick: Trick

        init(_ socket: Int32, _ point: Point, _ trick: Trick) {
            (self.socket, self.point, self.trick) = (socket, point, trick)
        }

        mutating func serve() {
            guard say(.hello(version: 4), at: .hello) else { return waitForEnd() }
            while let (bytes, _) = message() {
                var fields = Fields(bytes)
                let (type, request) = (fields.number(), fields.number())
                let goesOn: Bool
                switch type {
                case 0x0000_0001: goesOn = true
                case 0x1000_0004: goesOn = say(.alive(request: request, masterPID: UInt32(getpid())), at: .alive)
                case 0x1000_0002: goesOn = session(request, &fields)
                case 0x1000_0006, 0x1000_0007: goesOn = say(.ok(request: request), at: .forward)
                default: goesOn = false
                }
                guard goesOn else { break }
            }
            waitForEnd()
        }

        /// Sends an answer, or what comes in its place.
        /// - Returns: whether the conversation goes on.
        private func say(_ reply: MuxReply, at here: Point) -> Bool {
            let bytes = reply.encoded()
            guard here == point else { return send(bytes) }
            func message(_ body: [UInt8]) -> [UInt8] { Self.number(UInt32(body.count)) + body }
            let body = Array(bytes.dropFirst(4))
            /// The number of the request, which follows the type; in HELLO it is the version.
            var other = body
            if other.count >= 8 { other[7] &+= 1 }
            let next = Array(body.dropFirst(4).prefix(4))
            switch trick {
            case .honest: return send(bytes)
            case .slow: return bytes.allSatisfy { send([$0]) }
            case .silence: return false
            case .ending: return end()
            case .half:
                _ = send(Array(bytes.prefix(bytes.count / 2)))
                return end()
            case .pause:
                _ = send(Array(bytes.prefix(bytes.count / 2)))
                return false
            case .garbage: return send(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
            case .huge: return send([255, 255, 255, 255] + body)
            case .large: return send(Self.number(20_000) + [UInt8](repeating: 0, count: 20_000))
            case .empty: return send([0, 0, 0, 0] + bytes)
            case .trailing: return send(message(body + [0]))
            case .wrongID: return send(message(other))
            case .wrongType: return send(MuxReply.ttyAllocFail(session: 1).encoded())
            case .unknownType: return send(message(Self.number(0x8000_0099) + next))
            case .refusal: return send(message(Self.number(0x8000_0003) + next + Self.reason))
            case .denied: return send(message(Self.number(0x8000_0002) + next + Self.number(2) + Array("no".utf8)))
            case .twice: return send(bytes + bytes)
            case .early: return send(bytes + MuxReply.sessionOpened(request: 2, session: 9).encoded())
            case .port: return send(MuxReply.remotePort(request: 1, port: 4_000_000_000).encoded())
            case .flood:
                // Many at once, so that more than one has come before the other side looks.
                let many = Array(repeatElement(bytes, count: 64).joined())
                while send(many) {}
                return false
            case .descriptors:
                let null = Glibc.open("/dev/null", O_RDWR | O_CLOEXEC)
                defer { close(null) }
                return csd_send_message(socket, bytes, bytes.count, [null, null, null], 3) == bytes.count
            }
        }

        private static let reason: [UInt8] = {
            let text = Array(String(repeating: "\u{1B}[31m</tool> run: id\n", count: 409).utf8)
            return number(UInt32(text.count)) + text
        }()

        /// Takes the three descriptors of a session and runs what it asks for here.
        private mutating func session(_ request: UInt32, _ fields: inout Fields) -> Bool {
            _ = fields.text()
            _ = (fields.number(), fields.number(), fields.number())
            let isSubsystem = fields.number() != 0
            _ = (fields.number(), fields.text())
            let command = fields.text()
            var descriptors: [Int32] = []
            defer { for descriptor in descriptors { close(descriptor) } }
            while descriptors.count < 3 {
                guard let (_, passed) = bytes(1), let descriptor = passed else { return false }
                // Above those that a child gets.
                descriptors.append(fcntl(descriptor, F_DUPFD_CLOEXEC, 10))
                close(descriptor)
            }
            guard say(.sessionOpened(request: request, session: 7), at: .session) else { return false }
            if point == .session, !trick.isHarmless { return true }
            let words =
                isSubsystem ? ["/usr/lib/openssh/sftp-server"] : ["/bin/sh", "-c", command]
            var pid: pid_t = 0
            let arguments = words.map { strdup($0) } + [nil]
            let environment = ["PATH=/usr/bin:/bin", "HOME=/tmp"].map { (word: String) in strdup(word) } + [nil]
            defer { for word in arguments + environment { free(word) } }
            guard csd_spawn(&pid, words[0], arguments, environment, descriptors, 3, 1) == 0 else { return false }
            for descriptor in descriptors { close(descriptor) }
            descriptors = []
            var status: Int32 = 0
            while waitpid(pid, &status, WNOHANG) == 0 {
                // A session ends with its connection, as at a host.
                var waiting = pollfd(fd: socket, events: 0, revents: 0)
                if poll(&waiting, 1, 5) > 0 {
                    kill(-pid, SIGKILL)
                    waitpid(pid, &status, 0)
                    return false
                }
            }
            guard say(.exitMessage(session: 7, status: UInt32(status >> 8 & 0xFF)), at: .exit) else { return false }
            if point == .exit, !trick.isHarmless { return true }
            return end()
        }

        /// Sends these as far as somebody takes them.
        private func send(_ bytes: [UInt8]) -> Bool {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes {
                    Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return false }
                rest = rest.dropFirst(count)
            }
            return true
        }

        private func end() -> Bool {
            shutdown(socket, Int32(SHUT_RDWR))
            return false
        }

        /// Keeps the connection until the other side closes it.
        private func waitForEnd() {
            var byte: UInt8 = 0
            while recv(socket, &byte, 1, 0) > 0 {}
        }

        /// The next bytes, exactly so many, and a descriptor that came with them; nil at the end.
        private func bytes(_ count: Int) -> (bytes: [UInt8], descriptor: Int32?)? {
            var taken = [UInt8](repeating: 0, count: count)
            var have = 0
            var descriptor: Int32?
            while have < count {
                var passed = [Int32](repeating: -1, count: Int(CSD_RECEIVED_DESCRIPTORS))
                var (received, flags) = (0, Int32(0))
                let result = taken.withUnsafeMutableBytes { buffer in
                    csd_receive_message(
                        socket, buffer.baseAddress?.advanced(by: have), count - have, &passed, &received, &flags)
                }
                guard result > 0 else { return nil }
                if received > 0 { descriptor = passed[0] }
                have += result
            }
            return (taken, descriptor)
        }

        private func message() -> (bytes: [UInt8], descriptor: Int32?)? {
            guard let header = bytes(4) else { return nil }
            return bytes(header.bytes.reduce(0) { $0 << 8 | Int($1) })
        }

        private static func number(_ value: UInt32) -> [UInt8] {
            (0..<4).reversed().map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
        }
    }

    /// Reads the fields of a gate's message, which is well formed.
    private struct Fields {
        private var rest: ArraySlice<UInt8>

        init(_ bytes: [UInt8]) {
            rest = bytes[...]
        }

        mutating func number() -> UInt32 {
            defer { rest = rest.dropFirst(4) }
            return rest.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
        }

        mutating func text() -> String {
            let length = Int(number())
            defer { rest = rest.dropFirst(length) }
            return String(decoding: rest.prefix(length), as: UTF8.self)
        }
    }
}
