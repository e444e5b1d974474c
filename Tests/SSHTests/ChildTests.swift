import CLinux
import Glibc
import IPC
import Synchronization
import TestSupport
import Testing

@testable import SSH

/// What remains of children: no process, no handler, and no input that was cut short.
@Suite("Child", .timeLimit(.minutes(1)))
struct ChildTests {
    /// Held by what a child calls, and so for as long as the reactor keeps one of its handlers.
    private final class Token: Sendable {}

    private struct Started {
        let child: Child
        let ends: AsyncStream<ChildEnd>

        func end() async -> ChildEnd? {
            for await end in ends { return end }
            return nil
        }
    }

    private static let ignoresPipeSignal: Void = { _ = signal(SIGPIPE, SIG_IGN) }()

    private func start(
        _ script: String, holding token: Token = Token(), output: StreamBox<[UInt8]> = StreamBox([])
    ) throws -> Started {
        _ = Self.ignoresPipeSignal
        let (ends, continuation) = AsyncStream.makeStream(of: ChildEnd.self)
        let child = try Child.start(
            path: "/bin/sh", arguments: ["-c", script], environment: ["PATH": "/usr/bin:/bin"],
            stdout: { chunk in withExtendedLifetime(token) { output.with { $0 += chunk } } }, stderr: { _ in },
            ended: { end in _ = withExtendedLifetime(token) { continuation.yield(end) } })
        return Started(child: child, ends: ends)
    }

    /// Whether it goes within twenty seconds.
    private func isReleased(_ token: () -> Token?) async -> Bool {
        let deadline = ContinuousClock.now + .seconds(20)
        while token() != nil {
            guard .now < deadline else { return false }
            await Timer.pause(.milliseconds(5))
        }
        return true
    }

    @Test func `a child that ends leaves no handler of its input, also where another process holds the other end`()
        async throws
    {
        weak var kept: Token?
        try await {
            let token = Token()
            kept = token
            // The process that it leaves behind reads the input, and so ends, once the child has been reaped.
            let started = try start(
                "read x; p=$$; exec 5<&0; (while kill -0 $p 2>/dev/null; do sleep 0.1; done; sleep 0.2; cat) <&5 >/dev/null 2>&1 & exit 3",
                holding: token)
            started.child.write([10] + [UInt8](repeating: 1, count: 1 << 20))
            #expect(await started.end() == .exited(3))
        }()
        #expect(await isReleased { kept })
    }

    @Test func `a child that is abandoned leaves no handler of its streams, whoever holds their other ends`()
        async throws
    {
        weak var kept: Token?
        try await {
            let token = Token()
            kept = token
            let output = StreamBox<[UInt8]>([])
            let started = try start("sleep 20 & echo ready; wait", holding: token, output: output)
            while output.value != Array("ready\n".utf8) { await Timer.pause(.milliseconds(5)) }
            started.child.abandon()
            #expect(await started.end() == .signalled(SIGKILL))
        }()
        #expect(await isReleased { kept })
    }

    @Test func `input of any length reaches a child that reads late, and each writer is told`() async throws {
        let output = StreamBox<[UInt8]>([])
        let told = StreamBox(0)
        let started = try start("sleep 0.2; cat", output: output)
        let chunk = [UInt8](0...255)
        for count in 1...2_000 {
            started.child.write(chunk) { told.with { $0 += 1 } }
            if count % 500 == 0 { await Timer.pause(.milliseconds(100)) }
        }
        started.child.finishInput()
        #expect(await started.end() == .exited(0))
        #expect(output.value == (0..<2_000).flatMap { _ in chunk })
        #expect(told.value == 2_000)
    }

    /// Processes of this name that this process has started and not reaped.
    private func children(named name: String) -> [String] {
        let own = "\(getpid())"
        guard let stream = opendir("/proc") else { return [] }
        defer { closedir(stream) }
        var found: [String] = []
        while let entry = readdir(stream) {
            let number = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard Int(number) != nil else { continue }
            let descriptor = open("/proc/\(number)/stat", O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            var bytes = [UInt8](repeating: 0, count: 1024)
            let count = read(descriptor, &bytes, bytes.count)
            let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
            let words = text.split(separator: " ")
            if words.count > 3, words[1] == "(\(name))", words[3] == own { found.append(text) }
        }
        return found
    }

    /// The reactor's own pipe, the child's three streams and the child itself.
    @Test func `bytes of several who write at once come whole, also where they are queued in pieces`() async throws {
        let output = StreamBox<[UInt8]>([])
        let started = try start("cat", output: output)
        let (count, length, piece) = (8, 200_000, 32_768)
        await withTaskGroup(of: Void.self) { group in
            for letter in 0..<UInt8(count) {
                group.addTask {
                    let bytes = [UInt8](repeating: letter, count: length)
                    let pieces = stride(from: 0, to: length, by: piece).map { bytes[$0..<min($0 + piece, length)] }
                    started.child.write(pieces) { _ in }
                }
            }
        }
        started.child.finishInput()
        #expect(await started.end() == .exited(0))
        let came = output.value
        try #require(came.count == count * length)
        for whole in 0..<count {
            let bytes = came[whole * length..<(whole + 1) * length]
            #expect(bytes.allSatisfy { $0 == bytes.first }, "others' bytes stand between those of \(whole)")
        }
    }

    @Test(arguments: 0..<5)
    func `a child that the kernel does not let us watch is an error, and gone`(refused: Int) async throws {
        // A process keeps this name as a zombie.
        let place = try TemporaryDirectory()
        let name = "csdchild\(refused)"
        let program = "\(place.path)/\(name)"
        #expect(symlink("/bin/sleep", program) == 0)
        defer { unlink(program) }
        let asked = Mutex(0)
        let reactor = Reactor { epoll, descriptor, token, wanted in
            let number = asked.withLock { asked in
                defer { asked += 1 }
                return asked
            }
            guard number != refused else {
                errno = ENOSPC
                return -1
            }
            return csd_epoll_add(epoll, descriptor, token, wanted)
        }
        let isCalled = StreamBox(false)
        weak var kept: Token?
        func start() throws(IPCError) {
            let token = Token()
            kept = token
            _ = try Child.start(
                path: program, arguments: ["1000"], environment: [:], reactor: reactor,
                stdout: { _ in withExtendedLifetime(token) { isCalled.with { $0 = true } } },
                stderr: { _ in isCalled.with { $0 = true } },
                ended: { _ in withExtendedLifetime(token) { isCalled.with { $0 = true } } })
        }
        let error = #expect(throws: IPCError.self) { try start() }
        #expect(error == .system(call: refused == 0 ? "epoll" : "epoll_ctl", errno: ENOSPC))
        #expect(children(named: name) == [])
        #expect(await isReleased { kept })
        #expect(!isCalled.value)
    }
}
