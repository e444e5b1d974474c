import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// Uploads and downloads that are watched, broken off or disturbed on the way.
@Suite struct TransferTests {
    /// Large enough that it is far from done when its first report comes.
    private static let size = 256 << 20
    private static let overwriting: JSON = ["safeguards": ["allow_overwrite": true]]

    enum Direction: String, CaseIterable, Sendable { case up, down }

    /// One transfer between a place on the host and a directory of this machine, that stands still when `begin` returns.
    private final class Scene {
        let remote: Remote
        let client: MCPClient
        let place: Place
        let local: Place
        let direction: Direction
        let before: [[String]]
        private(set) var call: PendingResponse?

        /// `target`: a file stands where the transfer goes.
        init(_ direction: Direction, _ remote: Remote, _ client: MCPClient, target: Bool = false) throws {
            (self.remote, self.client, self.direction) = (remote, client, direction)
            (place, local) = (try Place(), try Place())
            let source = try (direction == .up ? local : place).makeSparse("source", size: TransferTests.size)
            // SFTP tells times in seconds: what was rewritten within the one in which it was made looks the same.
            utimes(source, [timeval(tv_sec: 1_000_000_000, tv_usec: 0), timeval(tv_sec: 1_000_000_000, tv_usec: 0)])
            if target { try (direction == .up ? place : local).write("target", "precious") }
            before = [try place.names, try local.names]
        }

        var source: Place { direction == .up ? local : place }
        var target: Place { direction == .up ? place : local }

        func begin(_ more: JSON = [:]) throws {
            let token = JSON.string("t")
            let names = (direction == .up ? ["source", "target"] : ["target", "source"])
            let arguments: JSON = [
                "local_path": .string(local.file(names[0])), "remote_path": .string(place.file(names[1])),
            ]
            let call = try client.beginTool(
                direction == .up ? "ssh_upload_file" : "ssh_download_file", arguments.merging(more),
                meta: ["progressToken": token])
            self.call = call
            try waitUntil("the first report") { !client.progress(token).isEmpty || call.isAnswered }
            remote.sshd.pause(true)
            #expect(!call.isAnswered, "the transfer was over before it could be held")
        }

        func goOn() { remote.sshd.pause(false) }

        /// Nothing was changed and nothing is left, here and there.
        func expectUntouched(_ location: SourceLocation = #_sourceLocation) throws {
            try waitUntil("only \(before) being left", sourceLocation: location) {
                try [place.names, local.names] == before
            }
            if before.joined().contains("target") {
                #expect(try target.content("target") == "precious", sourceLocation: location)
            }
        }
    }

    private static func withScene(
        _ direction: Direction, over transport: FileTransport, target: Bool = false,
        _ body: (RunningDaemon, Scene) throws -> Void
    ) throws {
        try withRemote(transport.options) { remote in
            try withDaemon(target ? overwriting : [:], on: remote) { daemon, client in
                let scene = try Scene(direction, remote, client, target: target)
                defer { scene.goOn() }
                try body(daemon, scene)
            }
        }
    }

    @Test(
        "progress is told in bytes of the total, always more, and never after the answer",
        arguments: FileTransport.all, Direction.allCases)
    func progress(over transport: FileTransport, _ direction: Direction) throws {
        try TransferTests.withScene(direction, over: transport) { _, scene in
            try scene.begin()
            // Reports come at most twice a second.
            let next = ContinuousClock.now + .milliseconds(500)
            try waitUntil("the time of the next report") { ContinuousClock.now >= next }
            scene.goOn()
            let call = try #require(scene.call)
            let result = try call.waitForTool(timeout: .seconds(120))
            #expect(result["size"] == .int(TransferTests.size), "\(result)")
            _ = try scene.client.request("ping")
            let reports = scene.client.progress("t")
            #expect(reports.count >= 2)
            #expect(zip(reports, reports.dropFirst()).allSatisfy { $0.progress < $1.progress }, "\(reports)")
            #expect(reports.allSatisfy { $0.total == TransferTests.size && $0.progress > 0 }, "\(reports)")
            #expect(reports.allSatisfy { $0.progress <= TransferTests.size }, "\(reports)")
            #expect(call.othersBefore == scene.client.otherCount)
        }
    }

    @Test("who asks for no progress gets none", arguments: FileTransport.all)
    func silence(over transport: FileTransport) throws {
        let (place, local) = (try Place(), try Place())
        let source = try local.makeSparse("source", size: 8 << 20)
        try withDaemon(on: transport.remote()) { _, client in
            let arguments: JSON = ["local_path": .string(source), "remote_path": .string(place.file("f"))]
            #expect(try client.callTool("ssh_upload_file", arguments)["uploaded"] == true)
            _ = try client.request("ping")
            #expect(client.otherCount == 0)
        }
    }

    @Test("with sha256 both sides are compared and the digest is told", arguments: FileTransport.all)
    func checksum(over transport: FileTransport) throws {
        let (place, local) = (try Place(), try Place())
        let content = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) })
        try content.write(to: URL(filePath: local.file("source")))
        let said = try run(findProgram("sha256sum"), [local.file("source")]).outputText
        let sha256 = JSON.string(String(said.prefix(64)))
        try withDaemon(TransferTests.overwriting, on: transport.remote()) { _, client in
            func call(_ tool: String, _ local: String, _ more: JSON) throws -> ToolResult {
                let arguments: JSON = ["local_path": .string(local), "remote_path": .string(place.file("copy"))]
                return try client.callTool(tool, arguments.merging(more))
            }
            for method in ["created", "replaced"] as [JSON] {
                let up = try call("ssh_upload_file", local.file("source"), ["sha256": true])
                #expect(up["sha256"] == sha256 && up["method"] == method && up["size"] == 3_000_000, "\(up)")
            }
            for _ in 0..<2 {
                let down = try call("ssh_download_file", local.file("back"), ["sha256": true])
                #expect(down["sha256"] == sha256 && down["size"] == 3_000_000, "\(down)")
            }
            #expect(try Data(contentsOf: URL(filePath: local.file("back"))) == content)
            for more in [["sha256": false], [:]] as [JSON] {
                #expect(try call("ssh_upload_file", local.file("source"), more)["sha256"] == nil)
                #expect(try call("ssh_download_file", local.file("back"), more)["sha256"] == nil)
            }
            let wrong = try call("ssh_upload_file", local.file("source"), ["sha256": "yes"])
            #expect(wrong.isError && wrong.text.contains("true or false"), "\(wrong)")
            #expect(try place.names == ["copy"])
            #expect(try local.names == ["back", "source"])
        }
    }

    /// What ends a transfer that is under way.
    enum Breaking: String, CaseIterable, Sendable { case cancelled, clientGone, workerKilled, daemonKilled }

    @Test(
        "a download that is broken off leaves the target as it was and nothing beside it, whatever is killed",
        arguments: FileTransport.all, Breaking.allCases)
    func brokenDownload(over transport: FileTransport, _ breaking: Breaking) throws {
        for target in [false, true] {
            try TransferTests.withScene(.down, over: transport, target: target) { daemon, scene in
                try scene.begin()
                try TransferTests.breakOff(breaking, daemon, scene)
                try scene.expectUntouched()
            }
        }
    }

    @Test(
        "an upload that is broken off leaves the target as it was; beside it at most a hidden part, after a kill",
        arguments: FileTransport.all, Breaking.allCases)
    func brokenUpload(over transport: FileTransport, _ breaking: Breaking) throws {
        for target in [false, true] {
            try TransferTests.withScene(.up, over: transport, target: target) { daemon, scene in
                try scene.begin()
                try TransferTests.breakOff(breaking, daemon, scene)
                switch breaking {
                case .cancelled, .clientGone: try scene.expectUntouched()
                case .workerKilled, .daemonKilled:
                    // The host keeps what it has: nobody is left who could remove it.
                    let parts = try scene.place.names.filter { $0 != "target" }
                    #expect(
                        parts.count == 1
                            && parts.allSatisfy { $0.wholeMatch(of: /\.target\.claude-ssh-\w+\.tmp/) != nil })
                    #expect(try scene.place.names.contains("target") == target)
                    if target { #expect(try scene.place.content("target") == "precious") }
                }
            }
        }
    }

    private static func breakOff(_ breaking: Breaking, _ daemon: RunningDaemon, _ scene: Scene) throws {
        let worker = try daemon.waitForWorker()
        let call = try #require(scene.call)
        switch breaking {
        case .cancelled:
            try scene.client.cancel(call)
            // It has come by the time that this is answered.
            _ = try scene.client.request("ping")
            scene.goOn()
            try scene.expectUntouched()
            _ = try scene.client.request("ping")
            #expect(!call.isAnswered)
            return
        case .clientGone: scene.client.closeAbruptly()
        case .workerKilled: worker.killIfAlive()
        case .daemonKilled: try daemon.kill9()
        }
        scene.goOn()
        try waitUntil("the end of the worker", timeout: .seconds(40)) { !worker.isAlive }
    }

    @Test("what an upload left behind does not hinder the next one, and stays", arguments: FileTransport.all)
    func afterAKill(over transport: FileTransport) throws {
        let (place, local) = (try Place(), try Place())
        let source = try local.write("source", "new")
        try place.write(".target.2n9c.tmp", "a part")
        try withDaemon(on: transport.remote()) { _, client in
            let arguments: JSON = ["local_path": .string(source), "remote_path": .string(place.file("target"))]
            let result = try client.callTool("ssh_upload_file", arguments)
            #expect(result["uploaded"] == true, "\(result)")
            // Who knows whose it is.
            #expect(try place.names == [".target.2n9c.tmp", "target"])
        }
    }

    /// What happens to a source while it is copied.
    enum Change: String, CaseIterable, Sendable {
        case grows, shrinks, rewritten, removed

        func happen(to path: String) throws {
            let file = open(path, O_WRONLY | O_CLOEXEC)
            defer { close(file) }
            let done: Bool =
                switch self {
                case .grows: ftruncate(file, off_t(TransferTests.size + 1)) == 0
                case .shrinks: ftruncate(file, off_t(TransferTests.size - 1)) == 0
                case .rewritten: pwrite(file, "x", 1, 0) == 1
                case .removed: unlink(path) == 0
                }
            guard done else { throw HarnessError("\(self) \(path): \(errnoText())") }
        }
    }

    @Test(
        "a source that changes on the way is an error and changes nothing; one that is removed is copied whole, or not at all; of one that grows a download has what it was",
        arguments: FileTransport.all, Direction.allCases)
    func changingSource(over transport: FileTransport, _ direction: Direction) throws {
        for change in Change.allCases {
            // What a new file is tried with is as good for one that exists.
            try TransferTests.withScene(direction, over: transport, target: change != .grows) { _, scene in
                try scene.begin()
                try change.happen(to: scene.source.file("source"))
                scene.goOn()
                let result = try #require(scene.call).waitForTool(timeout: .seconds(120))
                if change == .removed, transport == .shell, direction == .down {
                    // A shell keeps no file open.
                    #expect(result.isError && result.text.contains("does not exist"), "\(result)")
                    #expect(try scene.target.names == ["target"] && scene.target.content("target") == "precious")
                    return
                }
                if change == .removed {
                    #expect(result["size"] == .int(TransferTests.size), "\(result)")
                    return
                }
                if change == .grows, direction == .down {
                    #expect(result["size"] == .int(TransferTests.size), "\(result)")
                    #expect(result["grew_to"] == .int(TransferTests.size + 1), "\(result)")
                    return
                }
                #expect(result.isError && result.text.contains("changed"), "\(change): \(result)")
                #expect(result.text.contains(scene.source.file("source")), "\(change): \(result)")
                try scene.expectUntouched()
            }
        }
    }

    @Test(
        "a transfer takes the same memory for sixteen megabytes and for 192", arguments: FileTransport.all,
        Direction.allCases)
    func memory(over transport: FileTransport, _ direction: Direction) throws {
        let (place, local) = (try Place(), try Place())
        let source = direction == .up ? local : place
        try source.makeSparse("small", size: 16 << 20)
        try source.makeSparse("large", size: 192 << 20)
        try withDaemon(TransferTests.overwriting, on: transport.remote()) { daemon, client in
            let worker = try daemon.waitForWorker()
            /// The worker's largest resident size so far, in kB.
            func peak(after name: String) throws -> Int {
                let names = direction == .up ? [name, "copy"] : ["copy", name]
                let result = try client.callTool(
                    direction == .up ? "ssh_upload_file" : "ssh_download_file",
                    [
                        "local_path": .string(local.file(names[0])), "remote_path": .string(place.file(names[1])),
                    ], timeout: .seconds(120))
                #expect(!result.isError, "\(result)")
                return try #require(worker.status("VmHWM")?.split(separator: " ").first.flatMap { Int($0) })
            }
            let first = try peak(after: "small")
            let second = try peak(after: "large")
            // What is under way at once may take 24 MiB, however long the file is.
            #expect(second - first < 24 << 10, "from \(first) to \(second) kB")
        }
    }

    @Test("a reload that switches file_write off leaves a running download its file, to be named and to be dropped")
    func reloadWithoutFileWrite() throws {
        for ends in ["whole", "cancelled"] {
            try Self.withScene(.down, over: .sftp) { daemon, scene in
                try scene.begin()
                try daemon.rewriteConfig(scene.remote.config(["capabilities": ["file_write": false]]))
                daemon.signal(SIGHUP)
                try daemon.waitForLog("config reloaded")
                if ends == "cancelled" {
                    let call = try #require(scene.call)
                    try scene.client.cancel(call)
                    scene.goOn()
                    try scene.expectUntouched()
                    try waitUntil("no unnamed file being kept") { Self.unnamedFiles(of: daemon.pid).isEmpty }
                } else {
                    scene.goOn()
                    let result = try #require(scene.call).waitForTool(timeout: .seconds(60))
                    #expect(result["downloaded"] == true, "\(result)")
                    #expect(try scene.local.names.contains("target"))
                }
            }
        }
    }

    /// Files without a name that a process holds open.
    private static func unnamedFiles(of pid: pid_t) -> [String] {
        let folder = "/proc/\(pid)/fd"
        return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
            .compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)") }
            .filter { $0.hasPrefix("/tmp/") && $0.hasSuffix("(deleted)") }
    }

    @Test(
        "without local_roots an ordinary user's daemon opens what is plainly the user's, and a daemon of root nothing")
    func withoutRoots() throws {
        let (place, local) = (try Place(), try Place())
        try place.write("f", "content")
        try local.write("f", "content")
        mkdir(local.file(".git"), 0o777)
        try withDaemon(["local_roots": .null]) { _, client in
            func download(_ name: String) throws -> ToolResult {
                try client.callTool(
                    "ssh_download_file",
                    ["remote_path": .string(place.file("f")), "local_path": .string(local.file(name))])
            }
            let plain = try download("copy")
            #expect(plain.isError == (geteuid() == 0), "\(plain)")
            for name in [".envrc", ".git/hook"] {
                let refused = try download(name)
                #expect(refused.isError && refused.text.contains("local_roots"), "\(refused)")
            }
            let upload = try client.callTool(
                "ssh_upload_file", ["local_path": "/etc/passwd", "remote_path": .string(place.file("p"))])
            #expect(upload.isError && upload.text.contains("local_roots"), "\(upload)")
        }
    }
}
