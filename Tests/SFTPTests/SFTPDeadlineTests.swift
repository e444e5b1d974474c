import Dispatch
import Glibc
import IPC
import Synchronization
import Testing

@testable import SFTP
@testable import SSH

/// Every call on remote files ends, whatever the host does to draw it out: soon after its patience, which is 400 ms here.
@Suite("The deadline of work on files", .timeLimit(.minutes(5)))
struct SFTPDeadlineTests {
    private typealias Server = SFTPScriptedServer

    private static let patience = Duration.milliseconds(400)
    private let path = Array("/f".utf8)

    /// Says bytes one by one, each after a part of the patience, and so never stays silent for all of it.
    private static func drip(_ bytes: [UInt8], from server: SFTPScriptedServer) {
        guard let first = bytes.first, !server.isClosed else { return }
        server.say([first])
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(100)) {
            drip(Array(bytes.dropFirst()), from: server)
        }
    }

    private static func later(_ work: @escaping @Sendable () -> Void) {
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(100), execute: work)
    }

    /// What ends a call that is drawn out: where this machine is busy, the host may look silent before it looks slow.
    private func isGivenUp(_ error: SFTPError?) -> Bool { error == .slow || error == .silent(Self.patience) }

    @Test func `one byte of a packet at a time is no progress`() async {
        let files = Server.files(deadline: Self.patience) { request, server in
            guard request.type == 17 else { return }
            // A packet of 64 KiB: it is whole after two hours.
            Self.drip([0, 1, 0, 0] + Array(repeating: 105, count: 65_536), from: server)
        }
        let error = await sftpError { () async throws(SFTPError) in try await files.stat(path) }
        #expect(error == .silent(Self.patience))
    }

    @Test func `one byte of a file at each READ, slowly, is given up as slow`() async {
        let honest = Server.honest(Array(repeating: 1, count: 100_000))
        let files = Server.files(deadline: Self.patience) { request, server in
            guard request.type == 5 else { return honest(request, server) }
            Self.later { server.say(Server.data(request.id, [1])) }
        }
        let read = await sftpError { () async throws(SFTPError) in try await files.read(path, .head(1 << 20)) }
        #expect(isGivenUp(read), "\(String(describing: read))")
        let down = await sftpError { () async throws(SFTPError) in try await files.download(path) { _ in } }
        #expect(isGivenUp(down), "\(String(describing: down))")
    }

    @Test func `one byte of a file at each READ, at once, is no server's way`() async {
        let honest = Server.honest(Array(repeating: 1, count: 1 << 20))
        let reads = Mutex(0)
        let files = Server.files(deadline: .seconds(20)) { request, server in
            guard request.type == 5 else { return honest(request, server) }
            reads.withLock { $0 += 1 }
            server.say(Server.data(request.id, [1]))
        }
        let error = await sftpError { () async throws(SFTPError) in try await files.read(path, .head(1 << 20)) }
        #expect(error == .broken(detail: "a file in pieces of 1 bytes"))
        #expect(reads.withLock { $0 } < 100_000)
    }

    @Test func `one name of a directory at each READDIR, slowly, is given up as slow`() async {
        let honest = Server.honest([])
        let queue = DispatchQueue(label: "one by one")
        let files = Server.files(deadline: Self.patience) { request, server in
            guard request.type == 12 else { return honest(request, server) }
            queue.async {
                if server.isClosed { return }
                usleep(100_000)
                server.say(Server.names(request.id, [SFTPName(name: [0x6E], attributes: SFTPAttributes())]))
            }
        }
        let error = await sftpError { () async throws(SFTPError) in try await files.list(path, limit: 10) }
        #expect(isGivenUp(error), "\(String(describing: error))")
    }

    @Test func `WRITEs that are taken one by one, slowly, are given up as slow, and what was begun is removed`() async {
        let honest = Server.honest([])
        let removed = Mutex(false)
        let queue = DispatchQueue(label: "one by one")
        let files = Server.files(
            version: Server.version(3, ["hardlink@openssh.com", "posix-rename@openssh.com"]), deadline: Self.patience
        ) { request, server in
            switch request.type {
            case 7, 17: server.say(Server.status(request.id, 2))
            case 6:
                queue.async {
                    if server.isClosed { return }
                    usleep(50_000)
                    server.say(Server.status(request.id, 0))
                }
            case 13:
                removed.withLock { $0 = true }
                server.say(Server.status(request.id, 0))
            default: honest(request, server)
            }
        }
        let error = await sftpError { () async throws(SFTPError) in
            try await files.upload(to: path, WriteOptions(policy: .createOnly)) { offset, _ in
                offset < 1000 ? [1] : []
            }
        }
        #expect(isGivenUp(error))
        if error == .slow { #expect(removed.withLock { $0 }) }
    }

    @Test func `many answers, each of them late, have a bound in proportion to the questions`() async {
        let links = (0..<1000).map {
            SFTPName(name: Array("n\($0)".utf8), attributes: SFTPAttributes(permissions: 0o120777))
        }
        let honest = Server.honest([])
        let pages = Mutex(0)
        let files = Server.files(deadline: .seconds(20)) { request, server in
            switch request.type {
            case 12:
                let first = pages.withLock { pages in
                    pages += 1
                    return pages == 1
                }
                server.say(first ? Server.names(request.id, links) : Server.status(request.id, 1))
            case 19: Self.later { server.say(Server.names(request.id, [links[0]])) }
            default: honest(request, server)
            }
        }
        // 16 rounds of 64 questions, each answer 100 ms after the one before: 100 s in all.
        let queue = DispatchQueue(label: "one by one")
        let slow = Server.files(deadline: Self.patience) { request, server in
            guard request.type == 19 else {
                if request.type == 12 {
                    let first = pages.withLock { pages in
                        pages += 1
                        return pages == 1
                    }
                    return server.say(first ? Server.names(request.id, links) : Server.status(request.id, 1))
                }
                return honest(request, server)
            }
            queue.async {
                if server.isClosed { return }
                usleep(100_000)
                server.say(Server.names(request.id, [links[0]]))
            }
        }
        let error = await sftpError { () async throws(SFTPError) in try await slow.list(path, limit: 1000) }
        #expect(isGivenUp(error), "\(String(describing: error))")
        pages.withLock { $0 = 0 }
        // The same questions with all of their answers together are served.
        let list = try? await files.list(path, limit: 1000)
        #expect(list?.entries.count == 1000)
    }

    @Test func `time that is spent at home is not the host's`() async throws {
        let files = Server.files(deadline: .seconds(4), Server.honest(Array(repeating: 1, count: 300_000)))
        let pauses = Mutex(0)
        let result = try await files.download(path) { _ in
            if pauses.withLock({
                $0 += 1; return $0 <= 1
            }) {
                await Timer.pause(.seconds(5))
            }
        }
        #expect(result.size == 300_000)
    }

    @Test func `a withheld answer is missed although others are answered`() async {
        let honest = Server.honest([1, 2, 3])
        let files = Server.files(deadline: Self.patience) { request, server in
            if request.string == Array("/held".utf8) { return }
            honest(request, server)
        }
        let path = path
        let others = Task {
            while !Task.isCancelled {
                _ = try? await files.stat(path)
                await Timer.pause(.milliseconds(20))
            }
        }
        let error = await sftpError { () async throws(SFTPError) in try await files.stat(Array("/held".utf8)) }
        others.cancel()
        #expect(error == .silent(Self.patience))
    }

    // MARK: Opening

    @Test func `what a start-up file prints before VERSION is no part of it`() async throws {
        for text in [
            "Welcome!\n", "no line feed", "\0\0\0\u{5}\0\0", "\u{1B}[31mred\u{1B}[0m\r\n", "\0\0\0\u{9}\u{2}abc",
            String(repeating: "motd ", count: 10_000),
        ] {
            let version = Server.version(3, ["posix-rename@openssh.com"])
            let files = Server.files(
                version: Array(text.utf8) + version, deadline: .seconds(5), Server.honest([1, 2, 3]))
            #expect(try await files.read(path, .head(10)).bytes == [1, 2, 3], "\(text.prefix(20))")
        }
    }

    @Test func `VERSION may come in pieces, behind text in pieces`() async throws {
        var greeting = Greeting()
        let version = Server.version(3, ["posix-rename@openssh.com"])
        for (number, byte) in (Array("Last login: yesterday\n".utf8) + version).enumerated() {
            var piece: ArraySlice<UInt8> = [byte]
            let found = try greeting.next(&piece)
            #expect((found != nil) == (number == 21 + version.count))
        }
        #expect(throws: Malformed.self) {
            var greeting = Greeting()
            var endless = Array(repeating: UInt8(ascii: "x"), count: 70_000)[...]
            _ = try greeting.next(&endless)
        }
    }

    @Test func `a host that hangs at the start is named with what it said, and the next call knows it at once`()
        async throws
    {
        let patience = Duration.seconds(4)
        let opened = Mutex(0)
        let channel = SFTPChannel(
            deadline: patience, idle: .seconds(300),
            openers: [
                (
                    .sftp,
                    { client throws(SFTPError) in
                        let number = opened.withLock { opened in
                            opened += 1
                            return opened
                        }
                        // The third time it was mended.
                        let version = number < 3 ? Array("Which project? ".utf8) : Server.version(3)
                        return SFTPScriptedServer(client, version: version, Server.honest([1, 2, 3]))
                    }
                ),
                (.shell, { client throws(SFTPError) in SFTPScriptedServer(client, version: []) { _, _ in } }),
            ])
        let files = RemoteFiles(channel: channel)
        let first = await sftpError { () async throws(SFTPError) in try await files.read(path, .head(10)) }
        guard case .hung(patience, let seen) = first else {
            Issue.record("\(String(describing: first))")
            return
        }
        #expect(seen.contains("Which project?"))
        let started = ContinuousClock.now
        #expect(await sftpError { () async throws(SFTPError) in try await files.read(path, .head(10)) } == first)
        #expect(ContinuousClock.now - started < patience)
        // That call had it tried anew, and so does each until it is mended.
        while true {
            if let read = try? await files.read(path, .head(10)) {
                #expect(read.bytes == [1, 2, 3])
                break
            }
            await Timer.pause(.milliseconds(20))
        }
        #expect(opened.withLock { $0 } == 3)
    }

    // MARK: The end

    private struct Old {
        weak var client: SFTPClient?
    }

    @Test func `an ended client is not kept alive, and does not come alive`() async throws {
        let scene = SFTPScene()
        let old = Mutex(Old())
        for _ in 0..<3 {
            try await scene.channel.use { client async throws(SFTPError) in
                old.withLock { $0.client = client }
                _ = try await client.send(.realpath([0x2E])).name()
            }
            // The scene counts its servers, which hold it.
            scene.counts.servers.withLock { $0 = [] }
            scene.channel.closeIfIdle()
            let end = ContinuousClock.now + .seconds(10)
            while old.withLock({ $0.client != nil }) && ContinuousClock.now < end {
                await Timer.pause(.milliseconds(10))
            }
            #expect(old.withLock { $0.client == nil })
        }
        let client = SFTPClient(deadline: .seconds(20))
        client.close()
        client.receive(Server.version(3)[...])
        client.opened(SFTPVersion(version: 3, extensions: []), SFTPClient.Limits())
        #expect(client.end == .lost(detail: "closed"))
    }
}
