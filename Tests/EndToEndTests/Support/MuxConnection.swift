import CLinux
import Foundation
import Glibc
import IPC
import Mux
import Testing

/// A new stream socket, unix(7).
func unixSocket() -> Int32 { socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0) }

/// A Unix socket connected to a master, or to what a test listens with, unix(7).
func connectedSocket(_ path: String) throws -> OwnedFD {
    let end = OwnedFD(taking: unixSocket())
    try withSocketAddress(path) { address, length in
        guard connect(end.rawValue, address, length) == 0 else { throw HarnessError("connect \(path): \(errnoText())") }
    }
    return end
}

/// Calls `body` with the address of a Unix socket with this path.
func withSocketAddress<Result>(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Result
) throws -> Result {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { throw HarnessError("too long: \(path)") }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return try withUnsafePointer(to: &address) { address in
        try address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            try body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
}

/// A `MasterLink` with a loop of its own, and the worker's ends of a session's pipes.
final class MuxConnection {
    /// All that was seen so far.
    private(set) var facts: [MasterFact] = []
    /// What the session wrote so far, and whether it is complete.
    private(set) var stdout: [UInt8] = []
    private(set) var stderr: [UInt8] = []
    let link: MasterLink
    private var input: OwnedFD?
    private var output: OwnedFD?
    private var error: OwnedFD?
    private var toSend: ArraySlice<UInt8> = []
    private var keepsInput = false

    init(_ path: String, _ control: ControlRequest) throws {
        link = try MasterLink(taking: connectedSocket(path), asking: control)
    }

    /// - Parameters:
    ///   - bytes: what the session reads.
    ///   - keepsInput: whether no end of file follows them before `finishInput()`.
    init(
        _ path: String, _ command: String, isSubsystem: Bool = false, input bytes: [UInt8] = [],
        keepsInput: Bool = false
    ) throws {
        let session = try #require(MuxSession(command: command, isSubsystem: isSubsystem))
        var inPipe = try OwnedPipe()
        var outPipe = try OwnedPipe()
        var errPipe = try OwnedPipe()
        let descriptors = try SessionDescriptors(
            input: inPipe.takeReadEnd(), output: outPipe.takeWriteEnd(), error: errPipe.takeWriteEnd())
        link = try MasterLink(taking: connectedSocket(path), opening: session, with: descriptors)
        input = try inPipe.takeWriteEnd()
        output = try outPipe.takeReadEnd()
        error = try errPipe.takeReadEnd()
        toSend = bytes[...]
        self.keepsInput = keepsInput
        if bytes.isEmpty, !keepsInput { input = nil }
    }

    /// Runs until `condition` holds.
    /// - Throws: `HarnessError` when it does not after `timeout`.
    func run(
        _ what: String, timeout: Duration = defaultTimeout, sourceLocation: SourceLocation = #_sourceLocation,
        until condition: (MuxConnection) -> Bool
    ) throws {
        let deadline = Deadline(in: timeout)
        while !condition(self) {
            guard !deadline.hasPassed else {
                throw HarnessError("still not after \(timeout): \(what); seen \(facts)", at: sourceLocation)
            }
            turn(deadline.remainingMilliseconds)
        }
    }

    /// Runs to the end of the connection and of the session's streams.
    func runToEnd(sourceLocation: SourceLocation = #_sourceLocation) throws {
        try run("the end", sourceLocation: sourceLocation) {
            $0.link.wants == .nothing && $0.number($0.output) < 0 && $0.number($0.error) < 0
        }
    }

    /// Runs until there is one fact more.
    func next(sourceLocation: SourceLocation = #_sourceLocation) throws -> MasterFact? {
        let before = facts.count
        try run("a fact", sourceLocation: sourceLocation) { $0.facts.count > before }
        return facts.last
    }

    func finishInput() { input = nil }

    private func turn(_ milliseconds: Int32) {
        let linkEvents: Int32
        switch link.wants {
        case .nothing: linkEvents = 0
        case .toRead: linkEvents = POLLIN
        case .toReadAndWrite: linkEvents = POLLIN | POLLOUT
        }
        var waiting = [
            pollfd(fd: link.rawValue ?? -1, events: Int16(linkEvents), revents: 0),
            pollfd(fd: toSend.isEmpty ? -1 : number(input), events: Int16(POLLOUT), revents: 0),
            pollfd(fd: number(output), events: Int16(POLLIN), revents: 0),
            pollfd(fd: number(error), events: Int16(POLLIN), revents: 0),
        ]
        poll(&waiting, nfds_t(waiting.count), milliseconds)
        if Int32(waiting[0].revents) & POLLOUT != 0 { facts += link.writable() }
        if Int32(waiting[0].revents) & ~POLLOUT != 0 { facts += link.readable() }
        if waiting[1].revents != 0 {
            let count = toSend.withUnsafeBytes { write(waiting[1].fd, $0.baseAddress, min($0.count, 4096)) }
            toSend = count > 0 ? toSend.dropFirst(count) : []
            if toSend.isEmpty, !keepsInput { input = nil }
        }
        if waiting[2].revents != 0, !Self.read(waiting[2].fd, into: &stdout) { output = nil }
        if waiting[3].revents != 0, !Self.read(waiting[3].fd, into: &stderr) { error = nil }
    }

    private func number(_ end: borrowing OwnedFD?) -> Int32 {
        switch end {
        case .some(let end): end.rawValue
        case .none: -1
        }
    }

    private static func read(_ descriptor: Int32, into bytes: inout [UInt8]) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = Glibc.read(descriptor, &chunk, chunk.count)
        if count > 0 { bytes += chunk[..<count] }
        return count > 0
    }
}

/// A pipe whose ends are taken or throw.
private struct OwnedPipe: ~Copyable {
    private var pipe: IPC.Pipe

    init() throws { pipe = try IPC.Pipe() }

    mutating func takeReadEnd() throws -> OwnedFD {
        guard let end = pipe.readEnd.take() else { throw IPCError.closed }
        return end
    }

    mutating func takeWriteEnd() throws -> OwnedFD {
        guard let end = pipe.writeEnd.take() else { throw IPCError.closed }
        return end
    }
}
