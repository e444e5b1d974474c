import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// Hosts that want a worker to keep as much as it can: its largest size is measured, and it must live on.
@Suite(.serialized) struct HostileServerTests {
    /// Behaviours of Tests/HostileSFTPServer, by the tool that meets them.
    private static let listing = [
        "pairs", "largePair", "tinyNames", "longNames", "longLongNames", "links", "endlessLinks", "statuses", "handles",
    ]
    private static let reading = ["oneByte", "bytes", "endlessFile", "handles", "statuses"]

    /// What a worker may take beyond its size before, in kB: a page of a directory in all its forms, and what is under way.
    private static let most = 64 << 10

    /// Runs `body` with a daemon on a host whose SFTP server behaves so.
    private func withHost(_ behaviour: String, _ body: (RunningDaemon, MCPClient) throws -> Void) throws {
        var options = PrivateSSHD.Options(sftpSubsystem: false)
        options.extraConfig = ["Subsystem sftp \(try BuiltBinaries.hostileServer()) \(behaviour)"]
        let remote = try Remote(options)
        defer { remote.stop() }
        try withDaemon(["safeguards": ["allow_overwrite": true]], on: remote, body: body)
    }

    private func withDaemon(_ config: JSON, on remote: Remote, body: (RunningDaemon, MCPClient) throws -> Void) throws {
        try EndToEndTests.withDaemon(config, on: remote) { daemon, client in
            let worker = try daemon.waitForWorker()
            func peak() throws -> Int {
                try #require(worker.status("VmHWM")?.split(separator: " ").first.flatMap { Int($0) })
            }
            let before = try peak()
            try body(daemon, client)
            let grown = try peak() - before
            #expect(grown < Self.most, "from \(before) kB by \(grown) kB")
            #expect(worker.isAlive)
            let status = try client.callTool("ssh_connection_status")
            #expect(!status.isError)
        }
    }

    @Test("a directory of a hostile host takes no more than a page", arguments: listing)
    func list(behaviour: String) throws {
        try withHost(behaviour) { _, client in
            let call = try client.beginTool("ssh_list_dir", ["path": "/tmp/d", "limit": 10_000])
            _ = try call.waitForTool(timeout: .seconds(90))
        }
    }

    @Test("a file of a hostile host takes no more than what was asked for", arguments: reading)
    func read(behaviour: String) throws {
        try withHost(behaviour) { _, client in
            let calls = try (0..<8).map { index in
                try client.beginTool(
                    "ssh_read_file", (["path": "/tmp/f"] as JSON).merging(index % 2 == 0 ? [:] : ["tail_lines": 5]))
            }
            // Those that do not end are watched for a while.
            try? waitUntil("all answers", timeout: .seconds(5)) { calls.allSatisfy(\.isAnswered) }
        }
    }

    @Test("calls that are cancelled on a hostile host leave nothing behind", arguments: ["oneByte", "bytes", "pairs"])
    func cancelled(behaviour: String) throws {
        try withHost(behaviour) { _, client in
            for _ in 0..<20 {
                let calls = try (0..<20).map { index in
                    index % 2 == 0
                        ? try client.beginTool("ssh_read_file", ["path": "/tmp/f"])
                        : try client.beginTool("ssh_list_dir", ["path": "/tmp/d", "limit": 10_000])
                }
                for call in calls { try client.cancel(call) }
            }
        }
    }

    @Test("a file that claims 2^62 bytes is refused with figures before anything of it is written")
    func claim() throws {
        let local = try Place()
        try withHost("endlessFile") { _, client in
            let result = try client.callTool(
                "ssh_download_file", ["remote_path": "/tmp/f", "local_path": .string(local.file("f"))])
            #expect(result.isError && result.text.contains("4611686018427387904 bytes"), "\(result)")
            #expect(result.text.contains("are free there"), "\(result)")
        }
        #expect(try local.names == [])
    }
}
