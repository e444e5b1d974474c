internal import Gate
internal import Glibc
internal import Sandbox

/// `--selftest-escape`: confines a process as in service, once for each way out, and has it try that. For an administrator who
/// wants to see it on their own kernel.
enum SelfTest {
    static let option = "--selftest-escape"

    private static let attempts: [(what: String, attempt: @Sendable () -> Int32)] = [
        ("open a file", { open("/etc/passwd", O_RDONLY | O_CLOEXEC) }),
        ("make a socket", { socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0) }),
        ("connect what it has", { connect(STDERR_FILENO, nil, 0) }),
        (
            "execute a program",
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
                return posix_spawn(&pid, "/bin/sh", nil, nil, &arguments, &arguments)
            }
        ),
        ("signal its parent", { kill(getppid(), 0) }),
        ("give a descriptor another number", { dup2(STDERR_FILENO, STDOUT_FILENO) }),
    ]

    /// Has a process try each way, and says how it ended.
    static func run() -> Never {
        var held = true
        for (index, attempt) in attempts.enumerated() {
            var pid: pid_t = 0
            let words = ["claude-ssh-gate", option, "\(index)"].map { (word: String) in strdup(word) } + [nil]
            var status: Int32 = 0
            guard posix_spawn(&pid, "/proc/self/exe", nil, nil, words, [nil]) == 0, waitpid(pid, &status, 0) == pid
            else { fail("cannot start this program once more: errno \(errno)") }
            let isKilled = status & 0x7F == SIGSYS
            held = held && isKilled
            let how = isKilled ? "killed (SIGSYS), as it must" : "NOT KILLED, the sandbox does not hold"
            print("\(attempt.what): \(how)")
        }
        // What print(_:) has written so far.
        fflush(nil)
        _exit(held ? 0 : 1)
    }

    /// Tries one way.
    static func attempt(_ number: String) -> Never {
        guard let index = Int(number), attempts.indices.contains(index) else { fail("there is no attempt \(number)") }
        do throws(SandboxError) {
            _ = try GateConfinement.enter(requireLandlock: true)
        } catch {
            fail("\(error)", status: 3)
        }
        _ = attempts[index].attempt()
        _exit(0)
    }
}
