import CLinux
import Foundation
import Glibc
import IPC
import TestSupport
import Testing

/// What a worker that does not keep to the rules can do with the files of hosts: what the config allows, and no more.
@Suite struct HijackedFilesTests {
    @Test(
        "a worker that asks for what the policy does not allow is ended with the rule in the log, and nothing is done",
        arguments: [
            (
                "removeFile", ["capabilities": ["file_write": false]],
                "it asked over SFTP to change something where file_write is off"
            ),
            ("leaveTree", [:], "it named over SFTP a path outside base_dir"),
            ("leaveTree", ["capabilities": ["file_write": false]], "it named over SFTP a path outside base_dir"),
            ("giveSocket", [:], "it gave a session a descriptor that is no pipe"),
            ("babble", [:], "it sent its gate what is no message"),
        ] as [(String, JSON, String)])
    func ended(conduct: String, config: JSON, how: String) throws {
        let place = try Place()
        try place.write("f", "content")
        let workers = try FakeWorkers([conduct])
        let base: JSON = ["hosts": ["box": ["base_dir": .string(place.directory.path)]]]
        let daemon = try Remote.shared().startDaemon(base.merging(config), workers.options)
        defer { daemon.stop() }
        let client = try daemon.connect(initialize: false)
        _ = try client.begin("ping")
        _ = try client.waitForEOF()
        let ended = try daemon.waitForLog("worker ended")
        #expect(ended["how"] == .string("killed: \(how)"), "\(ended)")
        #expect(try place.content("f") == "content")
        // The next connection is served.
        let next = try daemon.connect()
        let read = try next.callTool("ssh_read_file", ["path": .string(place.file("f"))])
        #expect(read["content"] == "content", "\(read)")
    }

    @Test("a channel that may do more than the policy allows is not opened")
    func askForMore() throws {
        let place = try Place()
        try place.write("f", "content")
        let workers = try FakeWorkers(["askForMore"])
        let config: JSON = [
            "hosts": ["box": ["base_dir": .string(place.directory.path)]], "capabilities": ["file_write": false],
        ]
        let daemon = try Remote.shared().startDaemon(config, workers.options)
        defer { daemon.stop() }
        let client = try daemon.connect(initialize: false)
        _ = try client.begin("ping")
        // It got none, and then one as the policy is, over which it asks to remove the file.
        _ = try client.waitForEOF()
        let ended = try daemon.waitForLog("worker ended")
        #expect(ended["how"] == "killed: it asked over SFTP to change something where file_write is off", "\(ended)")
        #expect(try place.content("f") == "content")
    }

    @Test("no ssh is started for files, and a session ends at the host with whoever it was for")
    func ends() throws {
        let place = try Place()
        try place.write("f", "content")
        try withRemote(PrivateSSHD.Options()) { remote in
            let before = remote.sshd.serving().count
            for end in ["client", "worker", "gate", "daemon"] {
                let daemon = try remote.startDaemon(["ssh_path": "/bin/false"])
                defer { daemon.stop() }
                let client = try daemon.connect()
                let read = try client.callTool("ssh_read_file", ["path": .string(place.file("f"))])
                #expect(read["content"] == "content", "\(read)")
                #expect(remote.sshd.serving().count == before + 1)
                let worker = try daemon.waitForWorker()
                #expect(ProcessTable().descendants(of: worker.pid).isEmpty)
                switch end {
                case "client": client.closeAbruptly()
                case "worker": kill(worker.pid, SIGKILL)
                case "gate": kill(try #require(daemon.gates().first).pid, SIGKILL)
                default: kill(daemon.pid, SIGKILL)
                }
                try waitUntil("the end of the session after that of the \(end)") {
                    remote.sshd.serving().count == before
                }
            }
        }
    }

    @Test("a hundred sessions at once, all through one gate")
    func hundred() throws {
        let place = try Place()
        try place.write("f", "content")
        let names = (0..<100).map { "h\($0)" }
        try withRemote(PrivateSSHD.Options(maxSessions: 500)) { remote in
            let hosts = JSON.object(Dictionary(uniqueKeysWithValues: names.map { ($0, remote.hostEntry) }))
            let config: JSON = ["hosts": hosts, "default_host": "h0", "limits": ["sessions_per_host": 100]]
            let before = remote.sshd.serving().count
            try withDaemon(config, on: remote) { daemon, client in
                let calls = try names.map {
                    try client.beginTool("ssh_read_file", ["path": .string(place.file("f")), "host": .string($0)])
                }
                for call in calls {
                    let result = try call.waitForTool(timeout: .seconds(60))
                    #expect(result["content"] == "content", "\(result)")
                }
                // Those that nobody else waited for are still open.
                #expect(remote.sshd.serving().count > before + 80)
                #expect(daemon.gates().count == 1)
            }
        }
    }
}
