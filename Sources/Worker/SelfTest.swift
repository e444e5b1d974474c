internal import Glibc
internal import Sandbox

/// `--selftest-escape`: confines a process as in service, once for each way out, and has it try that. For the demo and for an
/// administrator who wants to see it on their own kernel.
enum SelfTest {
    static let option = "--selftest-escape"

    private static let attempts: [(what: String, attempt: @Sendable () -> Int32)] = [
        (
            "execute /bin/sh",
            {
                var arguments: [UnsafeMutablePointer<CChar>?] = [nil]
                return execve("/bin/sh", &arguments, &arguments)
            }
        ),
        (
            "start a process",
            {
                var pid: pid_t = 0
                var arguments: [UnsafeMutablePointer<CChar>?] = [nil]
                let result = posix_spawn(&pid, "/bin/sh", nil, nil, &arguments, &arguments)
                errno = result
                return -result
            }
        ),
        ("make an internet socket", { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }),
        ("make a local socket", { socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0) }),
        ("connect what it has", { connect(STDERR_FILENO, nil, 0) }),
        ("read /etc/passwd", { open("/etc/passwd", O_RDONLY) }),
        ("list /tmp", { open("/tmp", O_RDONLY | O_DIRECTORY) }),
        ("read /proc/self/environ", { open("/proc/self/environ", O_RDONLY) }),
        (
            "write /tmp/claude-ssh-worker.escape",
            { open("/tmp/claude-ssh-worker.escape", O_WRONLY | O_CREAT, 0o600) }
        ),
        (
            "look at /etc/passwd",
            {
                var status = stat()
                return stat("/etc/passwd", &status)
            }
        ),
        ("signal its parent", { kill(getppid(), 0) }),
    ]

    /// Has a process try each way, and says what came of it.
    static func run() -> Never {
        var held = true
        for (index, attempt) in attempts.enumerated() {
            var pid: pid_t = 0
            let words = ["claude-ssh-worker", option, "\(index)"].map { (word: String) in strdup(word) } + [nil]
            var status: Int32 = 0
            guard posix_spawn(&pid, "/proc/self/exe", nil, nil, words, [nil]) == 0, waitpid(pid, &status, 0) == pid
            else { fail("cannot start this program once more: errno \(errno)") }
            let outcome: String
            switch (status & 0x7F, status >> 8) {
            case (SIGSYS, _): outcome = "refused (SIGSYS)"
            case (0, let code) where code > refusedStatus:
                outcome = "refused (\(String(cString: strerror(code - refusedStatus))))"
            default:
                held = false
                outcome = "SUCCEEDED, the sandbox does not hold"
            }
            print("\(attempt.what): \(outcome)")
        }
        // What print(_:) has written so far.
        fflush(nil)
        _exit(held ? 0 : 1)
    }

    /// The exit status of an attempt that failed is this and its errno.
    private static let refusedStatus: Int32 = 64

    /// Tries one way.
    static func attempt(_ number: String) -> Never {
        guard let index = Int(number), attempts.indices.contains(index) else { fail("there is no attempt \(number)") }
        do throws(SandboxError) {
            _ = try Confinement.enter(requireLandlock: true)
        } catch {
            fail("\(error)", status: 3)
        }
        let result = attempts[index].attempt()
        _exit(result >= 0 ? 0 : refusedStatus + errno)
    }
}
