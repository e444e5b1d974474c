import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// The program that opens local files: its life, its place, and what its worker is told of it.
@Suite struct FileBrokerTests {
    private static func upload(_ client: MCPClient, _ local: String, _ remote: String) throws -> PendingResponse {
        try client.beginTool("ssh_upload_file", ["local_path": .string(local), "remote_path": .string(remote)])
    }

    private static func download(_ client: MCPClient, _ remote: String, _ local: String) throws -> PendingResponse {
        try client.beginTool("ssh_download_file", ["local_path": .string(local), "remote_path": .string(remote)])
    }

    @Test("a broker is started when the first local file is asked for, confined, and gone with its client")
    func life() throws {
        let (place, local) = (try Place(), try Place())
        try local.write("f", "content")
        try withDaemon { daemon, client in
            _ = try client.callTool("ssh_exec", ["command": "true"])
            #expect(daemon.fileBrokers().isEmpty)
            for name in ["a", "b"] {
                let result = try Self.upload(client, local.file("f"), place.file(name)).waitForTool()
                #expect(result["uploaded"] == true, "\(result)")
            }
            let broker = try #require(daemon.fileBrokers().first)
            #expect(daemon.fileBrokers().count == 1)
            #expect(broker.status("Seccomp") == "2" && broker.status("NoNewPrivs") == "1")
            #expect(broker.status("CapEff") == "0000000000000000" && broker.status("Threads") == "1")
            let environment = broker.environment
            #expect(environment.isEmpty || environment == ["LANG=C.UTF-8"], "\(environment)")
            client.closeAbruptly()
            try waitUntil("the broker's end") { !broker.isAlive }
        }
    }

    @Test("the supervisor holds no descriptor of a local file, the worker and its broker do")
    func descriptors() throws {
        try withDaemon(on: try Remote(PrivateSSHD.Options())) { daemon, client in
            let (place, local) = (try Place(), try Place())
            try place.makeSparse("source", size: 256 << 20)
            let token = JSON.string("t")
            let call = try client.beginTool(
                "ssh_download_file",
                ["local_path": .string(local.file("f")), "remote_path": .string(place.file("source"))],
                meta: ["progressToken": token])
            try waitUntil("the first report") { !client.progress(token).isEmpty || call.isAnswered }
            func open(of pid: pid_t) -> [String] {
                let folder = "/proc/\(pid)/fd"
                return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
                    .compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)") }
                    .filter { $0.hasPrefix(local.directory.path) }
            }
            let broker = try #require(daemon.fileBrokers().first)
            // Not even its own user may look into a process that is not dumpable.
            if !call.isAnswered, geteuid() == 0 { #expect(!open(of: broker.pid).isEmpty) }
            #expect(open(of: daemon.pid) == [])
            _ = try call.waitForTool(timeout: .seconds(120))
            #expect(open(of: daemon.pid) == [])
        }
    }

    @Test("a broker that is killed: what it held is lost, which is told; the next request starts another one")
    func killed() throws {
        let remote = try Remote(PrivateSSHD.Options())
        defer { remote.stop() }
        try withDaemon(on: remote) { daemon, client in
            let (place, local) = (try Place(), try Place())
            try place.makeSparse("source", size: 64 << 20)
            try local.write("f", "content")
            let token = JSON.string("t")
            let call = try client.beginTool(
                "ssh_download_file",
                ["local_path": .string(local.file("new")), "remote_path": .string(place.file("source"))],
                meta: ["progressToken": token])
            try waitUntil("the first report") { !client.progress(token).isEmpty || call.isAnswered }
            remote.sshd.pause(true)
            try #require(!call.isAnswered)
            let broker = try #require(daemon.fileBrokers().first)
            broker.killIfAlive()
            try waitUntil("its end") { !broker.isAlive }
            remote.sshd.pause(false)
            let result = try call.waitForTool(timeout: .seconds(60))
            #expect(
                result.isError && result.text.contains("is lost") && result.text.contains(local.file("new")),
                "\(result)")
            #expect(try local.names == ["f"])
            let next = try Self.upload(client, local.file("f"), place.file("f")).waitForTool()
            #expect(next["uploaded"] == true, "\(next)")
            #expect(daemon.fileBrokers().count == 1)
        }
    }

    @Test("a broker that cannot be given a new policy is killed, so that it names no file by the old one")
    func deaf() throws {
        let remote = try Remote(PrivateSSHD.Options())
        defer { remote.stop() }
        try withDaemon(on: remote) { daemon, client in
            let (place, local) = (try Place(), try Place())
            try place.makeSparse("source", size: 64 << 20)
            let token = JSON.string("t")
            let call = try client.beginTool(
                "ssh_download_file",
                ["local_path": .string(local.file("new")), "remote_path": .string(place.file("source"))],
                meta: ["progressToken": token])
            try waitUntil("the first report") { !client.progress(token).isEmpty || call.isAnswered }
            remote.sshd.pause(true)
            try #require(!call.isAnswered)
            let broker = try #require(daemon.fileBrokers().first)
            kill(broker.pid, SIGSTOP)
            // Each reload is a message to the broker, until its channel is full.
            for number in 1...1000 where broker.isAlive {
                let roots = JSON.array([.string(local.directory.path), .string("/nowhere/\(number)")])
                try daemon.rewriteConfig(
                    remote.config(["local_roots": roots]).merging(["mcp_socket": .string(daemon.socketPath)]))
                daemon.signal(SIGHUP)
                try waitUntil("reload \(number)") { daemon.logCount(of: "config reloaded") == number }
            }
            #expect(!broker.isAlive)
            #expect(daemon.logCount(of: "it cannot be given the new policy") == 1)
            remote.sshd.pause(false)
            let result = try call.waitForTool(timeout: .seconds(60))
            #expect(result.isError && result.text.contains("is lost"), "\(result)")
            #expect(try local.names == [])
        }
    }

    @Test("200 transfers at once: each upload is made, downloads beyond sixteen are told to wait, and all goes on")
    func many() throws {
        let (place, local) = (try Place(), try Place())
        try local.write("f", "content")
        try place.write("g", "content")
        try withDaemon { daemon, client in
            let uploads = try (0..<100).map { try Self.upload(client, local.file("f"), place.file("u\($0)")) }
            let downloads = try (0..<100).map { try Self.download(client, place.file("g"), local.file("d\($0)")) }
            for call in uploads {
                let result = try call.waitForTool(timeout: .seconds(120))
                #expect(result["uploaded"] == true, "\(result)")
            }
            var done = 0
            for call in downloads {
                let result = try call.waitForTool(timeout: .seconds(120))
                if result["downloaded"] == true { done += 1; continue }
                #expect(result.isError && result.text.contains("downloads are under way"), "\(result)")
            }
            #expect(done >= 16)
            #expect(try local.names.count == done + 1)
            #expect(daemon.fileBrokers().count == 1)
            let last = try Self.download(client, place.file("g"), local.file("last")).waitForTool()
            #expect(last["downloaded"] == true, "\(last)")
        }
    }

    @Test("descriptors that other processes of the user have under way to each other are in no transfer's way")
    func inFlight() throws {
        let (place, local) = (try Place(), try Place())
        try local.write("f", "content")
        try place.write("g", "content")
        var ends: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { for end in ends { close(end) } }
        for _ in 0..<50 { #expect(csd_send_message(ends[0], [0], 1, [0, 0, 0], 3) == 1) }
        try withDaemon { _, client in
            let sent = try Self.upload(client, local.file("f"), place.file("f")).waitForTool()
            #expect(sent["uploaded"] == true, "\(sent)")
            for number in 0..<18 {
                let result = try Self.download(client, place.file("g"), local.file("d\(number)")).waitForTool()
                #expect(result["downloaded"] == true, "\(result)")
            }
        }
    }

    @Test("a reload that narrows local_roots: what has a handle gets its name, what is asked for anew is judged anew")
    func narrowed() throws {
        let remote = try Remote(PrivateSSHD.Options())
        defer { remote.stop() }
        let (place, local, other) = (try Place(), try Place(), try Place())
        try place.makeSparse("source", size: 64 << 20)
        try local.write("f", "content")
        try other.write("f", "content")
        try withDaemon(["local_roots": ["/tmp"]], on: remote) { daemon, client in
            let token = JSON.string("t")
            let call = try client.beginTool(
                "ssh_download_file",
                ["local_path": .string(local.file("new")), "remote_path": .string(place.file("source"))],
                meta: ["progressToken": token])
            try waitUntil("the first report") { !client.progress(token).isEmpty || call.isAnswered }
            remote.sshd.pause(true)
            try #require(!call.isAnswered)
            try daemon.rewriteConfig(
                remote.config(["local_roots": [.string(other.directory.path)]])
                    .merging(["mcp_socket": .string(daemon.socketPath)]))
            daemon.signal(SIGHUP)
            try daemon.waitForLog("config reloaded")
            let refused = try Self.upload(client, local.file("f"), place.file("u")).waitForTool()
            #expect(refused.isError && refused.text.contains("not in local_roots"), "\(refused)")
            #expect(refused.text.contains(other.directory.path), "\(refused)")
            remote.sshd.pause(false)
            let result = try call.waitForTool(timeout: .seconds(60))
            #expect(result["downloaded"] == true, "\(result)")
            #expect(try local.names == ["f", "new"])
            let allowed = try Self.upload(client, other.file("f"), place.file("u")).waitForTool()
            #expect(allowed["uploaded"] == true, "\(allowed)")
            try waitUntil("one broker") { daemon.fileBrokers().count == 1 }
        }
    }

    @Test(
        "a reload that narrows local_roots while hundreds of files are open and asked for: each call is made or refused, whole"
    )
    func narrowedAmongMany() throws {
        let remote = try Remote(PrivateSSHD.Options())
        defer { remote.stop() }
        let (place, local, other) = (try Place(), try Place(), try Place())
        try local.write("f", "content")
        try other.write("f", "content")
        try place.write("g", "content")
        try withDaemon(["local_roots": ["/tmp"]], on: remote) { daemon, client in
            remote.sshd.pause(true)
            let downloads = try (0..<16).map { try Self.download(client, place.file("g"), local.file("d\($0)")) }
            let uploads = try (0..<300).map { try Self.upload(client, local.file("f"), place.file("u\($0)")) }
            // Sixteen new files are open, and sixteen of the uploads have theirs; the others wait for these.
            let answered = try client.callTool("ssh_connection_status")
            #expect(!answered.isError, "\(answered)")
            let folder = "/proc/\(try daemon.waitForWorker().pid)/fd"
            try waitUntil("open files") {
                geteuid() != 0
                    || ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).count {
                        let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")
                        return target?.hasPrefix(local.directory.path) == true
                    } == 32
            }
            try daemon.rewriteConfig(
                remote.config(["local_roots": [.string(other.directory.path)]])
                    .merging(["mcp_socket": .string(daemon.socketPath)]))
            daemon.signal(SIGHUP)
            try daemon.waitForLog("config reloaded")
            let behind = try Self.upload(client, other.file("f"), place.file("behind"))
            remote.sshd.pause(false)
            for call in downloads {
                let result = try call.waitForTool(timeout: .seconds(120))
                #expect(result["downloaded"] == true, "what has a handle gets its name: \(result)")
            }
            var made = 0
            for (number, call) in uploads.enumerated() {
                let result = try call.waitForTool(timeout: .seconds(120))
                if result["uploaded"] == true {
                    made += 1
                    #expect(try place.content("u\(number)") == "content")
                } else {
                    #expect(result.isError && result.text.contains("not in local_roots"), "\(result)")
                    #expect(access(place.file("u\(number)"), F_OK) != 0)
                }
            }
            #expect(made == 16, "\(made)")
            #expect(try behind.waitForTool(timeout: .seconds(120))["uploaded"] == true)
            try waitUntil("one broker") { daemon.fileBrokers().count == 1 }
        }
    }

    @Test("a root that is replaced by a link while a transfer runs leads nowhere")
    func linkedRoot() throws {
        let remote = try Remote(PrivateSSHD.Options())
        defer { remote.stop() }
        let (place, local) = (try Place(), try Place())
        for name in ["root", "outside"] { local.makeDirectory(name) }
        try local.write("outside/secret", "secret")
        try place.makeSparse("source", size: 64 << 20)
        try withDaemon(["local_roots": [.string(local.file("root"))]], on: remote) { _, client in
            let token = JSON.string("t")
            let call = try client.beginTool(
                "ssh_download_file",
                ["local_path": .string(local.file("root/new")), "remote_path": .string(place.file("source"))],
                meta: ["progressToken": token])
            try waitUntil("the first report") { !client.progress(token).isEmpty || call.isAnswered }
            remote.sshd.pause(true)
            try #require(!call.isAnswered)
            #expect(rename(local.file("root"), local.file("moved")) == 0)
            #expect(symlink("outside", local.file("root")) == 0)
            let refused = try Self.upload(client, local.file("root/secret"), place.file("u")).waitForTool()
            #expect(refused.isError && refused.text.contains("local_roots"), "\(refused)")
            remote.sshd.pause(false)
            let result = try call.waitForTool(timeout: .seconds(60))
            #expect(result["downloaded"] == true, "\(result)")
            #expect(result["local_path"] == .string(local.file("moved/new")), "\(result)")
            #expect(result["note"]?.string?.contains(local.file("root/new")) == true, "\(result)")
            #expect(access(local.file("moved/new"), F_OK) == 0)
            #expect(access(local.file("outside/new"), F_OK) != 0)
        }
    }

    @Test("a root that is another directory by now is used as it is")
    func newRoot() throws {
        let (place, local) = (try Place(), try Place())
        local.makeDirectory("root")
        try local.write("root/f", "old")
        try withDaemon(["local_roots": [.string(local.file("root"))]]) { _, client in
            let first = try Self.upload(client, local.file("root/f"), place.file("first")).waitForTool()
            #expect(first["uploaded"] == true, "\(first)")
            rename(local.file("root"), local.file("moved"))
            local.makeDirectory("root")
            try local.write("root/f", "new")
            let second = try Self.upload(client, local.file("root/f"), place.file("second")).waitForTool()
            #expect(second["uploaded"] == true, "\(second)")
            #expect(try place.content("second") == "new")
        }
    }

    @Test("a broker program that is missing or broken: the call is told in a sentence, and the log says how to mend it")
    func noProgram() throws {
        let local = try Place()
        try local.write("f", "content")
        for (damage, what, mend) in [
            ("remove", "the program claude-ssh-files is missing", "install claude-ssh-daemon again"),
            ("exit 127", "a shared library of claude-ssh-files is missing", "ldd "),
            ("exit 3", "claude-ssh-files could not confine itself", "--selftest-escape"),
            ("exit 1", "claude-ssh-files ended: failed with exit status 1", "--selftest-escape"),
            ("kill -SEGV $$", "claude-ssh-files ended: crashed or killed by signal 11", "--selftest-escape"),
        ] {
            let place = try Place()
            let programs = try FakeFileBrokers([])
            let daemon = try Remote.shared().startDaemon([:], programs.options)
            defer { daemon.stop() }
            unlink(programs.brokerProgram)
            if damage != "remove" { try programs.write(damage) }
            let client = try daemon.connect()
            let result = try Self.upload(client, local.file("f"), place.file("f")).waitForTool()
            #expect(result.isError && result.text.contains(what), "\(result)")
            #expect(result.text.contains("look into the daemon's log"), "\(result)")
            let told = try daemon.waitForLog("a file broker failed")
            #expect(told["why"] == .string(what) && told["mend"]?.string?.contains(mend) == true, "\(told)")
            let next = try client.callTool("ssh_exec", ["command": "echo next"])
            #expect(next["stdout"] == "next\n")
            // Mended while the daemon runs.
            try programs.mend()
            let mended = try Self.upload(client, local.file("f"), place.file("f")).waitForTool()
            #expect(mended["uploaded"] == true, "\(mended)")
        }
    }

    @Test("a daemon whose broker program is missing says so when it starts, and only where transfers are on")
    func missingAtStart() throws {
        let programs = try FakeFileBrokers([])
        unlink(programs.brokerProgram)
        for isOn in [true, false] {
            let daemon = try Remote.shared().startDaemon(
                ["capabilities": ["file_write": .bool(isOn)]], programs.options)
            defer { daemon.stop() }
            #expect(daemon.logText().contains("transfers do not work") == isOn, "\(daemon.logText())")
        }
    }

    @Test(
        "a broker that breaks the rules ends, its call is told, and the daemon goes on",
        arguments: ["wrongID", "surplus", "oversized", "garbage", "early", "endless", "silent", "mute", "liar", "huge"])
    func hostile(conduct: String) throws {
        let (place, local) = (try Place(), try Place())
        try local.write("f", "content")
        let programs = try FakeFileBrokers([conduct])
        let daemon = try Remote.shared().startDaemon([:], programs.options)
        defer { daemon.stop() }
        let client = try daemon.connect()
        let call = try client.beginTool(
            "ssh_upload_file",
            ["local_path": .string(local.file("f")), "remote_path": .string(place.file("f")), "sha256": true])
        // Nobody waits for it meanwhile.
        let slowest = try (0..<10).map { _ in
            try ContinuousClock().measure { _ = try client.request("ping") }
        }.min()
        #expect(try #require(slowest) < .milliseconds(200))
        let result = try call.waitForTool(timeout: .seconds(30))
        #expect(result.isError, "\(result)")
        let next = try Self.upload(client, local.file("f"), place.file("f")).waitForTool()
        #expect(next["uploaded"] == true, "\(next)")
        #expect(daemon.logSize < 480 << 10)
        #expect(try daemon.terminate() == .exited(0))
    }

    @Test(
        "on a full disk a download fails with that, and leaves nothing",
        .enabled(if: isRoot, "only root can mount a file system"))
    func fullDisk() throws {
        let (place, local) = (try Place(), try TemporaryDirectory(readableByAll: true))
        guard mount("none", local.path, "tmpfs", UInt(MS_NOSUID), "size=1m,mode=777") == 0 else { return }
        defer { unmountNow(local.path) }
        try place.makeSparse("source", size: 8 << 20)
        try withDaemon { _, client in
            let result = try Self.download(client, place.file("source"), local.file("f")).waitForTool()
            #expect(result.isError && result.text.contains("o space left"), "\(result)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: local.path).isEmpty)
            // Filled by somebody else meanwhile: no inode is left for a name.
            try place.write("small", "x")
            let small = try Self.download(client, place.file("small"), local.file("f")).waitForTool()
            #expect(small["downloaded"] == true, "\(small)")
        }
    }

    @Test("the self-test of the file broker is refused what it must be, and keeps its own")
    func selfTest() throws {
        let result = try run("\(BuiltBinaries.folder())/\(BuiltBinaries.fileBrokerName)", ["--selftest-escape"])
        #expect(result.succeeded, "\(result.outputText)\(result.errorText)")
        #expect(result.outputText.contains("read /etc/passwd: refused"))
        #expect(!result.outputText.contains("SUCCEEDED") && !result.outputText.contains("FAILED"))
    }
}

/// umount2(2) with MNT_DETACH.
func unmountNow(_ path: String) { _ = umount2(path, 2) }
@_silgen_name("umount2") private func umount2(_ target: UnsafePointer<CChar>, _ flags: Int32) -> Int32
