import Glibc
import Synchronization
import TestSupport
import Testing

@testable import SFTP

@Suite(
    "SFTP: reading from sftp-server",
    .enabled(if: access(SFTPRealServer.path, X_OK) == 0, "OpenSSH's sftp-server is not installed"))
struct SFTPReadTests {
    @Test func `a small file takes two round trips, and its handle is closed`() async throws {
        let scene = SFTPScene()
        scene.make("small", String(repeating: "x", count: 600))
        _ = try await scene.files.stat(scene.path("small"))
        for _ in 0..<3 {
            scene.counts.sent.withLock { $0 = [] }
            let result = try await scene.files.read(scene.path("small"), .head(1 << 20))
            #expect(result.bytes.count == 600 && result.reachedEnd && result.size == 600)
            // STAT; OPEN, FSTAT, READ, READ behind the end, together; CLOSE.
            #expect(scene.counts.sent.withLock { $0 } == [17, 3, 8, 5, 5, 4])
        }
    }

    @Test func `ranges`() async throws {
        let scene = SFTPScene()
        let text = (0..<200_000).map { "\($0)\n" }.joined()
        scene.make("f", text)
        let bytes = Array(text.utf8)
        let (files, path) = (scene.files, scene.path("f"))
        #expect(try await files.read(path, .head(2 << 20)).bytes == bytes)
        #expect(try await files.read(path, .head(10)).bytes == Array(bytes.prefix(10)))
        #expect(try await files.read(path, .head(0)).bytes == [])
        #expect(try await files.read(path, .offset(70_001, 600_000)).bytes == Array(bytes[70_001..<670_001]))
        #expect(try await files.read(path, .offset(UInt64(bytes.count), 5)).bytes == [])
        #expect(try await files.read(path, .offset(1 << 40, 5)).bytes == [])
        let rest = try await files.read(path, .offset(UInt64(bytes.count - 9), 9))
        #expect(rest.bytes == Array(bytes.suffix(9)) && rest.offset == UInt64(bytes.count - 9) && rest.reachedEnd)
        #expect(!(try await files.read(path, .head(10)).reachedEnd))
    }

    /// No file system has files of all these sizes.
    static let farOffsets: [UInt64] = [1 << 31, 1 << 44, 1 << 53, 1 << 62, (1 << 63) - 1]

    @Test(arguments: farOffsets)
    func `behind the end of a file is nothing, however far`(offset: UInt64) async throws {
        let scene = SFTPScene()
        for (name, content) in [("f", "content\n"), ("empty", "")] {
            scene.make(name, content)
            for most in [1, 1 << 20] {
                let result = try await scene.files.read(scene.path(name), .offset(offset, most))
                #expect(result.bytes.isEmpty && result.reachedEnd && result.offset == offset)
                #expect(result.size == UInt64(content.utf8.count))
            }
        }
    }

    @Test func `files of proc say 0 and have content`() async throws {
        let scene = SFTPScene()
        let proc = Array("/proc/self/status".utf8)
        let result = try await scene.files.read(proc, .head(1 << 20))
        #expect(String(decoding: result.bytes, as: UTF8.self).hasPrefix("Name:\tsftp-server\n"))
        #expect(result.attributes.size == 0 && result.size == UInt64(result.bytes.count) && result.reachedEnd)
        #expect(try await scene.files.download(proc, to: { _ in }).size > 100)
        #expect(try await scene.files.tailLines(proc, count: 1, limit: 100_000).count == 1)
    }

    @Test func `what is no regular file is not opened`() async throws {
        let scene = SFTPScene()
        mkfifo("\(scene.directory)/fifo", 0o644)
        symlink("fifo", "\(scene.directory)/link")
        symlink("loop", "\(scene.directory)/loop")
        symlink("/nowhere/at/all", "\(scene.directory)/dangling")
        let files = scene.files
        for (path, type) in [("fifo", FileType.fifo), ("link", .fifo), (".", .directory)] {
            let error = await sftpError { () async throws(SFTPError) in try await files.read(scene.path(path), .head(1))
            }
            #expect(error == .notRegular(type, path: scene.path(path)))
        }
        let device = await sftpError { () async throws(SFTPError) in
            try await files.read(Array("/dev/null".utf8), .head(1))
        }
        #expect(device == .notRegular(.characterDevice, path: Array("/dev/null".utf8)))
        for name in ["loop", "dangling", "missing", "fifo/below", ""] {
            let error = await sftpError { () async throws(SFTPError) in
                try await files.read(scene.path("x/" + name), .head(1))
            }
            guard case .refused(.noSuchFile, call: "STAT", _, _) = error else {
                Issue.record("\(name): \(String(describing: error))")
                continue
            }
        }
        let long = await sftpError { () async throws(SFTPError) in
            try await files.read(scene.path(String(repeating: "n", count: 5000)), .head(1))
        }
        guard case .refused(.badMessage, _, _, _) = long else {
            Issue.record("\(String(describing: long))")
            return
        }
        #expect(!scene.counts.sent.withLock { $0.contains(3) })
    }

    @Test func `the last lines of five gigabytes cost kilobytes`() async throws {
        let scene = SFTPScene()
        let path = "\(scene.directory)/log"
        let lines = (0..<1000).map { "line \($0) " + String(repeating: "y", count: 90) + "\n" }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        let text = "\n" + lines.joined()
        pwrite(descriptor, text, text.utf8.count, off_t(5_000_000_000))
        close(descriptor)
        _ = try await scene.files.stat(scene.path("log"))
        scene.counts.received.store(0, ordering: .relaxed)
        let result = try await scene.files.tailLines(scene.path("log"), count: 100, limit: 1 << 20)
        #expect(String(decoding: result.bytes, as: UTF8.self) == lines.suffix(100).joined())
        #expect(result.count == 100 && !result.isCut && result.reachedEnd)
        #expect(result.offset + UInt64(result.bytes.count) == result.size)
        #expect(scene.counts.received.load(ordering: .relaxed) < 40_000)
        let more = try await scene.files.tailLines(scene.path("log"), count: 999, limit: 1 << 20)
        #expect(String(decoding: more.bytes, as: UTF8.self) == lines.suffix(999).joined())
        // One line of zeros, 5 GB long, is before them: it is cut.
        let cut = try await scene.files.tailLines(scene.path("log"), count: 2000, limit: 200_000)
        #expect(cut.isCut && cut.bytes.count == 200_000)
        #expect(scene.counts.received.load(ordering: .relaxed) < 1_500_000)
    }

    @Test func `lines from the end and from the start`() async throws {
        let scene = SFTPScene()
        for (text, ends) in [("", 0), ("\n", 1), ("a", 1), ("a\n", 1), ("a\nb", 2), ("a\n\nb\n", 3), ("\n\n\n", 3)] {
            scene.make("f", text)
            let all = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            let lines = all.enumerated().compactMap { index, line in
                index == all.count - 1 ? (line.isEmpty ? nil : line) : line + "\n"
            }
            #expect(lines.count == ends)
            for count in 0...4 {
                let tail = try await scene.files.tailLines(scene.path("f"), count: count, limit: 1000)
                #expect(
                    String(decoding: tail.bytes, as: UTF8.self) == lines.suffix(count).joined(),
                    "\(text.debugDescription) \(count)")
                #expect(tail.count == min(count, lines.count) && !tail.isCut)
                for start in 1...4 {
                    let some = try await scene.files.lines(scene.path("f"), from: start, count: count, limit: 1000)
                    let expected = lines.dropFirst(start - 1).prefix(count)
                    #expect(
                        String(decoding: some.bytes, as: UTF8.self) == expected.joined(),
                        "\(text.debugDescription) \(start) \(count)")
                    #expect(some.count == expected.count && !some.isCut)
                    #expect(some.offset == UInt64(lines.prefix(start - 1).joined().utf8.count))
                }
            }
        }
    }

    @Test func `a line that is too long is cut, and what is behind is not read`() async throws {
        let scene = SFTPScene()
        let line = String(repeating: "z", count: 99) + "\n"
        scene.make("f", String(repeating: line, count: 10_000))
        succeeds("/usr/bin/truncate", "-s", "2G", "\(scene.directory)/f")
        _ = try await scene.files.stat(scene.path("f"))
        scene.counts.received.store(0, ordering: .relaxed)
        let result = try await scene.files.lines(scene.path("f"), from: 5000, count: 10, limit: 1 << 20)
        #expect(result.bytes == Array(String(repeating: line, count: 10).utf8) && result.offset == 499_900)
        #expect(!result.reachedEnd)
        let cut = try await scene.files.lines(scene.path("f"), from: 3, count: 10, limit: 250)
        #expect(cut.isCut && cut.bytes.count == 250 && cut.count == 3)
    }

    @Test func `a download is whole, in order and can be cancelled`() async throws {
        let scene = SFTPScene()
        succeeds("/bin/sh", "-c", "seq 1 2000000 > \(scene.directory)/f")
        let sum = StreamSum()
        let result = try await scene.files.download(scene.path("f"), to: { sum.add($0) })
        #expect(result.size == 14_888_896 && sum.size == 14_888_896 && sum.isSequence)
        let call = Task { () -> SFTPError? in
            await sftpError { () async throws(SFTPError) in
                try await scene.files.download(scene.path("f")) { _ in withUnsafeCurrentTask { $0?.cancel() } }
            }
        }
        #expect(await call.value == .cancelled)
        // Growing all the time: told, and not followed for ever.
        let times = Mutex<UInt64>(0)
        let growing = try await scene.files.download(scene.path("f")) { _ in
            times.withLock { $0 += 1 }
            succeeds("/usr/bin/truncate", "-s", "+1", "\(scene.directory)/f")
        }
        #expect(growing.size == 14_888_896 && growing.grewTo == 14_888_896 + times.withLock { $0 })
        let shrinking = await sftpError { () async throws(SFTPError) in
            try await scene.files.download(scene.path("f")) { _ in
                succeeds("/usr/bin/truncate", "-s", "1000", "\(scene.directory)/f")
            }
        }
        #expect(shrinking == .changed(path: scene.path("f")))
    }
}

/// Checks `seq` as it comes.
private final class StreamSum: @unchecked Sendable {
    // One sink call after the other.
    private(set) var size = 0
    private(set) var isSequence = true
    private var line: [UInt8] = []
    private var number = 0

    func add(_ bytes: ArraySlice<UInt8>) {
        size += bytes.count
        guard isSequence else { return }
        let pieces = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
        for (index, piece) in pieces.enumerated() {
            line += piece
            guard index < pieces.count - 1 else { continue }
            number += 1
            isSequence = isSequence && line.elementsEqual(String(number).utf8)
            line = []
        }
    }
}
