import CLinux
import Foundation
import Testing

/// Sockets as people have them in ssh_config, and what may lie at their paths.
@Suite struct SocketPathTests {
    @Test(
        "a master whose ControlPath has tokens is found, used, and named in the hint so that the same one comes back",
        arguments: ["cm-%C", "cm-%r@%h:%p", "100%%done.sock", "%n-%L-%l-%u-%i-%k"])
    func tokens(name: String) throws {
        let remote = try Remote(socketName: name)
        defer { remote.stop() }
        let entry = remote.hostEntry.merging(["port": .int(Int(remote.sshd.port))])
        try withDaemon(["hosts": ["box": entry]], on: remote) { _, client in
            #expect(try client.callTool("ssh_exec", ["command": "echo here"])["stdout"] == "here\n")
            let status = try client.callTool("ssh_connection_status")
            let host = try #require(status["hosts"]?.array?.first)
            #expect(host["connected"] == true)
            let path = try #require(host["socket"]?.string)
            #expect(access(path, F_OK) == 0, "\(path)")
            let server = try WebServer()
            let forward = try client.callTool(
                "ssh_forward_port", ["remote_host": "127.0.0.1", "remote_port": .int(server.port)])
            #expect(forward["status"] == "running", "\(forward)")
            remote.master.stop()
            let down = try client.callTool("ssh_exec", ["command": "true"])
            let socket = path.replacing("%", with: "%%")
            #expect(
                down.text.contains(
                    "ssh -M -S \(socket) -fN -o ServerAliveInterval=15 -o ServerAliveCountMax=3 -p \(remote.sshd.port) "
                        + remote.master.destination),
                "\(down)")
        }
    }

    @Test("a file that comes to lie at a socket's path is never to be removed by the hint")
    func strangeFiles() throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            try withDaemon(on: remote) { _, client in
                remote.master.stop()
                let path = remote.master.socketPath
                let makers: [(String, () -> Void)] = [
                    ("file", { _ = FileManager.default.createFile(atPath: path, contents: Data("key".utf8)) }),
                    ("directory", { mkdir(path, 0o700) }), ("pipe", { mkfifo(path, 0o600) }),
                ]
                for (kind, make) in makers {
                    make()
                    defer { remove(path) }
                    let texts = [
                        try client.callTool("ssh_exec", ["command": "true"]).text,
                        try client.callTool("ssh_connection_status").text,
                        try client.callTool("ssh_read_file", ["path": "/etc/hostname"]).text,
                        try client.callTool(
                            "ssh_forward_port", ["remote_host": "127.0.0.1", "remote_port": 80]
                        ).text,
                    ]
                    for text in texts {
                        #expect(!text.contains("rm -f") && !text.contains("ssh -M"), "\(kind): \(text)")
                        #expect(text.contains("is not a socket"), "\(kind): \(text)")
                    }
                }
                symlink("/etc/passwd", path)
                let linked = try client.callTool("ssh_exec", ["command": "true"]).text
                #expect(linked.contains("is a symbolic link") && !linked.contains("rm -f"), "\(linked)")
                #expect(!linked.contains("ssh -M -S"), "\(linked)")
                remove(path)
            }
        }
    }
}
