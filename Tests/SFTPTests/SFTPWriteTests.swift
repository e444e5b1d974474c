import Glibc
import Synchronization
import TestSupport
import Testing

@testable import SFTP
@testable import SSH

@Suite(
    "SFTP: writing to sftp-server",
    .enabled(if: access(SFTPRealServer.path, X_OK) == 0, "OpenSSH's sftp-server is not installed"))
struct SFTPWriteTests {
    private static let isRoot = geteuid() == 0
    private static let nobody: uid_t = 65_534

    @Test func `a new file, and one that exists`() async throws {
        let scene = SFTPScene()
        let files = scene.files
        let made = try await files.write(scene.path("f"), Array("one".utf8), .init(policy: .createOnly, mode: 0o600))
        #expect(made == WriteResult(method: .created, path: scene.path("f"), size: 3))
        #expect(scene.content("f") == "one" && scene.status("f").st_mode & 0o7777 == 0o600)
        let again = await sftpError { () async throws(SFTPError) in
            try await files.write(scene.path("f"), [1], .init(policy: .createOnly))
        }
        #expect(again == .exists(.regular, path: scene.path("f")) && scene.content("f") == "one")
        let inode = scene.status("f").st_ino
        let replaced = try await files.write(scene.path("f"), Array("second".utf8), .init(policy: .replace))
        #expect(replaced.method == .replaced && scene.content("f") == "second")
        #expect(scene.status("f").st_ino != inode && scene.status("f").st_mode & 0o7777 == 0o600)
        _ = try await files.write(scene.path("f"), [], .init(policy: .replace, mode: 0o4711))
        // No write sets more than permission bits.
        #expect(scene.content("f") == "" && scene.status("f").st_mode & 0o7777 == 0o711)
        #expect(scene.names() == ["f"])
    }

    @Test func `a replaced file keeps its mode, and a symlink stays one`() async throws {
        let scene = SFTPScene()
        scene.make("real", "old", mode: 0o751)
        symlink("real", "\(scene.directory)/link")
        symlink("new", "\(scene.directory)/dangling")
        let result = try await scene.files.write(scene.path("link"), Array("new".utf8), .init(policy: .replace))
        #expect(result.method == .replaced && result.path == scene.path("real"))
        #expect(scene.content("real") == "new" && scene.status("real").st_mode & 0o7777 == 0o751)
        #expect(scene.status("link").st_mode & S_IFMT == S_IFLNK)
        let made = try await scene.files.write(scene.path("dangling"), Array("x".utf8), .init(policy: .replace))
        #expect(made.method == .created && scene.content("new") == "x")
        let only = await sftpError { () async throws(SFTPError) in
            try await scene.files.write(scene.path("link"), [1], .init(policy: .createOnly))
        }
        #expect(only == .exists(.symlink, path: scene.path("link")))
    }

    @Test func `large content, directories to make, long names`() async throws {
        let scene = SFTPScene()
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 / 11) }
        let options = WriteOptions(policy: .replace, createDirectories: true)
        _ = try await scene.files.write(scene.path("a/b c/d\n/f"), bytes, options)
        let progress = Mutex<[UInt64]>([])
        var watched = options
        watched.progress = { done in progress.withLock { $0.append(done) } }
        #expect(try await scene.files.write(scene.path("a/b c/d\n/f"), bytes, watched).method == .replaced)
        #expect(progress.withLock { $0.last == 3_000_000 && $0 == $0.sorted() && $0.count > 5 })
        #expect(try await scene.files.read(scene.path("a/b c/d\n/f"), .head(4_000_000)).bytes == bytes)
        for length in [200, 240, 255] {
            let name = String(repeating: "n", count: length)
            for method in [WriteMethod.created, .replaced] {
                #expect(try await scene.files.write(scene.path(name), [1], options).method == method)
            }
        }
        let missing = await sftpError { () async throws(SFTPError) in
            try await scene.files.write(scene.path("no/f"), [1], .init(policy: .replace))
        }
        guard case .refused(.noSuchFile, _, _, _) = missing else {
            Issue.record("\(String(describing: missing))")
            return
        }
        let blocked = await sftpError { () async throws(SFTPError) in
            try await scene.files.write(scene.path("a/b c/d\n/f/x/y"), [1], options)
        }
        #expect(blocked == .notRegular(.regular, path: scene.path("a/b c/d\n/f")))
    }

    @Test func `what is no file is not written to`() async throws {
        let scene = SFTPScene()
        mkdir("\(scene.directory)/d", 0o755)
        mkfifo("\(scene.directory)/fifo", 0o644)
        symlink("loop", "\(scene.directory)/loop")
        for (name, type) in [("d", FileType.directory), ("fifo", .fifo), ("d/.", .directory), ("d/..", .directory)] {
            let error = await sftpError { () async throws(SFTPError) in
                try await scene.files.write(scene.path(name), [1], .init(policy: .replace))
            }
            #expect(error == .notRegular(type, path: scene.path(name)))
        }
        let loop = await sftpError { () async throws(SFTPError) in
            try await scene.files.write(scene.path("loop"), [1], .init(policy: .replace))
        }
        guard case .refused(.noSuchFile, _, _, _) = loop else {
            Issue.record("\(String(describing: loop))")
            return
        }
        #expect(scene.names() == ["d", "fifo", "loop"])
    }

    @Test func `of many writers of a new file one wins`() async throws {
        let scene = SFTPScene()
        for round in 0..<20 {
            let path = scene.path("f\(round)")
            let wins = await withTaskGroup(of: Int.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        let error = await sftpError { () async throws(SFTPError) in
                            try await scene.files.write(
                                path, Array("writer \(writer)".utf8), .init(policy: .createOnly))
                        }
                        #expect(error == nil || error == .exists(.regular, path: path))
                        return error == nil ? 1 : 0
                    }
                }
                return await group.reduce(0, +)
            }
            #expect(wins == 1 && scene.content("f\(round)").utf8.count == 8)
        }
    }

    @Test func `a file that changed since it was read is left alone`() async throws {
        let scene = SFTPScene()
        scene.make("f", "now")
        var options = WriteOptions(policy: .replace, expected: Array("then".utf8))
        let error = await sftpError { () async throws(SFTPError) in
            try await scene.files.write(scene.path("f"), [1], options)
        }
        #expect(error == .changed(path: scene.path("f")) && scene.content("f") == "now" && scene.names() == ["f"])
        // That something was appended is a change as well.
        options.expected = Array("no".utf8)
        let longer = await sftpError { () async throws(SFTPError) in
            try await scene.files.write(scene.path("f"), [1], options)
        }
        #expect(longer == .changed(path: scene.path("f")) && scene.content("f") == "now")
        options.expected = Array("now".utf8)
        #expect(try await scene.files.write(scene.path("f"), [0x78], options).method == .replaced)
        #expect(scene.content("f") == "x")
    }

    @Test(arguments: ["", "posix-rename"])
    func `of many who changed what they read one wins, and the others are told`(hiding: String) async throws {
        let scene = SFTPScene(hiding: hiding.isEmpty ? nil : hiding)
        for round in 0..<5 {
            scene.make("f\(round)", "old")
            let path = scene.path("f\(round)")
            let options = WriteOptions(policy: .replace, expected: Array("old".utf8))
            let winners = await withTaskGroup(of: Int?.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        let error = await sftpError { () async throws(SFTPError) in
                            try await scene.files.write(path, Array("writer \(writer)".utf8), options)
                        }
                        #expect(error == nil || error == .changed(path: path))
                        return error == nil ? writer : nil
                    }
                }
                return await group.reduce(into: []) { $0 += $1.map { [$0] } ?? [] }
            }
            #expect(winners.count == 1 && scene.content("f\(round)") == "writer \(winners.first ?? -1)")
        }
    }

    private final class Order: Sendable {
        let numbers = Mutex<[Int]>([])
    }

    @Test func `turns are taken in order, and who gave up is passed over`() async throws {
        let turns = Turns()
        let order = Order()
        let first = try await turns.wait(for: [1])
        _ = try await turns.wait(for: [2])
        var tasks: [Task<Void, Never>] = []
        for number in 0..<4 {
            tasks.append(
                Task {
                    let turn = try? await turns.wait(for: [1])
                    if turn != nil { order.numbers.withLock { $0.append(number) } }
                    withExtendedLifetime(turn) {}
                })
            while turns.waiting(for: [1]) <= number { await Task.yield() }
        }
        tasks[1].cancel()
        await tasks[1].value
        #expect(order.numbers.withLock { $0 } == [])
        withExtendedLifetime(consume first) {}
        for task in tasks { await task.value }
        #expect(order.numbers.withLock { $0 } == [0, 2, 3] && turns.waiting(for: [1]) == 0)
        _ = try await turns.wait(for: [1])
    }

    @Test func `a source that fails, or a cancelled call, leaves nothing behind`() async throws {
        let scene = SFTPScene()
        scene.make("old", "old")
        for name in ["new", "old"] {
            let failing = await sftpError { () async throws(SFTPError) in
                try await scene.files.upload(to: scene.path(name), .init(policy: .replace)) {
                    offset, most async throws(SFTPError) in
                    if offset > 1_000_000 { throw .local(detail: "gone") }
                    return ArraySlice(repeating: 7, count: most)
                }
            }
            #expect(failing == .local(detail: "gone"))
            let cancelled = Task {
                await sftpError { () async throws(SFTPError) in
                    try await scene.files.upload(to: scene.path(name), .init(policy: .replace)) {
                        offset, most async throws(SFTPError) in
                        if offset > 8_000_000 { withUnsafeCurrentTask { $0?.cancel() } }
                        return ArraySlice(repeating: 7, count: most)
                    }
                }
            }
            #expect(await cancelled.value == .cancelled)
            // The server dies: what it has is removed over a new connection.
            let lost = await sftpError { () async throws(SFTPError) in
                try await scene.files.upload(to: scene.path(name), .init(policy: .replace)) {
                    offset, most async throws(SFTPError) in
                    if offset > 8_000_000 { scene.counts.servers.withLock { $0.last }?.close() }
                    return ArraySlice(repeating: 7, count: most)
                }
            }
            guard case .lost = lost else {
                Issue.record("\(String(describing: lost))")
                continue
            }
            #expect(scene.names() == ["old"] && scene.content("old") == "old")
        }
    }

    @Test func `without extensions a file is written in place`() async throws {
        let scene = SFTPScene(hiding: "posix-rename,fsync,limits")
        scene.make("f", "a longer text than the new one", mode: 0o640)
        let inode = scene.status("f").st_ino
        for text in ["short", "now a text that is longer than the one before it, by far"] {
            let result = try await scene.files.write(scene.path("f"), Array(text.utf8), .init(policy: .replace))
            #expect(result.size == text.utf8.count && scene.content("f") == text)
            guard case .inPlace = result.method else {
                Issue.record("\(result.method)")
                continue
            }
        }
        #expect(
            scene.status("f").st_ino == inode && scene.status("f").st_mode & 0o7777 == 0o640 && scene.names() == ["f"])
    }

    @Test func `what is being overwritten in place is overwritten whole, also when the call is cancelled`() async throws
    {
        let scene = SFTPScene(hiding: "posix-rename")
        for size in [3 << 20, 5 << 20] {
            scene.make("f", String(repeating: "o", count: 4 << 20))
            let began = Slot<Void>()
            let cancelled = Slot<Void>()
            let task = Task {
                await sftpError { () async throws(SFTPError) in
                    try await scene.files.upload(to: scene.path("f"), .init(policy: .replace)) {
                        offset, most async throws(SFTPError) in
                        // What lies behind the old end is sent first.
                        if offset > 1 << 20, offset < 4 << 20, began.fill(.success(())) == nil {
                            try await cancelled.value()
                        }
                        return ArraySlice(repeating: 7, count: min(most, max(0, size - Int(offset))))
                    }
                }
            }
            try await began.value()
            task.cancel()
            _ = cancelled.fill(.success(()))
            _ = await task.value
            let result = try await scene.files.read(scene.path("f"), .head(8 << 20))
            #expect(result.bytes.count == size && result.bytes.allSatisfy { $0 == 7 }, "\(result.bytes.count)")
        }
    }

    @Test(.enabled(if: isRoot, "only root can keep others out of a directory and write there"))
    func `where no other file can take its place it is written in place, and that is said`()
        async throws
    {
        let scene = SFTPScene(user: Self.nobody)
        // A directory that may not be written to, with a file that may.
        succeeds("/bin/mkdir", "-m", "755", "\(scene.directory)/locked")
        scene.make("locked/f", "old", mode: 0o666)
        let locked = try await scene.files.write(scene.path("locked/f"), Array("new".utf8), .init(policy: .replace))
        #expect(
            locked.method == .inPlace(reason: "no file can be made beside it") && scene.content("locked/f") == "new")
        // The file of another user in a directory of one's own.
        scene.make("theirs", "old", mode: 0o666)
        let theirs = try await scene.files.write(scene.path("theirs"), Array("new".utf8), .init(policy: .replace))
        #expect(theirs.method == .inPlace(reason: "a new file in its place would not belong to its owner and group"))
        #expect(scene.content("theirs") == "new" && scene.status("theirs").st_uid == 0)
        // Neither.
        scene.make("locked/none", "old", mode: 0o644)
        for name in ["locked/none", "locked/new"] {
            let error = await sftpError { () async throws(SFTPError) in
                try await scene.files.write(scene.path(name), [1], .init(policy: .replace))
            }
            guard case .refused(.permissionDenied, _, _, _) = error else {
                Issue.record("\(name): \(String(describing: error))")
                continue
            }
        }
        #expect(scene.content("locked/none") == "old" && scene.names() == ["locked", "theirs"])
        #expect(scene.names("locked") == ["f", "none"])
    }

    @Test(.enabled(if: isRoot, "only root can give files away"))
    func `root keeps the owner of what it replaces`() async throws {
        let scene = SFTPScene()
        scene.make("f", "old", mode: 0o6755, owner: Self.nobody)
        chmod("\(scene.directory)/f", 0o6755)
        #expect(try await scene.files.write(scene.path("f"), [1], .init(policy: .replace)).method == .replaced)
        #expect(scene.status("f").st_uid == Self.nobody && scene.status("f").st_mode & 0o7777 == 0o6755)
    }

    @Test(.enabled(if: isRoot, "only root can mount a file system"))
    func `a full disk loses nothing`() async throws {
        let scene = SFTPScene()
        mkdir("\(scene.directory)/small", 0o755)
        guard succeeds("/bin/mount", "-t", "tmpfs", "-o", "size=64k", "none", "\(scene.directory)/small") else {
            return
        }
        defer { succeeds("/bin/umount", "-l", "\(scene.directory)/small") }
        scene.make("small/old", String(repeating: "o", count: 20_000))
        let big = [UInt8](repeating: 1, count: 200_000)
        for name in ["small/new", "small/old"] {
            let error = await sftpError { () async throws(SFTPError) in
                try await scene.files.write(scene.path(name), big, .init(policy: .replace))
            }
            #expect(error == .noSpace(path: scene.path(name)))
            #expect(
                scene.names("small") == ["old"] && scene.content("small/old") == String(repeating: "o", count: 20_000))
        }
        // Also where it is written in place.
        let plain = SFTPScene(hiding: "posix-rename")
        let error = await sftpError { () async throws(SFTPError) in
            try await plain.files.write(scene.path("small/old"), big, .init(policy: .replace))
        }
        #expect(error == .noSpace(path: scene.path("small/old")))
        #expect(scene.content("small/old") == String(repeating: "o", count: 20_000))
    }

    @Test func `missing directories are made, and those that exist are none`() async throws {
        let scene = SFTPScene()
        symlink("x", "\(scene.directory)/link")
        for path in ["x/y/z/f", "x/y/z/g", "link/y/w/f"] {
            _ = try await scene.files.write(
                scene.path(path), [65], WriteOptions(policy: .createOnly, createDirectories: true))
        }
        #expect(scene.content("x/y/z/f") == "A" && scene.content("x/y/z/g") == "A" && scene.content("x/y/w/f") == "A")
        #expect(scene.names() == ["link", "x"])
    }
}
