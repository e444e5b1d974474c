import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// Local files on a file system that does not answer: whoever asks for one is told so, and nobody else waits.
@Suite(.serialized) struct HangingFilesTests {
    private static let bound = Duration.milliseconds(200)

    /// A daemon of an ordinary account, without `local_roots` unless they are given, and a file system that can hang.
    private final class Scene {
        let remote: Remote
        let daemon: RunningDaemon
        let client: MCPClient
        let files: HangingFileSystem
        let place: Place
        let local: Place

        init(wait: Int = 0, _ config: (HangingFileSystem) -> JSON = { _ in ["local_roots": .null] }) throws {
            let account = try Account.throwAway(purpose: "agent")
            files = try HangingFileSystem()
            files.put("f", "content")
            remote = try Remote(PrivateSSHD.Options(), account: account)
            (place, local) = (try Place(), try Place())
            try local.write("f", "content")
            try place.write("g", "remote")
            daemon = try remote.startDaemon(config(files).merging(["client_wait_seconds": .int(wait)]))
            client = try daemon.connect()
        }

        deinit {
            // First: who waits for it can end then.
            files.unmount()
            client.closeAbruptly()
            daemon.stop()
            remote.stop()
        }

        func upload(_ path: String) throws -> PendingResponse {
            try client.beginTool(
                "ssh_upload_file",
                ["local_path": .string(path), "remote_path": .string(place.file("u\(UInt64.random(in: 1 ... .max))"))])
        }

        func download(_ path: String) throws -> PendingResponse {
            try client.beginTool(
                "ssh_download_file", ["remote_path": .string(place.file("g")), "local_path": .string(path)])
        }
    }

    /// What others get while a file hangs.
    private static func expectNobodyWaits(_ scene: Scene) throws {
        let called = try fastest(within: .seconds(1)) {
            let result = try scene.client.callTool("ssh_connection_status")
            #expect(!result.isError)
        }
        #expect(called < .seconds(1))
        let answered = try fastest(within: Self.bound) { _ = try scene.client.request("ping") }
        #expect(answered < bound)
        let refused = try fastest(within: .seconds(1)) {
            let other = try scene.daemon.connect()
            let answer = try other.callTool("ssh_connection_status")
            #expect(answer.isError && answer.text.contains("has the place"), "\(answer)")
            other.closeAbruptly()
        }
        // Through socat, as another account.
        #expect(refused < .seconds(1))
        let before = scene.daemon.logCount(of: "\"config reloaded\"")
        let reloaded = try fastest(within: Self.bound) {
            scene.daemon.signal(SIGHUP)
            try waitUntil("the reload") { scene.daemon.logCount(of: "\"config reloaded\"") > before }
        }
        #expect(reloaded < bound)
    }

    @Test("a file on a mount that hangs: its call is told so after ten seconds, and all others go on at once")
    func hang() throws {
        guard HangingFileSystem.isAvailable else { return }
        let scene = try Scene()
        let first = try scene.upload("\(scene.files.path)/f").waitForTool()
        #expect(first["uploaded"] == true, "\(first)")
        let broker = try #require(scene.daemon.fileBrokers().first)
        scene.files.hang()
        let began = ContinuousClock.now
        let hung = try scene.upload("\(scene.files.path)/f")
        try waitUntil("a request that hangs") { scene.files.heldCount > 0 }
        let behind = try scene.upload(scene.local.file("f"))
        let created = try scene.download(scene.local.file("new"))
        try Self.expectNobodyWaits(scene)
        let result = try hung.waitForTool(timeout: .seconds(20))
        let lasted = ContinuousClock.now - began
        #expect(lasted > .seconds(9) && lasted < .seconds(18), "\(lasted)")
        #expect(result.isError, "\(result)")
        #expect(
            result.text.contains("The file system of \(scene.files.path)/f does not answer"), "\(result)")
        // Those behind it are asked of another broker.
        #expect(try behind.waitForTool()["uploaded"] == true)
        #expect(try created.waitForTool()["downloaded"] == true)
        let told = try scene.daemon.waitForLog("file broker killed")
        #expect(told["path"] == .string("\(scene.files.path)/f"), "\(told)")
        // It waits in the kernel, where nothing kills it; nobody waits for it.
        #expect(broker.isAlive)
        scene.files.resume()
        try waitUntil("its end") { !broker.isAlive && ProcessEntry(pid: broker.pid) == nil }
        let again = try scene.upload("\(scene.files.path)/f").waitForTool()
        #expect(again["uploaded"] == true, "\(again)")
    }

    @Test("TERM ends a daemon at once while a file hangs, and nobody stays")
    func terminate() throws {
        guard HangingFileSystem.isAvailable else { return }
        let scene = try Scene()
        scene.files.hang()
        _ = try scene.upload("\(scene.files.path)/f")
        try waitUntil("a request that hangs") { scene.files.heldCount > 0 }
        let brokers = scene.daemon.fileBrokers()
        scene.daemon.signal(SIGTERM)
        let noticed = try ContinuousClock().measure {
            try waitUntil("the order to stop") { scene.daemon.logCount(of: "\"stopping\"") > 0 }
        }
        #expect(noticed < .seconds(1))
        let ended = try ContinuousClock().measure {
            let status = try scene.daemon.waitForExit(timeout: .seconds(12))
            #expect(status == .exited(0))
        }
        #expect(ended < .seconds(3), "a call waits for a broker that hangs: \(ended)")
        scene.files.resume()
        try waitUntil("the brokers' end") { brokers.allSatisfy { !$0.isAlive } }
    }

    @Test("TERM ends a daemon in five seconds while a worker cannot end, because of a file that hangs")
    func terminateWorker() throws {
        guard HangingFileSystem.isAvailable else { return }
        let scene = try Scene()
        scene.files.hang([.read])
        _ = try scene.upload("\(scene.files.path)/f")
        try waitUntil("a request that hangs") { scene.files.heldCount > 0 }
        let ended = try ContinuousClock().measure {
            scene.daemon.signal(SIGTERM)
            let status = try scene.daemon.waitForExit(timeout: .seconds(12))
            #expect(status == .exited(0))
        }
        #expect(ended < .seconds(6), "\(ended)")
        scene.files.resume()
    }

    @Test("a cancelled call does not wait for a broker that hangs: that it was cancelled is written down at once")
    func cancel() throws {
        guard HangingFileSystem.isAvailable else { return }
        let (files, log, place) = (try HangingFileSystem(), try TemporaryDirectory(), try Place())
        defer { files.unmount() }
        files.put("f", "content")
        let daemon = try Remote.shared().startDaemon([
            "local_roots": [.string(files.path)], "audit_log": .string(log.file("audit")),
        ])
        defer { daemon.stop() }
        let client = try daemon.connect()
        defer { client.closeAbruptly() }
        func upload() throws -> PendingResponse {
            try client.beginTool(
                "ssh_upload_file",
                ["local_path": .string("\(files.path)/f"), "remote_path": .string(place.file("u"))])
        }
        let first = try upload().waitForTool()
        #expect(first["uploaded"] == true, "\(first)")
        files.hang()
        let hung = try upload()
        try waitUntil("a request that hangs") { files.heldCount > 0 }
        let recorded = try ContinuousClock().measure {
            try client.cancel(hung)
            try waitUntil("the record") {
                (try? String(contentsOfFile: log.file("audit"), encoding: .utf8))?.contains("\"cancelled\"") == true
            }
        }
        #expect(recorded < .seconds(3), "\(recorded)")
        files.resume()
    }

    @Test("eight files that hang in the middle of their transfers hold up others for two seconds at most")
    func healthy() throws {
        guard HangingFileSystem.isAvailable else { return }
        let scene = try Scene()
        for number in 0..<8 { scene.files.put("f\(number)", "content") }
        let before = try scene.upload(scene.local.file("f")).waitForTool()
        #expect(before["uploaded"] == true, "\(before)")
        scene.files.hang([.read])
        let hung = try (0..<8).map { try scene.upload("\(scene.files.path)/f\($0)") }
        try waitUntil("eight requests that hang") { scene.files.heldCount >= 8 }
        let time = try ContinuousClock().measure {
            let calls = [try scene.upload(scene.local.file("f")), try scene.download(scene.local.file("new"))]
            for call in calls {
                let result = try call.waitForTool(timeout: .seconds(60))
                #expect(!result.isError, "\(result)")
            }
        }
        #expect(time < .seconds(10), "\(time)")
        for call in hung {
            let result = try call.waitForTool(timeout: .seconds(60))
            #expect(result.text.contains("does not answer any more"), "\(result)")
        }
        scene.files.resume()
    }

    @Test(
        "clients that leave brokers behind, one after the other: sixteen stay, and the next client is served without local files"
    )
    func manyClients() throws {
        guard HangingFileSystem.isAvailable else { return }
        let scene = try Scene(wait: 60)
        scene.client.closeAbruptly()
        scene.files.hang()
        // The kernel asks one thing at a time in a directory: not each of them is at the file system itself.
        func isAtOpen(_ broker: ProcessEntry) -> Bool {
            (try? String(contentsOfFile: "/proc/\(broker.pid)/syscall", encoding: .utf8))?.hasPrefix("437 ") == true
        }
        for round in 0..<20 {
            let client = try scene.daemon.connect()
            let call = try client.beginTool(
                "ssh_upload_file",
                [
                    "local_path": .string("\(scene.files.path)/d\(round)/f"),
                    "remote_path": .string(scene.place.file("u")),
                ])
            if round < 16 {
                try waitUntil("a broker that hangs at openat2(2)") {
                    scene.daemon.fileBrokers().count(where: isAtOpen) > round
                }
            } else {
                let told = try call.waitForTool(timeout: .seconds(20))
                #expect(told.isError && told.text.contains("have not ended"), "\(told)")
                let status = try client.callTool("ssh_connection_status")
                #expect(!status.isError)
            }
            client.closeAbruptly()
        }
        #expect(scene.daemon.fileBrokers().count <= 16)
        scene.files.resume()
        try waitUntil("their end") { scene.daemon.fileBrokers().isEmpty }
        let client = try scene.daemon.connect()
        let fine = try client.callTool(
            "ssh_upload_file",
            ["local_path": .string(scene.local.file("f")), "remote_path": .string(scene.place.file("fine"))])
        #expect(fine["uploaded"] == true, "\(fine)")
        client.closeAbruptly()
    }

    @Test(
        "workers that clients leave behind at a file that hangs in the middle are bounded as well, and nobody waits for them"
    )
    func manyWorkers() throws {
        guard HangingFileSystem.isAvailable else { return }
        let scene = try Scene(wait: 60)
        scene.client.closeAbruptly()
        for round in 0..<20 { scene.files.put("f\(round)", "content") }
        scene.files.hang([.read])
        var refused = 0
        for round in 0..<20 {
            let client = try scene.daemon.connect()
            let before = scene.files.heldCount
            let call = try client.beginTool(
                "ssh_upload_file",
                [
                    "local_path": .string("\(scene.files.path)/f\(round)"),
                    "remote_path": .string(scene.place.file("u")),
                ])
            try waitUntil("a worker that hangs at read(2), or a refusal") {
                scene.files.heldCount > before || call.isAnswered
            }
            if call.isAnswered {
                let told = try call.waitForTool()
                #expect(told.isError && told.text.contains("have not ended"), "\(told)")
                refused += 1
            }
            #expect(!(try client.callTool("ssh_connection_status")).isError)
            client.closeAbruptly()
        }
        #expect(refused == 4 && scene.files.heldCount == 16, "\(refused) refused, \(scene.files.heldCount) hang")
        scene.files.resume()
        try waitUntil("the workers' end") { scene.daemon.logCount(of: "\"worker ended\"") == 21 }
        let client = try scene.daemon.connect()
        let fine = try client.callTool(
            "ssh_upload_file",
            ["local_path": .string(scene.local.file("f")), "remote_path": .string(scene.place.file("fine"))])
        #expect(fine["uploaded"] == true, "\(fine)")
        client.closeAbruptly()
    }

    @Test("why a broker was killed is in the log, also when its worker ended before it")
    func left() throws {
        guard HangingFileSystem.isAvailable else { return }
        let scene = try Scene()
        scene.files.hang()
        _ = try scene.upload("\(scene.files.path)/f")
        try waitUntil("a request that hangs") { scene.files.heldCount > 0 }
        scene.client.closeAbruptly()
        try scene.daemon.waitForLog("worker ended")
        #expect(scene.daemon.logCount(of: "\"file broker killed\"") == 0)
        let told = try scene.daemon.waitForLog("file broker killed")
        #expect(told["path"] == .string("\(scene.files.path)/f"), "\(told)")
        #expect(told["mend"]?.string?.contains("file system") == true, "\(told)")
        scene.files.resume()
        try scene.daemon.waitForLog("file broker ended")
    }

    @Test("a host's socket on a file system that hangs does not hold up a reload")
    func socket() throws {
        guard HangingFileSystem.isAvailable else { return }
        let scene = try Scene { files in
            [
                "local_roots": .null,
                "hosts": ["far": ["socket": .string("\(files.path)/d/sock"), "user": "u", "host": "h"]],
            ]
        }
        scene.files.hang()
        let before = scene.daemon.logCount(of: "\"config reloaded\"")
        let reloaded = try fastest(within: Self.bound) {
            scene.daemon.signal(SIGHUP)
            try waitUntil("the reload") { scene.daemon.logCount(of: "\"config reloaded\"") > before }
        }
        #expect(reloaded < Self.bound)
        scene.files.resume()
    }

    @Test("files of a broker that is killed are lost, and that is told when they are to get their names")
    func lost() throws {
        guard HangingFileSystem.isAvailable else { return }
        let scene = try Scene()
        try scene.place.makeSparse("large", size: 64 << 20)
        let token = JSON.string("t")
        let call = try scene.client.beginTool(
            "ssh_download_file",
            [
                "remote_path": .string(scene.place.file("large")), "local_path": .string(scene.local.file("new")),
            ], meta: ["progressToken": token])
        try waitUntil("the first report") { !scene.client.progress(token).isEmpty || call.isAnswered }
        scene.remote.sshd.pause(true)
        try #require(!call.isAnswered)
        scene.files.hang()
        let hung = try scene.upload("\(scene.files.path)/f")
        let result = try hung.waitForTool(timeout: .seconds(20))
        #expect(result.text.contains("does not answer"), "\(result)")
        scene.remote.sshd.pause(false)
        let lost = try call.waitForTool(timeout: .seconds(60))
        // The host that was stopped meanwhile may be the first to be told.
        let isHosts = lost.text.contains("does not answer, while its ControlMaster does")
        let isFiles =
            lost.text.contains("is lost")
            && lost.text.contains("the file system of \(scene.files.path)/f does not answer")
        #expect(lost.isError && (isHosts || isFiles), "\(lost)")
        #expect(try scene.local.names == ["f"])
    }

    @Test(
        "a commit that hangs is not known, and the target is the old file or the new one, whole",
        arguments: [false, true])
    func commit(replaces: Bool) throws {
        guard HangingFileSystem.isAvailable else { return }
        let scene = try Scene { _ in ["local_roots": .null, "safeguards": ["allow_overwrite": .bool(replaces)]] }
        if replaces { scene.files.put("target", "old") }
        let target = "\(scene.files.path)/target"
        scene.files.hang([.link, .rename, .rename2])
        let result = try scene.download(target).waitForTool(timeout: .seconds(30))
        #expect(result.isError && result.text.contains("is not known"), "\(result)")
        #expect(result.text.contains("The file system of \(target) does not answer"), "\(result)")
        #expect(scene.files.content("target") == (replaces ? "old" : nil), "it was not done yet")
        scene.files.resume()
        // The kernel asked for it once: it is done now.
        #expect(scene.files.content("target") == "remote")
        let again = try scene.download(target).waitForTool()
        #expect(again["downloaded"] == true || !replaces && again.text.contains("exists already"), "\(again)")
    }

    @Test("a root that hangs: paths in it are told so, the other roots are there; when it answers again, so is it")
    func root() throws {
        guard HangingFileSystem.isAvailable else { return }
        let other = try Place()
        try other.write("f", "content")
        let scene = try Scene { files in
            ["local_roots": [.string("\(files.path)/sub/dir"), .string(other.directory.path)]]
        }
        scene.files.hang()
        // The start of the broker itself hangs at the root.
        let result = try scene.upload(other.file("f")).waitForTool(timeout: .seconds(30))
        #expect(result["uploaded"] == true, "\(result)")
        let hung = try scene.upload("\(scene.files.path)/sub/dir/f").waitForTool(timeout: .seconds(30))
        #expect(hung.isError && hung.text.contains("does not answer"), "\(hung)")
        let fine = try scene.upload(other.file("f")).waitForTool(timeout: .seconds(30))
        #expect(fine["uploaded"] == true, "\(fine)")
        scene.files.resume()
        let back = try scene.upload("\(scene.files.path)/sub/dir/f").waitForTool(timeout: .seconds(30))
        #expect(back.isError && back.text.contains("No such file"), "\(back)")
    }

    @Test("a mount that goes away and comes back is used as it is, with local_roots as well", arguments: [false, true])
    func remount(hasRoots: Bool) throws {
        guard HangingFileSystem.isAvailable else { return }
        let mountPoint = try TemporaryDirectory(readableByAll: true)
        let scene = try Scene { files in
            ["local_roots": hasRoots ? [.string(files.path), .string(mountPoint.path)] : .null]
        }
        let first = try HangingFileSystem(at: mountPoint)
        first.put("f", "first")
        #expect(try scene.upload("\(mountPoint.path)/f").waitForTool()["uploaded"] == true)
        first.unmount()
        let gone = try scene.upload("\(mountPoint.path)/f").waitForTool()
        #expect(gone.isError && gone.text.contains("No such file"), "\(gone)")
        let second = try HangingFileSystem(at: mountPoint)
        defer { second.unmount() }
        second.put("f", "second")
        let back = try scene.upload("\(mountPoint.path)/f").waitForTool()
        #expect(back["uploaded"] == true, "\(back)")
    }

    @Test("a file that hangs when it is closed hangs its broker, never the supervisor, which does not hold it")
    func closing() throws {
        guard HangingFileSystem.isAvailable else { return }
        let scene = try Scene()
        scene.files.hang([.flush, .release])
        let call = try scene.upload("\(scene.files.path)/f")
        try waitUntil("a close that hangs") { scene.files.heldCount > 0 }
        try Self.expectNobodyWaits(scene)
        let result = try call.waitForTool(timeout: .seconds(20))
        #expect(result.isError && result.text.contains("does not answer"), "\(result)")
        let other = try scene.upload(scene.local.file("f")).waitForTool()
        #expect(other["uploaded"] == true, "\(other)")
        try Self.expectNobodyWaits(scene)
        scene.files.resume()
    }

    @Test("brokers that cannot be killed are bounded: the fifth is not started, and that is told")
    func stuck() throws {
        guard HangingFileSystem.isAvailable else { return }
        let scene = try Scene()
        scene.files.hang()
        for round in 0..<4 {
            let hung = try scene.upload("\(scene.files.path)/d\(round)/f").waitForTool(timeout: .seconds(30))
            #expect(hung.text.contains("does not answer"), "\(hung)")
        }
        let refused = try scene.upload(scene.local.file("f")).waitForTool()
        #expect(refused.isError && refused.text.contains("4 earlier requests still wait"), "\(refused)")
        #expect(scene.daemon.fileBrokers().count == 4)
        try Self.expectNobodyWaits(scene)
        scene.files.resume()
        try waitUntil("their end") { scene.daemon.fileBrokers().isEmpty }
        let fine = try scene.upload(scene.local.file("f")).waitForTool()
        #expect(fine["uploaded"] == true, "\(fine)")
    }

    @Test(
        "a file that hangs in the middle of its upload is given up in half a minute, and others go on",
        arguments: [false, true])
    func transfer(isDownload: Bool) throws {
        guard HangingFileSystem.isAvailable else { return }
        let scene = try Scene()
        scene.files.hang(isDownload ? [.write] : [.read])
        let path = "\(scene.files.path)/\(isDownload ? "new" : "f")"
        // More than there are threads for local files.
        for number in 0..<12 where !isDownload { scene.files.put("f\(number)", "content") }
        let calls = try (0..<12).map { try isDownload ? scene.download("\(path)\($0)") : scene.upload("\(path)\($0)") }
        try waitUntil("a request that hangs") { scene.files.heldCount > 0 }
        try Self.expectNobodyWaits(scene)
        for call in calls {
            let result = try call.waitForTool(timeout: .seconds(60))
            #expect(result.isError && result.text.contains("The file system of \(path)"), "\(result)")
            #expect(result.text.contains("does not answer any more"), "\(result)")
        }
        let fine = try scene.upload(scene.local.file("f")).waitForTool()
        #expect(fine["uploaded"] == true, "\(fine)")
        scene.files.resume()
    }
}
