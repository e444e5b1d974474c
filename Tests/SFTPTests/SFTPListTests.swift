import Glibc
import Synchronization
import TestSupport
import Testing

@testable import SFTP
@testable import SSH

@Suite(
    "SFTP: listing by sftp-server, and the channel",
    .enabled(if: access(SFTPRealServer.path, X_OK) == 0, "OpenSSH's sftp-server is not installed"))
struct SFTPListTests {
    @Test func `names of any bytes, sorted, with types and targets`() async throws {
        let scene = SFTPScene()
        let names: [[UInt8]] =
            ["new\nline", " space ", "a -> b", "-rf", "ünï", "total 0"].map { Array($0.utf8) } + [[0xFF, 0xFE], [1]]
        for name in names {
            let path = scene.path("") + name + [0]
            close(open(path.map { CChar(bitPattern: $0) }, O_CREAT | O_WRONLY | O_CLOEXEC, 0o640))
        }
        symlink("to\nsomewhere -> else", "\(scene.directory)/link")
        mkdir("\(scene.directory)/sub", 0o750)
        mkfifo("\(scene.directory)/pipe", 0o600)
        let result = try await scene.files.list(scene.path(""), limit: 100)
        let expected = (names + ["link", "sub", "pipe"].map { Array($0.utf8) }).sorted { precedes($0, $1) }
        #expect(result.entries.map(\.name) == expected && !result.hasMore && result.total == expected.count)
        func entry(_ name: String) -> RemoteEntry? { result.entries.first { $0.name == Array(name.utf8) } }
        #expect(
            entry("link")?.target == Array("to\nsomewhere -> else".utf8) && entry("link")?.attributes.type == .symlink)
        #expect(entry("sub")?.attributes.type == .directory && entry("pipe")?.attributes.type == .fifo)
        #expect(entry("a -> b")?.attributes.permissions == 0o100640 && entry("a -> b")?.target == nil)
        #expect(
            try await scene.files.list(scene.path("sub"), limit: 5) == ListResult(entries: [], hasMore: false, total: 0)
        )
    }

    @Test func `a hundred thousand entries in pages`() async throws {
        let scene = SFTPScene()
        succeeds("/bin/sh", "-c", "cd \(scene.directory) && seq -f 'entry%06g' 1 100000 | xargs touch")
        var seen = 0
        var after: [UInt8]?
        for page in 0..<3 {
            let result = try await scene.files.list(scene.path(""), after: after, limit: 40_000)
            seen += result.entries.count
            #expect(result.total == 100_000 && result.hasMore == (page < 2))
            if page > 0 { #expect(result.entries.first?.name == Array("entry0\(page * 40_000 + 1)".utf8)) }
            after = result.entries.last?.name
        }
        #expect(seen == 100_000)
    }

    @Test func `a page of long names and targets is shorter, and the next goes on`() async throws {
        let scene = SFTPScene()
        let target = String(repeating: "t", count: 4000)
        for number in 0..<600 { symlink(target, "\(scene.directory)/link\(number)") }
        var names: [[UInt8]] = []
        var pages = 0
        var more = true
        while more {
            let page = try await scene.files.list(scene.path(""), after: names.last, limit: 1000)
            #expect(page.entries.allSatisfy { $0.target == Array(target.utf8) } && page.total == 600)
            #expect(page.entries.reduce(0) { $0 + $1.name.count + ($1.target?.count ?? 0) } <= 1 << 20)
            names += page.entries.map(\.name)
            more = page.hasMore
            pages += 1
        }
        #expect(names.count == 600 && Set(names).count == 600 && pages == 3)
    }

    @Test func `what is no directory, or is missing`() async {
        let scene = SFTPScene()
        scene.make("f")
        let files = scene.files
        let file = await sftpError { () async throws(SFTPError) in try await files.list(scene.path("f"), limit: 1) }
        #expect(file == .notRegular(.regular, path: scene.path("f")))
        let missing = await sftpError { () async throws(SFTPError) in try await files.list(scene.path("m"), limit: 1) }
        guard case .refused(.noSuchFile, _, _, _) = missing else {
            Issue.record("\(String(describing: missing))")
            return
        }
    }

    @Test func `a base directory holds what symlinks lead out of it`() async throws {
        let scene = SFTPScene()
        mkdir("\(scene.directory)/base", 0o755)
        mkdir("\(scene.directory)/based", 0o755)
        scene.make("secret", "s")
        scene.make("based/f", "s")
        scene.make("base/own", "o")
        symlink("../secret", "\(scene.directory)/base/out")
        symlink("../based", "\(scene.directory)/base/dir")
        symlink("own", "\(scene.directory)/base/in")
        symlink("../new", "\(scene.directory)/base/dangling")
        symlink("base", "\(scene.directory)/alias")
        for base in ["base", "alias"] {
            let files = RemoteFiles(channel: scene.channel, base: scene.path(base))
            #expect(try await files.read(scene.path("base/in"), .head(9)).bytes == [0x6F])
            for name in ["base/out", "base/dir/f", "secret", "base/../secret", "based/f"] {
                let path = scene.path(name)
                for error in [
                    await sftpError { () async throws(SFTPError) in try await files.read(path, .head(9)) },
                    await sftpError { () async throws(SFTPError) in try await files.stat(path) },
                    await sftpError { () async throws(SFTPError) in
                        try await files.write(path, [1], .init(policy: .replace))
                    },
                ] {
                    guard case .outside = error else {
                        Issue.record("\(name): \(String(describing: error))")
                        continue
                    }
                }
            }
            for name in ["base/dir/new", "base/dangling", "new", "base/dir/x/y"] {
                let options = WriteOptions(policy: .replace, createDirectories: true)
                let error = await sftpError { () async throws(SFTPError) in
                    try await files.write(scene.path(name), [1], options)
                }
                guard case .outside = error else {
                    Issue.record("\(name): \(String(describing: error))")
                    continue
                }
            }
            let listing = await sftpError { () async throws(SFTPError) in
                try await files.list(scene.path("base/dir"), limit: 9)
            }
            #expect(listing == .outside(path: scene.path("based")))
            #expect(try await files.list(scene.path("base"), limit: 9).entries.count == 5)
        }
        // One that leads to the root directory confines nothing.
        symlink("/", "\(scene.directory)/all")
        for base in [scene.path("all"), Array("/proc/self/root".utf8)] {
            let files = RemoteFiles(channel: scene.channel, base: base)
            for error in [
                await sftpError { () async throws(SFTPError) in try await files.read(scene.path("base/in"), .head(9)) },
                await sftpError { () async throws(SFTPError) in try await files.list(base, limit: 9) },
                await sftpError { () async throws(SFTPError) in
                    try await files.write(scene.path("all/new"), [1], .init(policy: .replace))
                },
            ] { #expect(error == .baseIsRoot) }
        }
        // The base itself may be a symlink that is set anew while the connection stays.
        unlink("\(scene.directory)/alias")
        symlink("based", "\(scene.directory)/alias")
        symlink("../base/own", "\(scene.directory)/based/back")
        let moved = RemoteFiles(channel: scene.channel, base: scene.path("alias"))
        #expect(try await moved.read(scene.path("alias/f"), .head(9)).bytes == [0x73])
        let back = await sftpError { () async throws(SFTPError) in
            try await moved.read(scene.path("alias/back"), .head(9))
        }
        #expect(back == .outside(path: scene.path("base/own")))
        unlink("\(scene.directory)/based/back")
        #expect(scene.content("secret") == "s" && scene.names("based") == ["f"] && !scene.names().contains("new"))
        // A read in the base takes no more round trips than one without.
        let files = RemoteFiles(channel: scene.channel, base: scene.path("base"))
        scene.counts.sent.withLock { $0 = [] }
        _ = try await files.read(scene.path("base/own"), .head(100))
        #expect(scene.counts.sent.withLock { $0 } == [16, 16, 17, 3, 8, 5, 5, 4])
    }

    @Test func `a server that is killed is started anew for the next call`() async throws {
        let scene = SFTPScene()
        succeeds("/bin/sh", "-c", "seq 1 2000000 > \(scene.directory)/f")
        let error = await sftpError { () async throws(SFTPError) in
            try await scene.files.download(scene.path("f")) { _ in
                scene.counts.servers.withLock { $0.last }?.close()
            }
        }
        #expect(error == .lost(detail: "its session ended without a status"))
        #expect(try await scene.files.read(scene.path("f"), .head(4)).bytes == Array("1\n2\n".utf8))
        #expect(scene.counts.servers.withLock { $0.count } == 2)
    }

    @Test func `callers share one opening, and an idle connection is closed`() async throws {
        let scene = SFTPScene(idle: .milliseconds(50))
        scene.make("f", "x")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 { group.addTask { _ = try await scene.files.read(scene.path("f"), .head(4)) } }
            try await group.waitForAll()
        }
        #expect(scene.counts.servers.withLock { $0.count } == 1)
        let started = ContinuousClock.now
        while scene.channel.isOpen, ContinuousClock.now - started < .seconds(10) { await Task.yield() }
        #expect(!scene.channel.isOpen)
        _ = try await scene.files.stat(scene.path("f"))
        scene.channel.closeIfIdle()
        #expect(!scene.channel.isOpen)
    }

    @Test
    func `a connection that is in use is not idle, however long, and one that is not used for that long is closed`()
        async throws
    {
        let idle = Duration.milliseconds(100)
        let scene = SFTPScene(idle: idle)
        scene.make("f", "x")
        _ = try await scene.files.stat(scene.path("f"))
        try await scene.channel.use { client async throws(SFTPError) in
            await Timer.pause(idle * 4)
            #expect(scene.channel.isOpen && client.end == nil)
        }
        let ended = ContinuousClock.now
        while scene.channel.isOpen, .now < ended + .seconds(10) { await Timer.pause(.milliseconds(5)) }
        #expect(!scene.channel.isOpen && ContinuousClock.now >= ended + idle * 0.9)
        #expect(scene.counts.servers.withLock { $0.count } == 1)
    }

    @Test func `a connection that is wanted while it is used closes when its last call is done`() async throws {
        let scene = SFTPScene()
        scene.make("f", "x")
        _ = try await scene.files.download(scene.path("f")) { _ in
            scene.channel.closeIfIdle()
            #expect(scene.channel.isOpen)
        }
        #expect(!scene.channel.isOpen)
        #expect(try await scene.files.read(scene.path("f"), .head(1)).bytes == [0x78] && scene.channel.isOpen)
    }

    @Test func `calls at once do not get each other's bytes`() async throws {
        let scene = SFTPScene()
        for number in 0..<40 { scene.make("f\(number)", String(repeating: "\(number),", count: 200)) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for round in 0..<400 {
                group.addTask {
                    let number = round % 40
                    let text = try await scene.files.read(scene.path("f\(number)"), .head(10_000)).bytes
                    #expect(text == Array(String(repeating: "\(number),", count: 200).utf8))
                }
            }
            try await group.waitForAll()
        }
    }
}
