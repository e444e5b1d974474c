import Foundation
import Testing

/// Without a living ControlMaster nothing happens, least of all a connection of our own.
@Suite struct DeadMasterTests {
    @Test("a master that has gone is said at once, with the command that brings it back")
    func stopped() throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            try withDaemon(on: remote) { _, client in
                #expect(try client.callTool("ssh_exec", ["command": "true"])["exit_code"] == 0)
                let connections = remote.sshd.acceptedConnections()
                remote.master.stop()
                let hint =
                    "ssh -M -S \(remote.master.socketPath) -fN -o ServerAliveInterval=15 -o ServerAliveCountMax=3 \(remote.master.destination)"
                let result = try client.callTool("ssh_exec", ["command": "true"], timeout: .seconds(5))
                #expect(result.isError)
                #expect(result.text.contains(hint), "\(result)")
                let status = try client.callTool("ssh_connection_status")
                #expect(!status.isError)
                let host = try #require(status["hosts"]?.array?.first)
                #expect(host["connected"] == false)
                #expect(host["hint"]?.string?.contains(hint) == true)
                #expect(remote.sshd.acceptedConnections() == connections)
                try remote.master.restart()
                #expect(try client.callTool("ssh_exec", ["command": "echo back"])["stdout"] == "back\n")
            }
        }
    }

    @Test("a killed master leaves its socket behind, and the hint removes it")
    func stale() throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            try withDaemon(on: remote) { _, client in
                remote.master.kill()
                let result = try client.callTool("ssh_exec", ["command": "true"], timeout: .seconds(5))
                #expect(result.text.contains("rm -f \(remote.master.socketPath); ssh -M -S"), "\(result)")
            }
        }
    }

    @Test(
        "a master that is lost in the middle: the outcome is called unknown, and nothing is run again",
        arguments: BothTransports.all)
    func lost(transport: String) throws {
        try withRemote(PrivateSSHD.Options()) { remote in
            try withDaemon(BothTransports.config(transport), on: remote) { _, client in
                let mark = "32\(UInt32.random(in: 1_000_000...9_999_999))"
                let call = try client.beginTool("ssh_exec", ["command": .string("echo first; sleep \(mark)")])
                try waitUntil("the command running") { !remote.sshd.remoteProcesses(running: mark).isEmpty }
                remote.master.kill()
                let result = try call.waitForTool()
                #expect(result.isError)
                #expect(result.text.contains("unknown"), "\(result)")
                for process in remote.sshd.remoteProcesses(running: mark) { process.killIfAlive() }
            }
        }
    }

    /// The control: plain `ssh -S` of the same user does connect by itself, with the default key.
    @Test(
        "never a direct connection, even where the user's default key would let ssh in",
        .enabled(if: Account.canCreate, "only root can make accounts"))
    func neverDirect() throws {
        let account = try Account.throwAway(purpose: "agent")
        try withRemote(PrivateSSHD.Options(usesStandardPort: true), account: account) { remote in
            try remote.sshd.installDefaultKey(for: account)
            try withDaemon(on: remote) { _, client in
                remote.master.stop()
                let before = remote.sshd.acceptedConnections()
                let result = try client.callTool("ssh_exec", ["command": "true"], timeout: .seconds(5))
                #expect(result.isError)
                #expect(try client.callTool("ssh_connection_status")["hosts"]?.array?.first?["connected"] == false)
                #expect(remote.sshd.acceptedConnections() == before)
                let plain = try run(
                    "/usr/bin/ssh",
                    ["-S", remote.master.socketPath, "-o", "BatchMode=yes", remote.master.destination, "true"],
                    account: account)
                #expect(plain.succeeded, "the control must be able to connect: \(plain)")
                #expect(remote.sshd.acceptedConnections() > before)
            }
        }
    }
}
