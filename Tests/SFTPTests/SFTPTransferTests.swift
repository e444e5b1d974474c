import Glibc
import IPC
import Synchronization
import TestSupport
import Testing

@testable import SFTP
@testable import SSH

/// A file under its name is whole, and what is said to have arrived has.
@Suite(
    "SFTP: transfers with sftp-server",
    .enabled(if: access(SFTPRealServer.path, X_OK) == 0, "OpenSSH's sftp-server is not installed"))
struct SFTPTransferTests {
    /// An sftp-server whose file system knows no hard links.
    private final class WithoutLinks: SFTPPacketTransport {
        private let client: SFTPClient
        private let server: SFTPRealServer

        init(_ client: SFTPClient, _ scene: SFTPScene) throws(SFTPError) {
            self.client = client
            server = try SFTPRealServer(
                client, command: [SFTPRealServer.path], directory: scene.directory, counts: scene.counts)
        }

        func send(_ bytes: [UInt8]) {
            var reader = WireReader(bytes[4...])
            guard (try? reader.byte()) == 200, let id = try? reader.number32(),
                (try? reader.string())?.elementsEqual("hardlink@openssh.com".utf8) == true
            else { return server.send(bytes) }
            client.receive(SFTPScriptedServer.status(id, 4, "Failure")[...])
        }

        func close() { server.close() }

        static func files(_ scene: SFTPScene) -> RemoteFiles {
            RemoteFiles(
                channel: SFTPChannel(deadline: .seconds(20), idle: .seconds(300)) { client throws(SFTPError) in
                    try WithoutLinks(client, scene)
                })
        }
    }

    /// An sftp-server that cannot close a file.
    private final class WithoutClose: SFTPPacketTransport {
        private let client: SFTPClient
        private let server: SFTPRealServer

        init(_ client: SFTPClient, _ scene: SFTPScene) throws(SFTPError) {
            self.client = client
            server = try SFTPRealServer(
                client, command: [SFTPRealServer.path], directory: scene.directory, counts: scene.counts)
        }

        func send(_ bytes: [UInt8]) {
            var reader = WireReader(bytes[4...])
            guard (try? reader.byte()) == 4, let id = try? reader.number32() else { return server.send(bytes) }
            client.receive(SFTPScriptedServer.status(id, 4, "Input/output error")[...])
        }

        func close() { server.close() }
    }

    @Test func `a new file that could not be closed does not stay under its name`() async throws {
        let scene = SFTPScene()
        let files = RemoteFiles(
            channel: SFTPChannel(deadline: .seconds(20), idle: .seconds(300)) { client throws(SFTPError) in
                try WithoutClose(client, scene)
            })
        let error = await sftpError { () async throws(SFTPError) in
            try await files.write(scene.path("f"), Self.content(10), WriteOptions(policy: .createOnly))
        }
        #expect(error != nil && scene.names() == [], "\(scene.names())")
    }

    private static func content(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 11) }
    }

    @Test func `the digest is that of FIPS 180-4`() {
        var digest = SHA256()
        digest.update(Array("xxab".utf8)[2...])
        digest.update([])
        digest.update(Array("c".utf8)[...])
        #expect(digest.finish() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        var empty = SHA256()
        #expect(empty.finish() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test(arguments: ["", "hardlink", "posix-rename", "fsync,limits,statvfs"])
    func `what was sent and what came are verified, and their progress tells of both readings`(
        hidden: String
    ) async throws {
        let scene = SFTPScene(hiding: hidden.isEmpty ? nil : hidden)
        let bytes = Self.content(3_000_001)
        var whole = SHA256()
        whole.update(bytes[...])
        let sha256 = whole.finish()
        for round in 0..<2 {
            let reports = Mutex<[UInt64]>([])
            var options = WriteOptions(policy: .replace)
            options.verifies = true
            options.progress = { done in reports.withLock { $0.append(done) } }
            let sent = try await scene.files.write(scene.path("f"), bytes, options)
            #expect(sent.sha256 == sha256 && sent.size == 3_000_001 && scene.names() == ["f"])
            if round == 0 { #expect(sent.method == .created) }
            #expect(reports.withLock { $0.last == 6_000_002 && $0 == $0.sorted() })
        }
        #expect(try await scene.files.write(scene.path("g"), bytes, .init(policy: .replace)).sha256 == nil)
        let came = Mutex<[UInt8]>([])
        let reports = Mutex<[(UInt64, UInt64?)]>([])
        let got = try await scene.files.download(
            scene.path("f"), verifies: true, to: { data in came.withLock { $0 += data } },
            progress: { done, total in reports.withLock { $0.append((done, total)) } })
        #expect(got.sha256 == sha256 && came.withLock { $0 == bytes })
        #expect(reports.withLock { $0.last?.0 == 6_000_002 && $0.allSatisfy { $0.1 == 6_000_002 } })
    }

    /// - Parameter isGone: whether the next server sees that the temporary file is gone; else it cannot remove it.
    @Test(arguments: [true, false])
    func `a new file has no name before it is whole, and a server that dies leaves none`(isGone: Bool) async throws {
        let scene = SFTPScene()
        let error = await sftpError { () async throws(SFTPError) in
            try await scene.files.upload(to: scene.path("new"), .init(policy: .createOnly)) {
                [scene] offset, most async throws(SFTPError) in
                #expect(!scene.names().contains("new"))
                if offset > 6_000_000 {
                    // For good: the next one finds another directory.
                    let parts = scene.names()
                    rename(scene.directory, "\(scene.directory).gone")
                    scene.counts.servers.withLock { $0.last }?.close()
                    mkdir(scene.directory, 0o700)
                    if !isGone { for name in parts { mkdir("\(scene.directory)/\(name)", 0o700) } }
                }
                return ArraySlice(repeating: 7, count: most)
            }
        }
        if isGone {
            guard case .lost = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        } else {
            guard case .leaves(let path, .lost) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(RemotePath.split(path).map { RemotePath.isTemporary($0.name) } == true, "the error names it")
        }
        #expect(scene.names().isEmpty == isGone)
        let left = scene.names("../\(scene.directory.split(separator: "/").last ?? "").gone")
        #expect(left.count == 1 && left.first?.hasPrefix(".new.") == true && left.first?.hasSuffix(".tmp") == true)
        succeeds("/bin/rm", "-rf", "\(scene.directory).gone")
    }

    @Test(arguments: ["", "hardlink"], [true, false])
    func `a size that is not what was sent is an error, and so is another digest; the target stays as it was`(
        hidden: String, exists: Bool
    ) async throws {
        let scene = SFTPScene(hiding: hidden.isEmpty ? nil : hidden)
        let target = "target"
        if exists { scene.make(target, "precious") }
        let total = 12 << 20
        // Beyond its end, and in its first byte, which the host has by then: at most 4 MiB are under way.
        for (spot, verifies) in [(off_t(1) << 30, false), (0, true)] {
            var options = WriteOptions(policy: .replace)
            options.verifies = verifies
            let spoilt = Mutex(false)
            let error = await sftpError { () async throws(SFTPError) in
                try await scene.files.upload(to: scene.path(target), options) {
                    [scene] offset, most async throws(SFTPError) in
                    if offset > 8 << 20, !spoilt.withLock({ $0 }) {
                        spoilt.withLock { $0 = true }
                        for name in scene.names() where name.hasSuffix(".tmp") || (!exists && name == target) {
                            let file = open("\(scene.directory)/\(name)", O_WRONLY | O_CLOEXEC)
                            pwrite(file, "!", 1, spot)
                            close(file)
                        }
                    }
                    return ArraySlice(repeating: 7, count: min(most, total - Int(offset)))
                }
            }
            #expect(error == .differs(path: scene.path(target)))
            #expect(scene.names() == (exists ? [target] : []))
            #expect(!exists || scene.content(target) == "precious")
        }
    }

    @Test func `a file that reads differently the second time is no download`() async throws {
        let scene = SFTPScene()
        let total = 6 << 20
        _ = try await scene.files.write(scene.path("f"), [UInt8](repeating: 7, count: total), .init(policy: .replace))
        let before = scene.status("f")
        let count = Mutex(0)
        let error = await sftpError { () async throws(SFTPError) in
            try await scene.files.download(scene.path("f"), verifies: true) { [scene] data async throws(SFTPError) in
                guard
                    count.withLock({ count in
                        count += data.count
                        return count == total
                    })
                else { return }
                let file = open("\(scene.directory)/f", O_WRONLY | O_CLOEXEC)
                pwrite(file, "!", 1, 0)
                // As if nobody had been there.
                var times = [before.st_atim, before.st_mtim]
                futimens(file, &times)
                close(file)
            }
        }
        #expect(error == .differs(path: scene.path("f")))
    }

    @Test func `without hard links a new file still never takes the place of another`() async throws {
        let scene = SFTPScene()
        let files = WithoutLinks.files(scene)
        let made = try await files.write(scene.path("f"), Array("one".utf8), .init(policy: .createOnly, mode: 0o640))
        #expect(made.method == .created && scene.content("f") == "one" && scene.names() == ["f"])
        #expect(scene.status("f").st_mode & 0o7777 == 0o640)
        for round in 0..<10 {
            let path = scene.path("r\(round)")
            let wins = await withTaskGroup(of: Int.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        let error = await sftpError { () async throws(SFTPError) in
                            try await files.write(path, Array("writer \(writer)".utf8), .init(policy: .createOnly))
                        }
                        #expect(error == nil || error == .exists(.regular, path: path))
                        return error == nil ? 1 : 0
                    }
                }
                return await group.reduce(0, +)
            }
            #expect(wins == 1 && scene.content("r\(round)").utf8.count == 8)
        }
        #expect(scene.names().count == 11)
    }

    @Test func `a name that somebody else takes during the upload stays theirs`() async throws {
        let scene = SFTPScene()
        let error = await sftpError { () async throws(SFTPError) in
            try await scene.files.upload(to: scene.path("f"), .init(policy: .createOnly)) {
                [scene] offset, most async throws(SFTPError) in
                if offset == 0 { scene.make("f", "theirs") }
                return ArraySlice(repeating: 7, count: min(most, 1_000_000 - Int(offset)))
            }
        }
        #expect(error == .exists(.regular, path: scene.path("f")))
        #expect(scene.content("f") == "theirs" && scene.names() == ["f"])
    }

    @Test func `a file that was half overwritten in place is said to be`() async throws {
        let scene = SFTPScene(hiding: "posix-rename")
        scene.make("f", String(repeating: "o", count: 2_000_000))
        let error = await sftpError { () async throws(SFTPError) in
            try await scene.files.upload(to: scene.path("f"), .init(policy: .replace)) {
                offset, most async throws(SFTPError) in
                // Shorter than before, so that nothing goes behind its end.
                if offset >= 2_000_000 { return [] }
                if offset > 500_000 { throw .local(detail: "gone") }
                return ArraySlice(repeating: 7, count: most)
            }
        }
        #expect(error == .damaged(path: scene.path("f"), detail: "gone"))
    }
}
