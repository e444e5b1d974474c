import Foundation
import Testing
import TestSupport

/// A remote host to test against: an sshd and a ControlMaster session to it, under the name "box".
final class Remote: Sendable {
    let sshd: PrivateSSHD
    let master: ControlMaster

    /// - Parameter account: who runs the ControlMaster, and then the daemons (root only).
    init(
        _ options: PrivateSSHD.Options = PrivateSSHD.Options(), account: Account? = nil, masterOptions: [String] = [],
        socketName: String = "master.sock"
    ) throws {
        sshd = try PrivateSSHD(options)
        master = try ControlMaster(to: sshd, account: account, options: masterOptions, socketName: socketName)
    }

    /// The one that tests share, as long as they do not harm it; started when first asked for.
    ///
    /// Its MaxSessions is high, because the tests of a process run side by side on its one connection.
    static func shared() throws -> Remote { try result.get() }

    private static let result = Result {
        let remote = try Remote(PrivateSSHD.Options(maxSessions: 500))
        CrashCleanup.atExit { remote.stop() }
        return remote
    }

    func stop() {
        master.stop()
        sshd.stop()
    }

    /// The configuration for the one host "box" with all capabilities on, patched (RFC 7396: `null` removes a key).
    func config(_ overrides: JSON = [:]) -> JSON {
        let base: JSON = [
            "default_host": "box",
            "hosts": ["box": hostEntry],
            "capabilities": ["exec": true, "file_read": true, "file_write": true, "port_forward": true],
            // The directories of tests. Without it a daemon of root would open no local file.
            "local_roots": ["/tmp"],
        ]
        return base.merging(["transport": Self.transport]).merging(overrides)
    }

    /// What the environment of this process has as `TEST_TRANSPORT`: suites of commands and files run once more with `ssh`.
    static let transport = ProcessInfo.processInfo.environment["TEST_TRANSPORT"].map { JSON.string($0) } ?? .null

    /// The same in the single-host form of the reference.
    func singleHostConfig(_ overrides: JSON = [:]) -> JSON {
        config([
            "default_host": .null, "hosts": .null, "ssh_socket": .string(master.socketPath),
            "ssh_user": .string(sshd.loginUser.name), "ssh_host": .string(sshd.address),
        ]).merging(overrides)
    }

    /// The entry of `hosts`, for tests that name several.
    var hostEntry: JSON {
        [
            "socket": .string(master.socketPath), "user": .string(sshd.loginUser.name),
            "host": .string(sshd.address),
        ]
    }

    /// A daemon for `config(overrides)`, run by who runs the ControlMaster.
    func startDaemon(
        _ overrides: JSON = [:], _ options: RunningDaemon.Options = RunningDaemon.Options()
    ) throws -> RunningDaemon {
        var options = options
        options.account = options.account ?? master.account
        return try RunningDaemon(config: config(overrides), options, remote: self)
    }
}

/// Runs `body` with the shared remote, or with one of its own that is gone afterwards.
func withRemote<Result>(
    _ options: PrivateSSHD.Options? = nil, account: Account? = nil, _ body: (Remote) throws -> Result
) throws -> Result {
    if options == nil, account == nil { return try body(.shared()) }
    let remote = try Remote(options ?? PrivateSSHD.Options(), account: account)
    defer { remote.stop() }
    return try body(remote)
}

/// Runs `body` with a daemon on `remote` (the shared one if nil) and an initialised client; stops the daemon afterwards.
///
/// When `body` throws, the daemon's log goes to stderr of the tests.
/// A closure whose only `try` is inside `#expect` does not compile: write `let result = try …` and expect that, which
/// also makes the failure show the value.
func withDaemon<Result>(
    _ overrides: JSON = [:], on remote: Remote? = nil, _ options: RunningDaemon.Options = RunningDaemon.Options(),
    _ body: (RunningDaemon, MCPClient) throws -> Result
) throws -> Result {
    let daemon = try (remote ?? Remote.shared()).startDaemon(overrides, options)
    defer { daemon.stop() }
    do {
        let client = try daemon.connect()
        defer { client.closeAbruptly() }
        return try body(daemon, client)
    } catch {
        FileHandle.standardError.write(Data("--- log of daemon \(daemon.pid)\n\(daemon.logText())---\n".utf8))
        throw error
    }
}
