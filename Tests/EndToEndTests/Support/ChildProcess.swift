import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// How a process ended.
enum ExitStatus: Hashable, Sendable, CustomStringConvertible {
    case exited(Int32)
    case signaled(Int32)

    /// From `waitpid`, by the layout of wait(2)'s macros, which Swift cannot import.
    init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .exited((waitStatus >> 8) & 0xff) : .signaled(signal)
    }

    var description: String {
        switch self {
        case .exited(let code): "exit code \(code)"
        case .signaled(let signal): "signal \(signal)"
        }
    }
}

/// A child in its own process group, with no descriptor of ours but the three it is given.
///
/// Killed with its group by `stop()`, `deinit`, or the end of this process, whichever is first.
final class ChildProcess: Sendable {
    enum Stdio {
        case null
        case fd(Int32)
        /// Appends; created 0600 if missing.
        case file(String)
    }

    let pid: pid_t
    let commandLine: String
    private let waiter: Waiter

    /// The environment of every child that is not given another one.
    static let plainEnvironment = ["PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"]

    /// - Parameters:
    ///   - executable: an absolute path.
    ///   - account: run as this account (root only, by setpriv(1)); nil is this process's own.
    init(
        _ executable: String, _ arguments: [String], environment: [String: String] = plainEnvironment,
        account: Account? = nil, stdin: Stdio = .null, stdout: Stdio = .null, stderr: Stdio = .null
    ) throws {
        var command = [executable] + arguments
        if let account, account.uid != geteuid() {
            command =
                ["/usr/bin/setpriv", "--reuid=\(account.uid)", "--regid=\(account.gid)", "--clear-groups"] + command
        }
        commandLine = command.joined(separator: " ")
        pid = try ChildProcess.spawn(command, environment, [stdin, stdout, stderr])
        CrashCleanup.owe(.processGroup(pid))
        waiter = Waiter(pid: pid)
        let waiter = waiter
        Thread.detachNewThread {
            waiter.run()
            CrashCleanup.settle(.processGroup(waiter.pid))
        }
    }

    deinit { stop() }

    /// nil while it runs.
    var status: ExitStatus? { waiter.status }

    /// To the process alone, or to its whole group; nothing once it has been reaped.
    func signal(_ number: Int32, group: Bool = false) { waiter.signal(number, group: group) }

    /// Kills the whole group and reaps the child.
    func stop() {
        signal(SIGKILL, group: true)
        _ = waiter.wait(Deadline(in: .seconds(10)))
    }

    /// - Throws: `HarnessError` when it still runs after `timeout`.
    @discardableResult
    func waitForExit(
        timeout: Duration = defaultTimeout, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> ExitStatus {
        guard let status = waiter.wait(Deadline(in: timeout)) else {
            throw HarnessError("still running after \(timeout): \(commandLine)", at: sourceLocation)
        }
        return status
    }

    private static func spawn(
        _ command: [String], _ environment: [String: String], _ stdio: [Stdio]
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, target) in stdio.enumerated() {
            let number = Int32(number)
            switch target {
            case .null: posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDWR, 0)
            case .fd(let fd): posix_spawn_file_actions_adddup2(&actions, fd, number)
            case .file(let path):
                posix_spawn_file_actions_addopen(&actions, number, path, O_RDWR | O_CREAT | O_APPEND, 0o600)
            }
        }
        // Tests run side by side: a descriptor of another test must not live on in this child.
        posix_spawn_file_actions_closeFrom(&actions, 3)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        posix_spawnattr_setpgroup(&attributes, 0)
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        // The ignored SIGPIPE of this process must not be inherited.
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)

        let arguments = command.map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in arguments + variables { free(pointer) } }
        var pid: pid_t = 0
        let error = posix_spawn(&pid, command[0], &actions, &attributes, arguments, variables)
        guard error == 0 else {
            throw HarnessError("cannot start \(command[0]): \(String(cString: strerror(error)))")
        }
        return pid
    }
}

/// Reaps one child on a thread of its own and tells everybody who waits.
// @unchecked: `result` is only touched under `condition`.
private final class Waiter: @unchecked Sendable {
    let pid: pid_t
    private let condition = NSCondition()
    private var result: ExitStatus?

    init(pid: pid_t) { self.pid = pid }

    var status: ExitStatus? { condition.withLock { result } }

    func run() {
        var info = siginfo_t()
        // Look first, reap under the lock: a signal then never hits a reused pid.
        while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        condition.withLock {
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            result = ExitStatus(waitStatus: status)
            condition.broadcast()
        }
    }

    func signal(_ number: Int32, group: Bool) {
        condition.withLock {
            guard result == nil else { return }
            kill(group ? -pid : pid, number)
        }
    }

    func wait(_ deadline: Deadline) -> ExitStatus? {
        let limit = deadline.date
        return condition.withLock {
            while result == nil, condition.wait(until: limit) {}
            return result
        }
    }
}
