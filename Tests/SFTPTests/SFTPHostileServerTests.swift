import IPC
import SSH
import Synchronization
import Testing

@testable import SFTP

/// A server may say anything: each call ends, with an error that tells what was wrong.
@Suite("A hostile SFTP server", .timeLimit(.minutes(2)))
struct SFTPHostileServerTests {
    private typealias Server = SFTPScriptedServer

    private func error(_ work: () async throws(SFTPError) -> some Any) async -> SFTPError? {
        do throws(SFTPError) {
            _ = try await work()
            return nil
        } catch {
            return error
        }
    }

    private func isBroken(_ error: SFTPError?) -> Bool {
        if case .broken = error { return true }
        return false
    }

    private let path = Array("/f".utf8)

    @Test func `an honest one is believed`() async throws {
        let content = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let files = Server.files(Server.honest(content))
        #expect(try await files.read(path, .head(1 << 20)).bytes == content)
        #expect(try await files.read(path, .offset(99_990, 100)).bytes == Array(content.suffix(10)))
    }

    @Test(arguments: [0, 1, 2, 4, 6, 0xFFFF_FFFF] as [UInt32])
    func `another version`(version: UInt32) async {
        let files = Server.files(version: Server.version(version), Server.honest([]))
        let error = await error { () async throws(SFTPError) in try await files.stat(path) }
        #expect(error == .unsupported("SFTP version 3: the server answers with version \(version)"))
    }

    @Test(arguments: ["Welcome to this host!\r\n", "\0\0\0\u{5}\u{65}", "\u{7F}\u{7F}\u{7F}\u{7F}", "\0\0\0\u{1}\u{2}"])
    func `what is no SFTP at all`(greeting: String) async {
        let files = Server.files(version: Array(greeting.utf8) + [0, 0, 0, 0], Server.honest([]))
        let error = await error { () async throws(SFTPError) in try await files.stat(path) }
        guard case .noSubsystem = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `one that never answers, at first or later`() async {
        let mute = Server.files(version: [], deadline: .milliseconds(200), opening: .milliseconds(200)) { _, _ in }
        let first = await error { () async throws(SFTPError) in try await mute.stat(path) }
        #expect(first == .hung(.milliseconds(200), seen: ""))
        let lame = Server.files(deadline: .milliseconds(200)) { _, _ in }
        let later = await error { () async throws(SFTPError) in try await lame.stat(path) }
        #expect(later == .silent(.milliseconds(200)))
    }

    @Test func `the first reason of an end is told, not the one that closing brings`() async {
        struct Mute: SFTPPacketTransport {
            let client: SFTPClient

            func send(_ bytes: [UInt8]) {}
            func close() { client.transportEnded(SessionEnd(.exited(255), said: "closed")) }
        }
        let client = SFTPClient(deadline: .milliseconds(50))
        client.start(Mute(client: client))
        let told = await error { () async throws(SFTPError) in try await client.ready() }
        #expect(told == .hung(.milliseconds(50), seen: ""))
    }

    /// Bytes in the place of the reply to STAT.
    static let nonsense: [(name: String, bytes: @Sendable (UInt32) -> [UInt8])] = [
        ("an unknown id", { Server.attributes($0 &+ 77, SFTPAttributes(size: 1, permissions: 0o100644)) }),
        ("an answer of another kind", { Server.handle($0, [1]) }),
        ("OK to a question", { Server.status($0, 0) }),
        ("data", { Server.data($0, [1]) }),
        ("a type that no server sends", { id in Server.packet(77) { $0.number(id) } }),
        ("a huge length", { _ in [0x7F, 0xFF, 0xFF, 0xFF, 105] }),
        ("no length", { _ in [0, 0, 0, 0] }),
        ("a packet without an id", { _ in [0, 0, 0, 2, 105, 0] }),
        (
            "attributes that end early",
            { id in
                Server.packet(105) {
                    $0.number(id); $0.number(UInt32(1))
                }
            }
        ),
        (
            "attributes with unknown flags",
            { id in
                Server.packet(105) {
                    $0.number(id); $0.number(UInt32(0x40))
                }
            }
        ),
        (
            "attributes with 2^32 extensions",
            { id in
                Server.packet(105) {
                    $0.number(id); $0.number(UInt32(0x8000_0000)); $0.number(UInt32.max)
                }
            }
        ),
        (
            "bytes left over",
            { id in
                Server.packet(105) {
                    $0.number(id); $0.number(UInt32(0)); $0.byte(1)
                }
            }
        ),
        (
            "a string longer than its packet",
            { id in
                Server.packet(101) {
                    $0.number(id); $0.number(UInt32(4)); $0.number(UInt32.max)
                }
            }
        ),
    ]

    @Test(arguments: nonsense.indices)
    func `nonsense breaks the connection, and the next call opens a new one`(index: Int) async throws {
        let (name, bytes) = Self.nonsense[index]
        let count = Mutex(0)
        let honest = Server.honest([1, 2, 3])
        let files = Server.files { request, server in
            if count.withLock({
                $0 += 1; return $0 == 1
            }) {
                server.say(bytes(request.id))
            } else {
                honest(request, server)
            }
        }
        let error = await error { () async throws(SFTPError) in try await files.stat(path) }
        #expect(isBroken(error), "\(name): \(String(describing: error))")
        #expect(try await files.stat(path).size == 3)
    }

    @Test func `a second answer breaks the connection`() async {
        let honest = Server.honest([1])
        let files = Server.files { request, server in
            honest(request, server)
            if request.type == 17 { honest(request, server) }
        }
        #expect(isBroken(await error { () async throws(SFTPError) in try await files.read(path, .head(10)) }))
    }

    @Test func `all calls under way fail with it`() async {
        let seen = Mutex(0)
        let files = Server.files(deadline: .seconds(20)) { request, server in
            if seen.withLock({
                $0 += 1; return $0 == 20
            }) {
                server.say([0xFF, 0xFF, 0xFF, 0xFF])
            }
        }
        let path = path
        let broken = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    do throws(SFTPError) {
                        _ = try await files.stat(path)
                        return false
                    } catch {
                        return isBroken(error)
                    }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(broken == 20)
    }

    @Test func `more data than was asked for, no data, and a large handle`() async {
        let honest = Server.honest(Array("twelve bytes".utf8))
        for answer: @Sendable (UInt32) -> [UInt8] in [
            { Server.data($0, Array(repeating: 0, count: 40_000)) }, { Server.data($0, []) }, { Server.names($0, []) },
        ] {
            let files = Server.files { request, server in
                if request.type == 5 { server.say(answer(request.id)) } else { honest(request, server) }
            }
            #expect(isBroken(await error { () async throws(SFTPError) in try await files.read(path, .head(1000)) }))
        }
        for size in [257, 200_000, 1 << 20] {
            let files = Server.files { request, server in
                if request.type == 3 {
                    server.say(Server.handle(request.id, Array(repeating: 1, count: size)))
                } else {
                    honest(request, server)
                }
            }
            #expect(isBroken(await error { () async throws(SFTPError) in try await files.read(path, .head(1000)) }))
        }
    }

    @Test func `a READDIR without names, with one that is a path, and one without end`() async {
        let honest = Server.honest([])
        for name in ["", "a/b", "a\0b", String(repeating: "n", count: 1025)] {
            let files = Server.files { request, server in
                if request.type == 12 {
                    server.say(
                        Server.names(request.id, [SFTPName(name: Array(name.utf8), attributes: SFTPAttributes())]))
                } else {
                    honest(request, server)
                }
            }
            #expect(
                isBroken(await error { () async throws(SFTPError) in try await files.list(path, limit: 10) }), "\(name)"
            )
        }
        let empty = Server.files { request, server in
            if request.type == 12 { server.say(Server.names(request.id, [])) } else { honest(request, server) }
        }
        #expect(isBroken(await error { () async throws(SFTPError) in try await empty.list(path, limit: 10) }))
        let many = (0..<5000).map { SFTPName(name: Array("n\($0)".utf8), attributes: SFTPAttributes()) }
        let endless = Server.files(deadline: .seconds(10)) { request, server in
            if request.type == 12 {
                server.say(Server.names(request.id, many))
            } else {
                honest(request, server)
            }
        }
        let error = await error { () async throws(SFTPError) in try await endless.list(path, limit: 10) }
        #expect(error == .tooManyEntries(limit: 1_000_000))
    }

    @Test func `a symlink with a target that no file system has`() async {
        let honest = Server.honest([])
        let pages = Mutex(0)
        let files = Server.files { request, server in
            switch request.type {
            case 12
            where pages.withLock({
                $0 += 1; return $0 == 1
            }):
                server.say(
                    Server.names(
                        request.id, [SFTPName(name: [0x6C], attributes: SFTPAttributes(permissions: 0o120777))]))
            case 19:
                let target = SFTPName(name: Array(repeating: 0x74, count: 4097), attributes: SFTPAttributes())
                server.say(Server.names(request.id, [target]))
            default: honest(request, server)
            }
        }
        #expect(isBroken(await error { () async throws(SFTPError) in try await files.list(path, limit: 10) }))
    }

    /// A server of a file that it says is so long, and that gives whatever is asked for.
    private func endless(said size: UInt64, finally after: UInt64? = nil) -> RemoteFiles {
        let honest = Server.honest([])
        let stats = Mutex(0)
        return Server.files(deadline: .seconds(10)) { request, server in
            switch request.type {
            case 8, 17:
                let isFirst = stats.withLock { stats in
                    stats += 1
                    return stats <= 2
                }
                let attributes = SFTPAttributes(size: isFirst ? size : after ?? size, permissions: 0o100644)
                server.say(Server.attributes(request.id, attributes))
            case 5:
                let length = request.body.suffix(4).reduce(0) { $0 << 8 | Int($1) }
                server.say(Server.data(request.id, Array(repeating: 1, count: length)))
            default: honest(request, server)
            }
        }
    }

    @Test func `a download ends where the file was said to end, and tells of more`() async throws {
        for (after, grewTo) in [(nil, nil), (100_001, 100_001), (1 << 62, 1 << 62)] as [(UInt64?, UInt64?)] {
            let taken = Mutex(0)
            let result = try await endless(said: 100_000, finally: after).download(path) { data in
                taken.withLock { $0 += data.count }
            }
            #expect(result.size == 100_000 && result.grewTo == grewTo && taken.withLock { $0 } == 100_000)
        }
        let shrunk = await error { () async throws(SFTPError) in
            try await endless(said: 100_000, finally: 99_999).download(path) { _ in }
        }
        #expect(shrunk == .changed(path: path))
    }

    @Test func `a download of a file that says it is empty has an end`() async {
        let taken = Mutex(0)
        let error = await error { () async throws(SFTPError) in
            try await endless(said: 0).download(path) { data in taken.withLock { $0 += data.count } }
        }
        #expect(error == .endless(limit: 64 << 20, path: path) && taken.withLock { $0 } <= 64 << 20)
    }

    @Test func `nothing is taken of a file that is not admitted`() async {
        let taken = Mutex(0)
        let error = await error { () async throws(SFTPError) in
            try await endless(said: 1 << 62).download(path) { size throws(SFTPError) in
                throw .local(detail: "\(size) bytes")
            } to: { data in
                taken.withLock { $0 += data.count }
            }
        }
        #expect(error == .local(detail: "4611686018427387904 bytes") && taken.withLock { $0 } == 0)
    }

    @Test func `an unknown status is told with its text`() async {
        let files = Server.files { request, server in server.say(Server.status(request.id, 4711, "odd")) }
        let error = await error { () async throws(SFTPError) in try await files.stat(path) }
        #expect(error == .refused(.other(4711), call: "STAT", path: path, message: "odd"))
    }

    @Test func `answers may come in any order`() async throws {
        let content = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 13) }
        let honest = Server.honest(content)
        let held = Mutex<[Server.Request]>([])
        let files = Server.files(deadline: .seconds(5)) { request, server in
            guard request.type == 5 else { return honest(request, server) }
            // 10 READs and the one behind the end, the last one first.
            let all = held.withLock { held in
                held.append(request)
                return held.count >= 11 ? held : []
            }
            for request in all.reversed() { honest(request, server) }
        }
        #expect(try await files.read(path, .head(1 << 20)).bytes == content)
    }

    @Test func `a file that grows or shrinks while it is read ends where it ends`() async throws {
        for (said, real) in [(0, 100_000), (10, 100_000), (500_000, 100_000), (100_000, 0), (1 << 40, 3)] {
            let content = (0..<real).map { UInt8(truncatingIfNeeded: $0 / 13) }
            let honest = Server.honest(content)
            let files = Server.files(deadline: .seconds(5)) { request, server in
                guard request.type == 17 || request.type == 8 else { return honest(request, server) }
                server.say(Server.attributes(request.id, SFTPAttributes(size: UInt64(said), permissions: 0o100644)))
            }
            let result = try await files.read(path, .head(1 << 20))
            #expect(result.bytes == content && result.reachedEnd)
        }
    }

    @Test func `one that answers the first READ of each burst with a byte is not asked for ever more`() async {
        let honest = Server.honest([])
        let asked = Mutex(0)
        let files = Server.files(deadline: .milliseconds(300)) { request, server in
            switch request.type {
            case 8, 17:
                server.say(Server.attributes(request.id, SFTPAttributes(size: 1 << 30, permissions: 0o100644)))
            case 5:
                let isFirst = asked.withLock { asked in
                    asked += 1
                    return asked % 32 == 1
                }
                if isFirst { server.say(Server.data(request.id, [1])) }
            default: honest(request, server)
            }
        }
        let error = await error { () async throws(SFTPError) in try await files.read(path, .head(64 << 20)) }
        #expect(error == .silent(.milliseconds(300)), "\(String(describing: error))")
        #expect(asked.withLock { $0 } <= 64)
    }

    @Test func `one that answers each READ with a byte is asked for one thing at a time`() async throws {
        let honest = Server.honest([])
        let asked = Mutex(0)
        let files = Server.files(deadline: .seconds(10)) { request, server in
            switch request.type {
            case 8, 17:
                server.say(Server.attributes(request.id, SFTPAttributes(size: 1 << 30, permissions: 0o100644)))
            case 5:
                asked.withLock { $0 += 1 }
                server.say(Server.data(request.id, [1]))
            default: honest(request, server)
            }
        }
        #expect(try await files.read(path, .head(200)).bytes == Array(repeating: 1, count: 200))
        #expect(asked.withLock { $0 } < 300)
    }

    @Test func `requests without an answer have an end`() async {
        let client = SFTPClient(deadline: .seconds(60))
        let server = SFTPScriptedServer(client) { _, _ in }
        client.start(server)
        let started = await error { () async throws(SFTPError) in try await client.ready() }
        #expect(started == nil)
        for _ in 0..<UnderWay.mostUnanswered { _ = client.send(.stat(path)) }
        #expect(client.end == nil)
        let last = await error { () async throws(SFTPError) in try await client.send(.stat(path)).attributes() }
        #expect(isBroken(last) && isBroken(client.end))
    }

    @Test func `what all calls together ask for ahead is bounded, and each call goes on`() async throws {
        let content = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 / 13) }
        let honest = Server.honest(content)
        let held = Mutex<[Server.Request]>([])
        let most = Mutex(0)
        let files = Server.files(deadline: .seconds(20)) { request, server in
            guard request.type == 5 else { return honest(request, server) }
            let count = held.withLock { held in
                held.append(request)
                return held.count
            }
            most.withLock { $0 = max($0, count) }
            // READs are held until nothing more comes for a moment: then all ask for as much as they may.
            server.later {
                if held.withLock({ $0.count }) == count {
                    for each in held.withLock({ held in
                        defer { held = [] }; return held
                    }) { honest(each, server) }
                }
            }
        }
        let path = path
        let sizes = await withTaskGroup(of: Int?.self) { group in
            for _ in 0..<120 { group.addTask { try? await files.read(path, .head(1 << 20)).bytes.count } }
            return await group.reduce(into: [Int?]()) { $0.append($1) }
        }
        #expect(sizes.allSatisfy { $0 == content.count } && sizes.count == 120)
        // 120 calls that ask for 20 READs each would be 2,400.
        #expect(most.withLock { $0 } <= UnderWay.mostRequestsAhead + 120, "\(most.withLock { $0 })")
    }

    /// A server whose file is shorter after the first STATs than they said, as after the rotation of a log.
    private func rotated(from old: UInt64, to content: [UInt8], statsThatLie lies: Int) -> RemoteFiles {
        let honest = Server.honest(content)
        let stats = Mutex(0)
        return Server.files(deadline: .seconds(5)) { request, server in
            guard request.type == 17 || request.type == 8 else { return honest(request, server) }
            let lies = stats.withLock { stats in
                stats += 1
                return stats <= lies
            }
            let size = lies ? old : UInt64(content.count)
            server.say(Server.attributes(request.id, SFTPAttributes(size: size, permissions: 0o100644)))
        }
    }

    @Test(arguments: [1, 2, 3, 4])
    func `the size of a file that was rotated is its own`(lies: Int) async throws {
        let content = Array("one\ntwo\nthree\n".utf8)
        let tail = try await rotated(from: 1 << 20, to: content, statsThatLie: lies)
            .tailLines(path, count: 2, limit: 1000)
        #expect(String(decoding: tail.bytes, as: UTF8.self) == "two\nthree\n" && tail.offset == 4)
        #expect(tail.size == 14 && tail.reachedEnd && !tail.isCut)
        let read = try await rotated(from: 1 << 20, to: content, statsThatLie: 1)
            .read(path, .offset(1 << 20, 1000))
        #expect(read.bytes.isEmpty && read.size == 14 && read.reachedEnd)
        let lines = try await rotated(from: 1 << 20, to: content, statsThatLie: 1)
            .lines(path, from: 9, count: 1, limit: 1000)
        #expect(lines.bytes.isEmpty && lines.size == 14 && lines.reachedEnd && lines.offset == 14)
    }

    @Test func `a tail that is never where it was said to be ends with an error`() async {
        let files = rotated(from: 1 << 20, to: [], statsThatLie: .max)
        let error = await error { () async throws(SFTPError) in try await files.tailLines(path, count: 2, limit: 100) }
        #expect(error == .changed(path: path))
    }

    @Test(arguments: [0, 4, 5, 6, 100, 1 << 40] as [UInt64])
    func `an offset behind the end does not make the file longer`(offset: UInt64) async throws {
        let files = Server.files(Server.honest(Array("12345".utf8)))
        let read = try await files.read(path, .offset(offset, 3))
        #expect(read.size == 5 && read.reachedEnd == (offset >= 2))
    }

    @Test func `a cancelled call ends at once, its late answer is consumed and its handle closed`() async throws {
        let late = Mutex<Server.Request?>(nil)
        let server = Mutex<SFTPScriptedServer?>(nil)
        let honest = Server.honest([1, 2, 3])
        let files = Server.files(deadline: .seconds(20)) { request, this in
            server.withLock { $0 = this }
            let first =
                request.type == 3
                && late.withLock { late in
                    guard late == nil else { return false }
                    late = request
                    return true
                }
            if !first { honest(request, this) }
        }
        let path = path
        let call = Task { () -> SFTPError? in
            do throws(SFTPError) {
                _ = try await files.read(path, .head(10))
                return nil
            } catch {
                return error
            }
        }
        while late.withLock({ $0 == nil }) { await Task.yield() }
        call.cancel()
        #expect(await call.value == .cancelled)
        let open = try #require(late.withLock { $0 })
        let running = try #require(server.withLock { $0 })
        running.say(Server.handle(open.id, [9, 9]))
        #expect(try await files.read(path, .head(10)).bytes == [1, 2, 3])
        // The close is sent when the late answer is read, maybe behind the answers of the second read.
        while !running.requests.contains(where: { $0.type == 4 && $0.string == [9, 9] }) { await Task.yield() }
    }

    @Test func `what a guessed handle gave is thrown away where the handle is another`() async throws {
        let honest = Server.honest(Array("right".utf8))
        let files = Server.files(version: Server.version(3, ["limits@openssh.com"])) { request, server in
            switch request.type {
            case 3: server.say(Server.handle(request.id, [0, 0, 0, 5]))
            case 5 where request.string == [0, 0, 0, 0]: server.say(Server.data(request.id, Array("w".utf8)))
            case 200: server.say(Server.status(request.id, 8))
            default: honest(request, server)
            }
        }
        #expect(try await files.read(path, .head(100)).bytes == Array("right".utf8))
    }

    @Test func `a name that only looks resolved does not lead out of the base directory`() async {
        // Its REALPATH tidies the text and no more, and `link` is a symlink.
        let honest = Server.honest([1])
        let files = Server.files { request, server in
            if request.type == 7, request.string == Array("/base/link".utf8) {
                server.say(Server.attributes(request.id, SFTPAttributes(permissions: 0o120777)))
            } else if request.type == 7 {
                server.say(Server.attributes(request.id, SFTPAttributes(permissions: 0o040755)))
            } else {
                honest(request, server)
            }
        }
        let confined = RemoteFiles(channel: files.channel, base: Array("/base".utf8))
        let error = await error { () async throws(SFTPError) in
            try await confined.read(Array("/base/link/f".utf8), .head(10))
        }
        #expect(error == .outside(path: Array("/base/link".utf8)))
        // Nor does a base directory that is itself a symlink, to the root directory for one.
        let linked = RemoteFiles(channel: files.channel, base: Array("/base/link".utf8))
        let other = await self.error { () async throws(SFTPError) in
            try await linked.read(Array("/base/link/f".utf8), .head(10))
        }
        #expect(other == .outside(path: Array("/base/link".utf8)))
    }

    /// Words on standard error are shown, and nothing is concluded from them: only the gate tells what became of a session.
    @Test(arguments: [
        "", "subsystem request failed on channel 0", "Control socket connect(/run/x): No such file or directory",
        "mux_client_request_session: session request failed: Session open refused by peer", "No user exists for uid 0",
        "kex_exchange_identification: Connection closed by remote host",
    ])
    func `an end before the first packet is what the gate tells, whatever was said`(said: String) {
        func early(_ how: SessionEnd.How) -> SFTPError { SFTPError.earlyEnd(SessionEnd(how, said: said)) }
        for status: UInt32 in [0, 1, 127, 255] {
            let detail = said.isEmpty ? "its session ended with status \(status)" : said
            #expect(early(.exited(status)) == .noSubsystem(detail: detail))
        }
        #expect(early(.ended) == .noSubsystem(detail: said.isEmpty ? "its session ended without a status" : said))
        #expect(early(.notOpened(.byHost)) == .noSession(nil))
        #expect(early(.notOpened(.down(.hung))) == .masterDown(.hung))
        #expect(early(.notOpened(.refused(.filesOverShell))) == .notAllowed(.filesOverShell))
    }
}
