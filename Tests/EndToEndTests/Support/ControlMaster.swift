import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// A real ControlMaster session to a `PrivateSSHD`, as the user would bring it up with `ssh -M -S SOCKET -N`.
// @unchecked: `master` is only touched under `lock`.
final class ControlMaster: @unchecked Sendable {
    /// As it is given to `ssh -S`, which expands tokens in it.
    let socketPath: String
    let sshd: PrivateSSHD
    /// The account that the master runs as; nil is this process's own.
    let account: Account?
    private let directory: TemporaryDirectory
    private let ssh: String
    private let options: [String]
    private let lock = NSLock()
    private var master: ChildProcess?

    /// Returns when `ssh -O check` succeeds.
    /// - Parameters:
    ///   - options: further ones, ssh_config(5), as the user's configuration may have them.
    ///   - socketName: of the socket; ssh expands tokens in it.
    init(
        to sshd: PrivateSSHD, account: Account? = nil, options: [String] = [], socketName: String = "master.sock"
    ) throws {
        self.sshd = sshd
        self.options = options
        self.account = account
        ssh = try findProgram("ssh")
        directory = try TemporaryDirectory(owner: account)
        socketPath = directory.file(socketName)
        try directory.write("key", Data(contentsOf: URL(filePath: sshd.clientKey)), owner: account)
        try directory.write("known_hosts", Data(contentsOf: URL(filePath: sshd.knownHosts)), owner: account)
        try start()
    }

    deinit {
        stop()
        directory.remove()
    }

    /// `user@address` as ssh takes it.
    var destination: String { "\(sshd.loginUser.name)@\(sshd.address)" }

    /// The master's pid; nil when it is down.
    var pid: pid_t? { lock.withLock { master?.status == nil ? master?.pid : nil } }

    /// Whether `ssh -O check` says that the master runs.
    func isAlive() throws -> Bool { try control("check").succeeded }

    /// `ssh -O command`, with further arguments such as `-L …`.
    @discardableResult
    func control(_ command: String, _ arguments: [String] = []) throws -> CommandResult {
        try run(
            ssh, ["-F", "none", "-p", "\(sshd.port)", "-S", socketPath, "-O", command] + arguments + [destination],
            account: account)
    }

    /// Runs a command as plain `ssh -S` does: the yardstick for the daemon's answers.
    ///
    /// With a dead master it fails (exit code 255): plain `ssh -S` would connect by itself.
    func exec(_ command: String, input: Data = Data(), timeout: Duration = defaultTimeout) throws -> CommandResult {
        try run(
            ssh,
            [
                "-F", "none", "-S", socketPath, "-T", "-o", "BatchMode=yes", "-o", "ProxyCommand=false", "--",
                destination,
                command,
            ],
            input: input, account: account, timeout: timeout)
    }

    /// `ssh -O exit`: the socket goes with the master.
    func stop() {
        guard let running = lock.withLock({ master }), running.status == nil else { return }
        _ = try? control("exit")
        // A frozen or broken master is not waited for: stop() below kills it.
        _ = try? running.waitForExit(timeout: .seconds(5))
        running.stop()
    }

    /// SIGKILL: the socket file stays behind, nobody listens on it.
    func kill() { lock.withLock { master }?.stop() }

    /// Up again on the same path, after `stop()` or `kill()` or instead of them.
    func restart() throws {
        stop()
        try start()
    }

    private func start() throws {
        let log = directory.file("master.log")
        unlink(log)
        // `ssh -M` does not replace a stale socket: it would run, but without multiplexing.
        unlink(socketPath)
        let all =
            [
                "BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none", "IdentityFile=\(directory.file("key"))",
                "StrictHostKeyChecking=yes", "UserKnownHostsFile=\(directory.file("known_hosts"))",
                "GlobalKnownHostsFile=/dev/null", "ControlPersist=no", "LogLevel=VERBOSE",
            ] + options
        let arguments =
            ["-M", "-N", "-S", socketPath, "-F", "none", "-p", "\(sshd.port)"] + all.flatMap { ["-o", $0] }
        let child = try ChildProcess(ssh, arguments + [destination], account: account, stderr: .file(log))
        lock.withLock { master = child }
        try waitUntil("ControlMaster at \(socketPath)") {
            if let status = child.status {
                let said = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
                throw HarnessError("the ControlMaster ended with \(status):\n\(said)\n\(sshd.logText())")
            }
            return try isAlive()
        }
    }
}
