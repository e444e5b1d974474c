import Dispatch
import Exec
import Glibc
import IPC
import Synchronization
import TestSupport
import Testing

@testable import SFTP
@testable import SSH

/// A shell of this machine in the place of one on a host.
private final class LocalPipe: ShellPipe {
    /// As in the worker: writing to a shell that has ended is an error and no end.
    private static let ignoresPipeSignal: Void = { _ = signal(SIGPIPE, SIG_IGN) }()

    private let child: Child

    init(
        _ shell: LocalShell, _ session: ShellSession, path: String = "/usr/local/bin:/usr/bin:/bin", user: uid_t? = nil,
        startup: String = "", _ receive: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
        _ ended: @escaping @Sendable (SessionEnd) -> Void
    ) throws(SFTPError) {
        _ = Self.ignoresPipeSignal
        let said = Mutex<[UInt8]>([])
        let start = "exec /bin/sh"
        guard let composed = ShellLine.of(session), composed.hasPrefix(start) else {
            throw .notOpened(detail: "no line")
        }
        let line =
            startup + "exec \(([shell.path] + shell.applet).joined(separator: " "))" + composed.dropFirst(start.count)
        do {
            let login = user.map { ["/usr/bin/setpriv", "--reuid=\($0)", "--regid=\($0)", "--clear-groups"] } ?? []
            let words = login + ["/bin/sh", "-c", line]
            child = try Child.start(
                path: words[0], arguments: Array(words.dropFirst()), environment: ["PATH": path, "LANG": "C.UTF-8"],
                stdout: receive, stderr: { chunk in said.withLock { $0 += chunk } },
                ended: { end in
                    ended(SessionEnd(of: end, said: String(decoding: said.withLock { $0 }, as: UTF8.self)))
                })
        } catch {
            throw .notOpened(detail: "\(error)")
        }
    }

    func send(_ bytes: [UInt8], then: @escaping @Sendable () -> Void) { child.write(bytes, then: then) }
    func finishInput() { child.finishInput() }
    func close() { child.abandon() }
}

/// A directory of a test, reached through a shell.
private final class ShellScene {
    let scene = SFTPScene()
    let channel: SFTPChannel
    let lines = Lines()

    /// What was run.
    final class Lines: Sendable {
        let all = Mutex<[ShellSession]>([])
    }

    /// `user` needs root.
    init(
        _ shell: LocalShell, path: String = "/usr/local/bin:/usr/bin:/bin", user: uid_t? = nil, startup: String = ""
    ) {
        channel = SFTPChannel(deadline: .seconds(20), idle: .seconds(300), way: .shell) {
            [lines] client async throws(SFTPError) in
            try await ShellTransport.open(client) { session, receive, ended throws(SFTPError) in
                lines.all.withLock { $0.append(session) }
                return try LocalPipe(shell, session, path: path, user: user, startup: startup, receive, ended)
            }
        }
    }

    deinit { channel.closeIfIdle() }

    var files: RemoteFiles { RemoteFiles(channel: channel) }
}

/// The operations on remote files by way of a shell, in every shell that can be /bin/sh on a host.
@Suite("Files by way of a shell", .timeLimit(.minutes(3)))
struct SFTPShellTests {
    private static let shells = LocalShell.posix

    /// All bytes, line feeds and NULs among them, longer than one answer.
    private static func content(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }

    @Test(arguments: shells)
    func `what is written is read, whole and in parts`(shell: LocalShell) async throws {
        let shellScene = ShellScene(shell)
        let (scene, files) = (shellScene.scene, shellScene.files)
        let bytes = Self.content(1_500_000)
        let written = try await files.write(scene.path("f"), bytes, WriteOptions(policy: .createOnly, mode: 0o640))
        #expect(written.method == .created && written.size == 1_500_000)
        #expect(scene.status("f").st_mode & 0o7777 == 0o640)
        #expect(scene.names() == ["f"])
        let whole = try await files.read(scene.path("f"), .head(2_000_000))
        #expect(whole.bytes == bytes && whole.reachedEnd)
        for (offset, count) in [(0, 1), (16_383, 2), (16_384, 16_384), (1_000_001, 333_333), (1_499_999, 10)] {
            let part = try await files.read(scene.path("f"), .offset(UInt64(offset), count))
            #expect(part.bytes == Array(bytes[offset...].prefix(count)), "\(offset) \(count)")
        }
        for offset in [2_000_000] + SFTPReadTests.farOffsets {
            let past = try await files.read(scene.path("f"), .offset(offset, 5))
            #expect(past.bytes.isEmpty && past.reachedEnd && past.size == 1_500_000 && past.offset == offset)
        }
        scene.make("empty")
        let empty = try await files.read(scene.path("empty"), .head(5))
        #expect(empty.bytes.isEmpty && empty.reachedEnd)
        let written0 = try await files.write(scene.path("e2"), [], WriteOptions(policy: .createOnly))
        #expect(written0.size == 0 && scene.content("e2") == "")
        scene.make("log", (1...5000).map { "line \($0)\n" }.joined())
        let tail = try await files.tailLines(scene.path("log"), count: 2, limit: 1000)
        #expect(String(decoding: tail.bytes, as: UTF8.self) == "line 4999\nline 5000\n")
        let lines = try await files.lines(scene.path("log"), from: 3000, count: 2, limit: 1000)
        #expect(String(decoding: lines.bytes, as: UTF8.self) == "line 3000\nline 3001\n")
        let sum = Mutex<[UInt8]>([])
        let down = try await files.download(scene.path("f"), verifies: true) { chunk in sum.withLock { $0 += chunk } }
        #expect(down.size == 1_500_000 && sum.withLock { $0 } == bytes)
    }

    /// What start-up files of a login shell do before it comes to its line; the last two go on printing.
    private static let startups = [
        "echo Welcome; ", "printf 'no line feed'; ", "printf 'x\\000y\\n'; ", "echo error >&2; ", "set -x; ",
        "exec 2>&1; set -xv; ",
        "i=0; while [ $i -lt 2000 ]; do echo 'a line of the message of today'; i=$((i+1)); done; ",
        "(for i in 1 2 3 4 5 6; do echo later; sleep 0.05; done) & ", "(sleep 0.1; printf again) & ",
    ]

    @Test(arguments: startups)
    func `what start-up files print belongs to no answer`(startup: String) async throws {
        let shellScene = ShellScene(LocalShell.posix[0], startup: startup)
        let (scene, files) = (shellScene.scene, shellScene.files)
        let written = try await files.write(scene.path("f"), Array("content".utf8), WriteOptions(policy: .createOnly))
        #expect(written.method == .created && scene.content("f") == "content")
        let again = try await files.write(scene.path("f"), Array("other".utf8), WriteOptions(policy: .replace))
        #expect(again.method == .replaced && scene.content("f") == "other")
        #expect(try await files.list(scene.path(""), limit: 10).entries.map(\.name) == [Array("f".utf8)])
        #expect(try await files.stat(scene.path("f")).size == 5)
        let refused = await sftpError { () async throws(SFTPError) in
            try await files.write(scene.path("none/f"), [1], WriteOptions(policy: .createOnly))
        }
        guard case .refused(.noSuchFile, _, _, _) = refused else {
            Issue.record("\(String(describing: refused))")
            return
        }
    }

    @Test(arguments: shells)
    func `an existing file is replaced or left alone, as the policy says`(shell: LocalShell) async throws {
        let shellScene = ShellScene(shell)
        let (scene, files) = (shellScene.scene, shellScene.files)
        scene.make("f", "old", mode: 0o604)
        let refused = await sftpError { () async throws(SFTPError) in
            try await files.write(scene.path("f"), Array("new".utf8), WriteOptions(policy: .createOnly))
        }
        #expect(refused == .exists(.regular, path: scene.path("f")))
        #expect(scene.content("f") == "old")
        var options = WriteOptions(policy: .replace, expected: Array("old".utf8))
        options.verifies = true
        let replaced = try await files.write(scene.path("f"), Array("new one".utf8), options)
        #expect(replaced.method == .replaced && replaced.sha256 != nil)
        #expect(scene.content("f") == "new one" && scene.status("f").st_mode & 0o7777 == 0o604)
        let changed = await sftpError { () async throws(SFTPError) in
            try await files.write(
                scene.path("f"), [1], WriteOptions(policy: .replace, expected: Array("old".utf8)))
        }
        #expect(changed == .changed(path: scene.path("f")))
        #expect(scene.names() == ["f"])
        let nested = try await files.write(
            scene.path("a/b c/d"), [65], WriteOptions(policy: .createOnly, createDirectories: true))
        #expect(nested.method == .created && scene.content("a/b c/d") == "A")
        #expect(scene.names() == ["a", "f"])
    }

    @Test(arguments: shells)
    func `of many writers of a new file one wins`(shell: LocalShell) async throws {
        let shellScene = ShellScene(shell)
        let files = shellScene.files
        let path = shellScene.scene.path("f")
        let winners = await withTaskGroup(of: Int.self) { group in
            for index in 0..<8 {
                group.addTask {
                    await sftpError { () async throws(SFTPError) in
                        try await files.write(
                            path, Array("writer \(index)".utf8), WriteOptions(policy: .createOnly))
                    } == nil ? 1 : 0
                }
            }
            return await group.reduce(0, +)
        }
        #expect(winners == 1 && shellScene.scene.names() == ["f"])
    }

    @Test(arguments: shells)
    func `a file is written over in place where nothing can stand beside it`(shell: LocalShell) async throws {
        // root makes files in every directory.
        let user: uid_t? = geteuid() == 0 ? 65_534 : nil
        let shellScene = ShellScene(shell, user: user)
        let (scene, files) = (shellScene.scene, shellScene.files)
        scene.make("f", "12345", owner: user)
        chmod(scene.directory, 0o555)
        defer { chmod(scene.directory, 0o755) }
        for text in ["longer than it was", "short"] {
            let written = try await files.write(
                scene.path("f"), Array(text.utf8), WriteOptions(policy: .replace))
            guard case .inPlace = written.method else {
                Issue.record("\(written.method)")
                continue
            }
            #expect(scene.content("f") == text)
        }
    }

    @Test(arguments: shells)
    func `odd names are listed as they are`(shell: LocalShell) async throws {
        let shellScene = ShellScene(shell)
        let (scene, files) = (shellScene.scene, shellScene.files)
        let names = [
            "*", ".*", ".hidden", "-rf", "a b", "line\nfeed", "quo'te", "d\"q", "$(id)", "`id`", "back\\slash", "~",
            " -> x", "end\n", "ü",
        ]
        for name in names { scene.make(name, name) }
        symlink("nowhere\n", "\(scene.directory)/link")
        mkdir("\(scene.directory)/dir", 0o711)
        mkfifo("\(scene.directory)/fifo", 0o600)
        let page = try await files.list(Array(scene.directory.utf8), limit: 100)
        #expect(page.total == names.count + 3)
        #expect(page.entries.map { String(decoding: $0.name, as: UTF8.self) }.sorted() == scene.names())
        let link = try #require(page.entries.first { $0.name == Array("link".utf8) })
        #expect(link.attributes.type == .symlink && link.target == Array("nowhere\n".utf8))
        let directory = try #require(page.entries.first { $0.name == Array("dir".utf8) })
        #expect(directory.attributes.type == .directory && directory.attributes.permissions == 0o040711)
        #expect(directory.attributes.times?.modification == UInt32(scene.status("dir").st_mtim.tv_sec))
        for name in names {
            let read = try await files.read(scene.path(name), .head(100))
            #expect(read.bytes == Array(name.utf8), "\(name)")
        }
        let empty = try await files.list(scene.path("dir"), limit: 10)
        #expect(empty.total == 0)
        let fifo = await sftpError { () async throws(SFTPError) in try await files.read(scene.path("fifo"), .head(1)) }
        #expect(fifo == .notRegular(.fifo, path: scene.path("fifo")))
        let file = await sftpError { () async throws(SFTPError) in try await files.list(scene.path("~"), limit: 1) }
        #expect(file == .notRegular(.regular, path: scene.path("~")))
    }

    @Test(arguments: shells)
    func `what is not there, and what leads in circles, is told as SFTP tells it`(shell: LocalShell) async throws {
        let shellScene = ShellScene(shell)
        let (scene, files) = (shellScene.scene, shellScene.files)
        symlink("loop", "\(scene.directory)/loop")
        scene.make("f")
        for name in ["missing", "missing/x", "loop", "f/x"] {
            let path = scene.path(name)
            let error = await sftpError { () async throws(SFTPError) in try await files.read(path, .head(1)) }
            guard case .refused(.noSuchFile, _, _, _) = error else {
                Issue.record("\(name): \(String(describing: error))")
                continue
            }
        }
        let long = scene.path(String(repeating: "n", count: 300))
        let error = await sftpError { () async throws(SFTPError) in try await files.read(long, .head(1)) }
        #expect(error != nil)
        // The shell is as it was.
        let alive = try await files.read(scene.path("f"), .head(1))
        #expect(alive.reachedEnd)
        #expect(shellScene.lines.all.withLock { $0.count } == 1)
    }

    @Test(arguments: shells)
    func `a base directory holds what symlinks lead out of it`(shell: LocalShell) async throws {
        let shellScene = ShellScene(shell)
        let scene = shellScene.scene
        mkdir("\(scene.directory)/base", 0o755)
        mkdir("\(scene.directory)/base/sub\n", 0o755)
        scene.make("secret", "secret")
        scene.make("base/sub\n/f", "inside")
        symlink("../secret", "\(scene.directory)/base/out")
        symlink("..", "\(scene.directory)/base/up")
        symlink("sub\n/f", "\(scene.directory)/base/in")
        let files = RemoteFiles(channel: shellScene.channel, base: scene.path("base"))
        for name in ["base/out", "base/up/secret", "base/../secret", "secret"] {
            let error = await sftpError { () async throws(SFTPError) in try await files.read(scene.path(name), .head(9))
            }
            guard case .outside = error else {
                Issue.record("\(name): \(String(describing: error))")
                continue
            }
            let options = WriteOptions(policy: .replace)
            let write = await sftpError { () async throws(SFTPError) in
                try await files.write(scene.path(name), [1], options)
            }
            guard case .outside = write else {
                Issue.record("\(name): \(String(describing: write))")
                continue
            }
        }
        #expect(scene.content("secret") == "secret")
        for name in ["base/in", "base/sub\n/f"] {
            let inside = try await files.read(scene.path(name), .head(9))
            #expect(inside.bytes == Array("inside".utf8))
        }
        let page = try await files.list(scene.path("base"), limit: 10)
        #expect(page.total == 4)
    }

    @Test(arguments: shells)
    func `several thousand entries come in pages`(shell: LocalShell) async throws {
        let shellScene = ShellScene(shell)
        let scene = shellScene.scene
        for index in 0..<2500 { scene.make("n\(index)") }
        var after: [UInt8]?
        var seen: [[UInt8]] = []
        while true {
            let page = try await shellScene.files.list(Array(scene.directory.utf8), after: after, limit: 999)
            #expect(page.total == 2500 && page.entries.allSatisfy { $0.attributes.type == .regular })
            seen += page.entries.map(\.name)
            guard page.hasMore, let last = page.entries.last else { break }
            after = last.name
        }
        #expect(Set(seen).count == 2500 && seen.count == 2500)
    }

    /// A folder with nothing but links to these programs.
    private static func programs(_ names: [String], busybox: [String] = []) throws -> TemporaryDirectory {
        let folder = try TemporaryDirectory()
        for name in names {
            let found = ["/usr/bin/\(name)", "/bin/\(name)"].first { (path: String) in access(path, X_OK) == 0 }
            if let found { symlink(found, folder.file(name)) }
        }
        for name in busybox { symlink("/usr/bin/busybox", folder.file(name)) }
        return folder
    }

    private static let needed = [
        "dd", "cat", "wc", "rm", "mv", "ln", "mkdir", "chmod", "chown", "ls", "df", "readlink", "test", "printf",
    ]

    @Test(arguments: ["busybox", "without stat"])
    func `a host has busybox only, or no stat`(kind: String) async throws {
        let folder =
            try kind == "busybox" ? Self.programs([], busybox: Self.needed + ["stat"]) : Self.programs(Self.needed)
        let shell = try #require(LocalShell.posix.first { kind != "busybox" || $0.description == "busybox sh" })
        let shellScene = ShellScene(shell, path: folder.path)
        let (scene, files) = (shellScene.scene, shellScene.files)
        scene.make("old", "old", mode: 0o4751)
        let replaced = try await files.write(scene.path("old"), Array("new".utf8), WriteOptions(policy: .replace))
        #expect(replaced.method == .replaced && scene.content("old") == "new")
        #expect(scene.status("old").st_mode & 0o7777 == 0o4751)
        let bytes = Self.content(700_000)
        _ = try await files.write(scene.path("f"), bytes, WriteOptions(policy: .createOnly))
        let read = try await files.read(scene.path("f"), .head(1 << 20))
        #expect(read.bytes == bytes)
        let page = try await files.list(Array(scene.directory.utf8), limit: 10)
        #expect(page.entries.map(\.attributes.size) == [700_000, 3])
        #expect(page.entries.map(\.attributes.type) == [.regular, .regular])
    }

    @Test(.enabled(if: isRoot, "only root can mount a file system"))
    func `a full disk is told, and nothing is lost`() async throws {
        let shellScene = ShellScene(LocalShell.posix[0])
        let (scene, files) = (shellScene.scene, shellScene.files)
        mkdir("\(scene.directory)/small", 0o755)
        guard succeeds("/bin/mount", "-t", "tmpfs", "-o", "size=256k", "none", "\(scene.directory)/small") else {
            Issue.record("mount")
            return
        }
        defer { succeeds("/bin/umount", "\(scene.directory)/small") }
        scene.make("small/f", "kept")
        for (name, policy) in [("small/f", WritePolicy.replace), ("small/new", .createOnly)] {
            let error = await sftpError { () async throws(SFTPError) in
                try await files.write(scene.path(name), Self.content(400_000), WriteOptions(policy: policy))
            }
            #expect(error == .noSpace(path: scene.path(name)))
        }
        #expect(scene.names("small") == ["f"] && scene.content("small/f") == "kept")
        // Where it can only be written over, what does not fit is found out before anything is.
        let other = ShellScene(LocalShell.posix[0], user: 65_534)
        chown("\(scene.directory)/small/f", 65_534, 65_534)
        chmod("\(scene.directory)/small", 0o555)
        let error = await sftpError { () async throws(SFTPError) in
            try await other.files.write(scene.path("small/f"), Self.content(400_000), WriteOptions(policy: .replace))
        }
        #expect(error == .noSpace(path: scene.path("small/f")))
        #expect(scene.names("small") == ["f"] && scene.content("small/f") == "kept")
    }

    @Test(arguments: shells)
    func `content goes where its offset says, and a name is never taken from a directory`(shell: LocalShell)
        async throws
    {
        let shellScene = ShellScene(shell)
        let scene = shellScene.scene
        scene.make("f", "12345")
        mkdir("\(scene.directory)/dir", 0o755)
        symlink("dir", "\(scene.directory)/link")
        try await shellScene.channel.use { client async throws(SFTPError) in
            let handle = try await client.send(.open(scene.path("f"), .write, SFTPAttributes())).handle()
            for (offset, text) in [(5, "678"), (8, "9"), (0, "abc")] {
                let data = Array(text.utf8)[...]
                try await client.send(.write(handle.bytes, offset: UInt64(offset), data: data)).done()
            }
            let attributes = try await client.send(.fstat(handle.bytes)).attributes()
            #expect(attributes.size == 9 && scene.content("f") == "abc456789")
            try await client.send(.fsetstat(handle.bytes, SFTPAttributes(size: 4, permissions: 0o600))).done()
            try await handle.close().done()
            #expect(scene.content("f") == "abc4" && scene.status("f").st_mode & 0o7777 == 0o600)
            for name in ["dir", "link"] {
                for request in [
                    SFTPRequest.posixRename(scene.path("f"), to: scene.path(name)),
                    .hardlink(scene.path("f"), to: scene.path(name)),
                ] {
                    let error = await sftpError { () async throws(SFTPError) in try await client.send(request).done() }
                    guard case .refused(.failure, _, _, _) = error else {
                        Issue.record("\(name): \(String(describing: error))")
                        continue
                    }
                }
            }
        }
        #expect(scene.names() == ["dir", "f", "link"] && scene.names("dir") == [])
    }

    @Test func `a source that fails, and a cancelled call, leave nothing behind`() async throws {
        let shellScene = ShellScene(LocalShell.posix[0])
        let (scene, files) = (shellScene.scene, shellScene.files)
        let error = await sftpError { () async throws(SFTPError) in
            try await files.upload(to: scene.path("f"), WriteOptions(policy: .createOnly)) {
                offset, most throws(SFTPError) in
                if offset > 300_000 { throw .local(detail: "gone") }
                return [UInt8](repeating: 1, count: most)[...]
            }
        }
        #expect(error == .local(detail: "gone"))
        #expect(scene.names() == [])
        let began = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            await sftpError { () async throws(SFTPError) in
                try await files.upload(to: scene.path("f"), WriteOptions(policy: .createOnly)) { _, most in
                    began.continuation.yield()
                    return [UInt8](repeating: 1, count: most)[...]
                }
            }
        }
        var events = began.stream.makeAsyncIterator()
        for _ in 0..<40 { await events.next() }
        task.cancel()
        #expect(await task.value == .cancelled)
        #expect(scene.names() == [])
    }

    @Test func `a shell that ends fails what is under way, and the next call starts another`() async throws {
        let shellScene = ShellScene(LocalShell.posix[0])
        let (scene, files) = (shellScene.scene, shellScene.files)
        scene.make("f", "content")
        _ = try await files.read(scene.path("f"), .head(10))
        shellScene.channel.closeIfIdle()
        let again = try await files.read(scene.path("f"), .head(10))
        #expect(again.bytes == Array("content".utf8))
        #expect(shellScene.lines.all.withLock { $0.count } == 2)
    }

    @Test func `where there is no subsystem the shell is taken, and from then on at once`() async throws {
        let tried = Mutex<[FileTransport]>([])
        let scene = SFTPScene()
        scene.make("f", "content")
        let channel = SFTPChannel(
            deadline: .seconds(20), idle: .seconds(300),
            openers: [
                (
                    .sftp,
                    { client throws(SFTPError) in
                        tried.withLock { $0.append(.sftp) }
                        client.transportEnded(SessionEnd(.exited(255), said: "subsystem request failed on channel 0"))
                        return SFTPScriptedServer(client) { _, _ in }
                    }
                ),
                (
                    .shell,
                    { client async throws(SFTPError) in
                        tried.withLock { $0.append(.shell) }
                        return try await ShellTransport.open(client) { session, receive, ended throws(SFTPError) in
                            try LocalPipe(LocalShell.posix[0], session, receive, ended)
                        }
                    }
                ),
            ])
        #expect(try await channel.transport() == .shell)
        let files = RemoteFiles(channel: channel)
        #expect(try await files.read(scene.path("f"), .head(10)).bytes == Array("content".utf8))
        channel.closeIfIdle()
        #expect(try await files.read(scene.path("f"), .head(10)).bytes == Array("content".utf8))
        #expect(tried.withLock { $0 } == [.sftp, .shell, .shell])
    }

    @Test func `output that is no answer ends the connection with a clear error`() async throws {
        /// Says something and never ends it.
        final class Liar: ShellPipe {
            let say: @Sendable (ArraySlice<UInt8>) -> Void
            let ended: @Sendable (SessionEnd) -> Void
            let what: @Sendable ([UInt8]) -> [UInt8]
            /// One answer after the other: the first tells the nonce.
            let order = DispatchQueue(label: "liar")
            init(
                _ what: @escaping @Sendable ([UInt8]) -> [UInt8],
                _ say: @escaping @Sendable (ArraySlice<UInt8>) -> Void,
                _ ended: @escaping @Sendable (SessionEnd) -> Void
            ) {
                (self.what, self.say, self.ended) = (what, say, ended)
            }
            func send(_ bytes: [UInt8], then: @escaping @Sendable () -> Void) {
                let say = say
                let what = what
                order.async { say(what(bytes)[...]) }
                then()
            }
            func finishInput() {}
            func close() { ended(SessionEnd(.exited(255), said: "closed")) }
        }
        /// The nonce of this session, read out of the functions.
        @Sendable func nonce(_ sent: [UInt8]) -> String? {
            let text = String(decoding: sent, as: UTF8.self)
            guard let start = text.range(of: "\nN=") else { return nil }
            return String(text[start.upperBound...].prefix { $0 != "\n" })
        }
        let known = Mutex("")
        let lies: [(String, @Sendable ([UInt8]) -> [UInt8])] = [
            ("without end", { _ in [UInt8](repeating: 0x61, count: 3 << 20) }),
            (
                "out of turn",
                { sent in
                    if let nonce = nonce(sent) { known.withLock { $0 = nonce } }
                    return Array("\n\(known.withLock { $0 }) 7 0\n".utf8)
                }
            ),
            (
                "ends badly",
                { sent in
                    if let nonce = nonce(sent) { known.withLock { $0 = nonce } }
                    return Array("\n\(known.withLock { $0 }) nonsense without an end of the line of an answer".utf8)
                }
            ),
            (
                "out of turn",
                { sent in
                    if let nonce = nonce(sent) {
                        known.withLock { $0 = nonce }
                        return Array("\n\(nonce) 0 0\n".utf8)
                    }
                    // A part of what has no parts is no answer.
                    return Array("x zzzz\n\(known.withLock { $0 }) 1 +\n".utf8)
                }
            ),
        ]
        for (word, lie) in lies {
            let channel = SFTPChannel(deadline: .seconds(20), idle: .seconds(300), way: .shell) {
                client async throws(SFTPError) in
                try await ShellTransport.open(client) { _, receive, ended throws(SFTPError) in
                    Liar(lie, receive, ended)
                }
            }
            let error = await sftpError { () async throws(SFTPError) in
                try await RemoteFiles(channel: channel).read([0x2F, 0x66], .head(10))
            }
            #expect(String(describing: error).contains(word), "\(String(describing: error))")
        }
    }
}

extension String {
    /// The first place of a text.
    fileprivate func range(of text: String) -> Range<String.Index>? { ranges(of: text).first }
}
