import Glibc
import IPC
import SFTPFilter
import Synchronization
import Testing

@testable import SFTP

/// What an honest worker sends where a gate judges its requests: never what the gate does not let through.
@Suite("Requests below base_dir", .timeLimit(.minutes(1)))
struct SFTPConfinedTests {
    private func text(_ path: [UInt8]) -> String { String(decoding: path, as: UTF8.self) }

    /// A tree whose base is reached through a symlink above it, and is one itself.
    private func scene(allowsWriting: Bool, hiding: String? = nil) throws -> (SFTPScene, RemoteFiles) {
        let scene = SFTPScene(hiding: hiding)
        for name in ["real", "real/base", "real/base/sub", "real/base/sub/deep", "real/other"] {
            try #require(mkdir("\(scene.directory)/\(name)", 0o755) == 0)
        }
        scene.make("real/base/in", "inside")
        scene.make("real/base/sub/deep/far", "deep")
        scene.make("real/other/secret", "secret")
        symlink("real", "\(scene.directory)/above")
        symlink("base", "\(scene.directory)/real/alias")
        symlink("sub/deep", "\(scene.directory)/real/base/jump")
        symlink("../other", "\(scene.directory)/real/base/out")
        symlink(".", "\(scene.directory)/real/base/self")
        symlink("in", "\(scene.directory)/real/base/fine")
        symlink("nowhere", "\(scene.directory)/real/base/dangling")
        let base = scene.path("above/alias")
        scene.counts.rules.withLock { $0 = SFTPRules(allowsWriting: allowsWriting, baseDirectory: text(base)) }
        return (scene, RemoteFiles(channel: scene.channel, base: base))
    }

    private func expectNoViolation(_ scene: SFTPScene) { #expect(scene.counts.violations.withLock { $0 } == []) }

    @Test func `reading and listing, through symlinks and parents, where only that is allowed`() async throws {
        let (scene, files) = try scene(allowsWriting: false)
        func path(_ name: String) -> [UInt8] { scene.path("above/alias/" + name) }
        for (name, content) in [
            ("in", "inside"), ("fine", "inside"), ("./in", "inside"), ("sub//deep/far", "deep"), ("jump/far", "deep"),
            ("sub/../in", "inside"), ("jump/../deep/far", "deep"), ("sub/deep/../../in", "inside"),
            ("../alias/in", "inside"), ("../../above/alias/in", "inside"),
        ] {
            let read = try await files.read(path(name), .head(100))
            #expect(String(decoding: read.bytes, as: UTF8.self) == content, "\(name)")
        }
        for name in ["", ".", "sub/..", "sub", "jump/.."] {
            let list = try await files.list(path(name), limit: 100)
            let wanted = ["sub", "jump/.."].contains(name) ? "deep" : "in"
            #expect(list.entries.map(\.name).contains(Array(wanted.utf8)), "\(name)")
        }
        for name in ["out/secret", "out", "self/../other/secret", "out/../base/in", "jump/../../../other/secret"] {
            let error = await sftpError { () async throws(SFTPError) in try await files.read(path(name), .head(9)) }
            switch error {
            case .outside: break
            default: Issue.record("\(name): \(String(describing: error))")
            }
        }
        for name in ["nothing", "nothing/../in", "in/../in", "dangling"] {
            #expect(
                await sftpError { () async throws(SFTPError) in try await files.read(path(name), .head(9)) } != nil,
                "\(name)")
        }
        expectNoViolation(scene)
    }

    @Test(arguments: [nil, "limits", "hardlink", "posix-rename", "limits,hardlink,posix-rename,statvfs,fsync"])
    func `writing, replacing, making directories and taking them back`(hiding: String?) async throws {
        let (scene, files) = try scene(allowsWriting: true, hiding: hiding)
        func path(_ name: String) -> [UInt8] { scene.path("above/alias/" + name) }
        // Without limits@openssh.com the server may only tidy paths, and a base that is a symlink is refused.
        let plain = RemoteFiles(channel: scene.channel, base: scene.path("real/base"))
        let isTidy = hiding?.contains("limits") == true
        let confined = isTidy ? plain : files
        if isTidy {
            scene.counts.rules.withLock {
                $0 = SFTPRules(allowsWriting: true, baseDirectory: text(scene.path("real/base")))
            }
        }
        func target(_ name: String) -> [UInt8] { isTidy ? scene.path("real/base/" + name) : path(name) }
        let create = WriteOptions(policy: .createOnly, createDirectories: true)
        let replace = WriteOptions(policy: .replace, mode: 0o600, createDirectories: true)
        let content = Array("new content".utf8)
        for name in ["a", "sub/b", "made/of/three/c", "sub/../d", "made/../e"] {
            _ = try await confined.write(target(name), content, create)
        }
        for name in ["a", "in", "made/of/three/c", "sub/deep/../../in"] {
            _ = try await confined.write(target(name), content, replace)
        }
        if !isTidy {
            for name in ["fine", "jump/far", "dangling"] {
                _ = try await confined.write(target(name), content, replace)
            }
            #expect(scene.content("real/base/nowhere") == "new content")
            #expect(scene.content("real/base/sub/deep/far") == "new content")
        }
        #expect(scene.content("real/base/made/of/three/c") == "new content")
        #expect(scene.content("real/base/in") == "new content" && scene.content("real/base/e") == "new content")
        for name in ["", "sub/..", "out/new", "in", "out/x/y", "self/../new", "../x"] {
            let error = await sftpError { () async throws(SFTPError) in
                try await confined.write(target(name), content, create)
            }
            #expect(error != nil, "\(name)")
        }
        // A directory that was made is taken back where the write fails.
        let source: ByteSource = { _, _ throws(SFTPError) in throw .local(detail: "no content") }
        #expect(
            await sftpError { () async throws(SFTPError) in
                try await confined.upload(to: target("gone/for/good"), create, from: source)
            } == .local(detail: "no content"))
        #expect(!scene.names("real/base").contains("gone"))
        #expect(scene.names("real/other") == ["secret"])
        expectNoViolation(scene)
    }
}
