import Dispatch
import Glibc
import IPC
import Synchronization

/// A shell of this machine.
package struct LocalShell: Sendable, CustomStringConvertible {
    package let description: String
    package let path: String
    /// Before `-c`.
    package var applet: [String] = []

    /// The program behind its links.
    private var program: String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    /// Whether it is bash, also where bash is `/bin/sh`.
    package var isBash: Bool { program.hasSuffix("/bash") }

    private init?(_ name: String, _ path: String, applet: [String] = []) {
        guard access(path, X_OK) == 0 else { return nil }
        (description, self.path, self.applet) = (name, path, applet)
    }

    /// Shells that can be `/bin/sh` somewhere, those that are installed here; what `/bin/sh` is here comes once.
    package static let posix: [LocalShell] = {
        let all = [
            LocalShell("sh", "/bin/sh"), LocalShell("dash", "/usr/bin/dash"), LocalShell("bash", "/usr/bin/bash"),
            LocalShell("bash --posix", "/usr/bin/bash", applet: ["--posix"]),
            LocalShell("busybox sh", "/usr/bin/busybox", applet: ["sh"]), LocalShell("ksh", "/usr/bin/ksh"),
            LocalShell("mksh", "/usr/bin/mksh"),
        ].compactMap { $0 }
        var seen: Set<[String]> = []
        return all.filter { seen.insert([$0.program] + $0.applet).inserted }
    }()

    /// Those, and zsh as it behaves under the name sh.
    package static let asSh =
        posix + [LocalShell("zsh as sh", "/usr/bin/zsh", applet: ["--emulate", "sh"])].compactMap { $0 }

    /// Shells that somebody may log in to, those that are installed here.
    package static let login: [LocalShell] =
        posix
        + [LocalShell("tcsh", "/usr/bin/tcsh"), LocalShell("fish", "/usr/bin/fish"), LocalShell("zsh", "/usr/bin/zsh")]
        .compactMap { $0 }

    /// Runs a line as `ssh host line` would, in a session of its own as under sshd.
    package func run(_ line: String, input: [UInt8] = [], environment: [String: String] = [:]) async throws -> LocalRun
    {
        try await LocalRun.of(path, applet + ["-c", line], input: input, environment: environment)
    }

    /// The line with this shell in the place of `/bin/sh`.
    package func interpreting(_ line: String) -> String {
        let words = ([path] + applet).joined(separator: " ")
        let start = "exec /bin/sh -c "
        if line.hasPrefix(start) { return "exec \(words) -c " + line.dropFirst(start.count) }
        // Behind the variables of an observer, which may hold anything.
        let call = " /bin/sh -c 'eval "
        guard let last = line.ranges(of: call).last else { preconditionFailure("no line of ours: \(line)") }
        return line[..<last.lowerBound] + " \(words) -c 'eval " + line[last.upperBound...]
    }
}

/// A local program that has ended.
package struct LocalRun: Sendable {
    /// 128 + n after signal n.
    package let status: Int
    package let stdout: [UInt8]
    package let stderr: [UInt8]

    package var text: String { String(decoding: stdout, as: UTF8.self) }

    /// Runs a program as the leader of a session of its own. `whileRunning` gets all of both streams so far, after each chunk
    /// of either stream.
    package static func of(
        _ path: String, _ arguments: [String], input: [UInt8] = [], environment: [String: String] = [:],
        whileRunning: @escaping @Sendable (_ stdout: [UInt8], _ stderr: [UInt8]) -> Void = { _, _ in }
    ) async throws -> LocalRun {
        // A home that nobody can make: fish would.
        let basic = ["PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/dev/null", "LANG": "C.UTF-8"]
        let variables = basic.merging(environment) { $1 }.map { "\($0.key)=\($0.value)" }
        let program = try Program(path, [path] + arguments, variables, input: input)
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                DispatchQueue(label: "local run").async { continuation.resume(returning: program.finish(whileRunning)) }
            }
        } onCancel: {
            program.abandon()
        }
    }
}

/// A program that runs, with its pipes.
private final class Program: Sendable {
    private let pid: pid_t
    private let output: OwnedFD
    private let error: OwnedFD
    private let abandoned = Atomic<Bool>(false)

    /// A test that is over does not wait for it: what it started may hold its streams open for ever.
    func abandon() {
        abandoned.store(true, ordering: .relaxed)
        kill(-pid, SIGKILL)
    }

    init(_ path: String, _ arguments: [String], _ environment: [String], input: [UInt8]) throws {
        var inputs = try Pipe()
        var outputs = try Pipe()
        var errors = try Pipe()
        guard let inner = inputs.readEnd.take(), let feed = inputs.writeEnd.take(), let output = outputs.readEnd.take(),
            let outer = outputs.writeEnd.take(), let error = errors.readEnd.take(), let other = errors.writeEnd.take()
        else { throw IPCError.closed }
        // It fits the pipe, so nobody waits.
        precondition(input.count <= 65_536 && write(feed.rawValue, input, input.count) == input.count)
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        for (number, end) in [inner.rawValue, outer.rawValue, other.rawValue].enumerated() {
            posix_spawn_file_actions_adddup2(&actions, end, Int32(number))
        }
        // POSIX_SPAWN_SETSID, SETSIGMASK and SETSIGDEF, spawn.h: signals as sshd leaves them, not as a queue's thread has them.
        var all = sigset_t()
        var none = sigset_t()
        sigfillset(&all)
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, 0x80 | 0x08 | 0x04)
        let words = arguments.map { strdup($0) } + [nil]
        let variables = environment.map { strdup($0) } + [nil]
        defer { for word in words + variables { free(word) } }
        var number: pid_t = 0
        let result = posix_spawn(&number, path, &actions, &attributes, words, variables)
        guard result == 0 else { throw IPCError.system(call: "posix_spawn", errno: result) }
        pid = number
        self.output = output
        self.error = error
    }

    /// Reads both streams to their end and waits for the process.
    func finish(_ whileRunning: (_ stdout: [UInt8], _ stderr: [UInt8]) -> Void) -> LocalRun {
        var kept: [[UInt8]] = [[], []]
        var waiting = [output.rawValue, error.rawValue].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while waiting.contains(where: { $0.fd >= 0 }) {
            if abandoned.load(ordering: .relaxed) { break }
            guard poll(&waiting, 2, 500) > 0 else { continue }
            for index in 0..<2 where waiting[index].fd >= 0 && waiting[index].revents != 0 {
                let count = read(waiting[index].fd, &chunk, chunk.count)
                if count > 0 { kept[index] += chunk[..<count] } else { waiting[index].fd = -1 }
            }
            whileRunning(kept[0], kept[1])
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        let signal = status & 0x7F
        return LocalRun(status: Int(signal == 0 ? status >> 8 & 0xFF : 128 + signal), stdout: kept[0], stderr: kept[1])
    }
}
