import CLinux
import Foundation
import Glibc

/// A two-way stream of lines to a Unix socket, read on a thread of its own.
// @unchecked: the descriptors are only touched under `writing`, or by the reader, which ends before they close.
final class LineConnection: @unchecked Sendable {
    enum Transport: Sendable {
        /// A socket of this process.
        case direct
        /// `socat - UNIX-CONNECT:PATH` with pipes, as clients bridge to the daemon; run as this account.
        case socat(Account?)

        static let socat = Transport.socat(nil)
    }

    /// Called on the reader's thread: once a line (without its newline), then once for the end.
    struct Handler: Sendable {
        var line: @Sendable (Data) -> Void
        /// The errno of a failed read, 0 for end of file; `partial` came after the last newline.
        var end: @Sendable (_ error: Int32, _ partial: Data) -> Void
    }

    /// The bridge process, if there is one.
    let bridge: ChildProcess?
    private let writing = NSLock()
    private var input: Int32
    private let output: Int32
    private let isSocket: Bool
    private let reader: LineReader

    init(to path: String, _ transport: Transport, _ handler: Handler) throws {
        switch transport {
        case .direct:
            let fd = try connectUnix(path)
            (input, output, bridge, isSocket) = (fd, fd, nil, true)
        case .socat(let account):
            let (toBridge, fromBridge) = (try DescriptorPipe(), try DescriptorPipe())
            bridge = try ChildProcess(
                findProgram("socat"), ["-", "UNIX-CONNECT:\(path)"], account: account,
                stdin: .fd(toBridge.readEnd), stdout: .fd(fromBridge.writeEnd))
            close(toBridge.readEnd)
            close(fromBridge.writeEnd)
            (input, output, isSocket) = (toBridge.writeEnd, fromBridge.readEnd, false)
        }
        for fd in [input, output] { _ = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) }
        reader = try LineReader(output, handler)
    }

    deinit { closeAbruptly() }

    /// Writes all of it.
    /// - Throws: `HarnessError` when the peer is gone or takes nothing for `timeout`.
    func send(_ bytes: Data, timeout: Duration = .seconds(60)) throws {
        try writing.withLock {
            guard input >= 0 else { throw HarnessError("this side of the connection is closed") }
            let deadline = Deadline(in: timeout)
            try bytes.withUnsafeBytes { buffer in
                var rest = buffer[...]
                while !rest.isEmpty {
                    let count = write(input, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                    if count >= 0 {
                        rest = rest.dropFirst(count)
                    } else if errno == EAGAIN {
                        var waiting = pollfd(fd: input, events: Int16(POLLOUT), revents: 0)
                        poll(&waiting, 1, deadline.remainingMilliseconds)
                        if deadline.hasPassed {
                            throw HarnessError(
                                "the peer took only \(buffer.count - rest.count) of \(buffer.count) bytes")
                        }
                    } else if errno != EINTR {
                        throw HarnessError("write: \(errnoText())")
                    }
                }
            }
        }
    }

    /// End of input for the peer; answers can still be read.
    func closeInput() {
        writing.withLock {
            guard input >= 0 else { return }
            if isSocket { shutdown(input, Int32(SHUT_WR)) } else { close(input) }
            input = isSocket ? input : -1
        }
    }

    /// Goes away at once, whatever was sent and not yet read; a bridge is killed.
    func closeAbruptly() {
        bridge?.stop()
        reader.command(.quit)
        reader.waitForEnd()
        writing.withLock {
            if !isSocket, input >= 0 { close(input) }
            input = -1
            reader.closeOnce(output)
        }
    }

    /// Leaves answers in the kernel's buffers, so that the daemon's writes block in the end.
    func pauseReading() { reader.command(.pause) }

    func resumeReading() { reader.command(.resume) }
}

/// The thread that reads. Told what to do through a pipe, so that no descriptor closes under a `read`.
// @unchecked: `ended` and `isClosed` are only touched under `condition`; `control` never changes.
private final class LineReader: @unchecked Sendable {
    enum Command: UInt8 { case pause, resume, quit }

    private let control: DescriptorPipe
    private let condition = NSCondition()
    private var ended = false
    private var isClosed = false

    init(_ fd: Int32, _ handler: LineConnection.Handler) throws {
        control = try DescriptorPipe()
        Thread.detachNewThread { [self] in
            run(fd, handler)
            condition.withLock {
                ended = true
                condition.broadcast()
            }
        }
    }

    deinit {
        close(control.readEnd)
        close(control.writeEnd)
    }

    func command(_ command: Command) {
        var byte = command.rawValue
        write(control.writeEnd, &byte, 1)
    }

    func waitForEnd() {
        condition.withLock { while !ended { condition.wait() } }
    }

    func closeOnce(_ fd: Int32) {
        condition.withLock {
            if !isClosed { close(fd) }
            isClosed = true
        }
    }

    private func run(_ fd: Int32, _ handler: LineConnection.Handler) {
        var chunk = [UInt8](repeating: 0, count: 256 << 10)
        var line = Data()
        var isPaused = false
        while true {
            // A negative descriptor is left out by poll(2).
            var waiting = [
                pollfd(fd: control.readEnd, events: Int16(POLLIN), revents: 0),
                pollfd(fd: isPaused ? -1 : fd, events: Int16(POLLIN), revents: 0),
            ]
            poll(&waiting, 2, -1)
            if waiting[0].revents != 0 {
                var byte: UInt8 = 0
                read(control.readEnd, &byte, 1)
                switch Command(rawValue: byte) {
                case .pause: isPaused = true
                case .resume: isPaused = false
                case .quit, nil: return
                }
                continue
            }
            guard waiting[1].revents != 0 else { continue }
            let count = read(fd, &chunk, chunk.count)
            if count < 0, errno == EAGAIN || errno == EINTR { continue }
            guard count > 0 else { return handler.end(count < 0 ? errno : 0, line) }
            chunk.withUnsafeBytes { split(UnsafeRawBufferPointer(rebasing: $0[..<count]), into: &line, handler) }
        }
    }

    /// Every byte is looked at once and copied once, however long the line.
    private func split(_ bytes: UnsafeRawBufferPointer, into line: inout Data, _ handler: LineConnection.Handler) {
        var rest = bytes[...]
        while let start = UnsafeRawBufferPointer(rebasing: rest).baseAddress,
            let newline = memchr(start, 0x0a, rest.count)
        {
            let length = UnsafeRawPointer(newline) - start
            line.append(contentsOf: rest.prefix(length))
            handler.line(line)
            line = Data()
            rest = rest.dropFirst(length + 1)
        }
        line.append(contentsOf: rest)
    }
}

/// A connected stream socket; waits at most 20 s for room in the listener's backlog.
private func connectUnix(_ path: String) throws -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else {
        throw HarnessError("too long for a socket path: \(path)")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let fd = unixSocket()
    guard fd >= 0 else { throw HarnessError("socket: \(errnoText())") }
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    let result = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(fd, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
    guard result == 0 else {
        let error = HarnessError("connect \(path): \(errnoText())")
        close(fd)
        throw error
    }
    return fd
}
