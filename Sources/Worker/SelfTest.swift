internal import Glibc
internal import Sandbox

/// `--selftest-escape`: confines a process as in service, once for each way out, and has it try that. For the demo and for an
/// administrator who wants to see it on their own kernel. `--selftest-escape ssh` does it for `"transport": "ssh"`, and
/// `--selftest-escape ssh PATH` with that `ssh_path`.
enum SelfTest {
    static let option = "--selftest-escape"

    /// The confinement of which transport is tried.
    private enum Profile {
        case mux
        case ssh(path: String)

        /// The words that name it on the command line, behind the option.
        var words: [String] {
            switch self {
            case .mux: []
            case .ssh(let path): ["ssh", path]
            }
        }

        var attempts: [Attempt] {
            switch self {
            case .mux: SelfTest.attempts
            case .ssh(let path): SelfTest.sshAttempts(path)
            }
        }

        func enter() throws(SandboxError) {
            switch self {
            case .mux: _ = try Confinement.enter(requireLandlock: true)
            case .ssh(let path):
                // Nobody has the listener, so that what is connected fails. In service it leads to the gate.
                close(try SSHConfinement.enter(sshPath: path, requireLandlock: true).listener)
            }
        }
    }

    /// One way out, and whether it must be open: a worker has a right to it.
    private typealias Attempt = (what: String, isRight: Bool, attempt: @Sendable () -> Int32)

    /// Acts on the words of a command line behind the option; returns where there are none that it knows.
    static func act(on words: [String]) {
        switch words {
        case []: run(.mux)
        case ["ssh"]: run(.ssh(path: "/usr/bin/ssh"))
        case let words where words.count == 2 && words[0] == "ssh": run(.ssh(path: words[1]))
        case let words where words.count == 3 && words[0] == "ssh": attempt(words[2], .ssh(path: words[1]))
        case let words where words.count == 1: attempt(words[0], .mux)
        default: break
        }
    }

    private static let attempts: [Attempt] = [
        (
            "execute /bin/sh", false,
            {
                var arguments: [UnsafeMutablePointer<CChar>?] = [nil]
                return execve("/bin/sh", &arguments, &arguments)
            }
        ),
        (
            "start a process", false,
            {
                var pid: pid_t = 0
                var arguments: [UnsafeMutablePointer<CChar>?] = [nil]
                let result = posix_spawn(&pid, "/bin/sh", nil, nil, &arguments, &arguments)
                errno = result
                return -result
            }
        ),
        ("make an internet socket", false, { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }),
        ("make a local socket", false, { socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0) }),
        ("connect what it has", false, { connect(STDERR_FILENO, nil, 0) }),
        ("read /etc/passwd", false, { open("/etc/passwd", O_RDONLY) }),
        ("list /tmp", false, { open("/tmp", O_RDONLY | O_DIRECTORY) }),
        ("read /proc/self/environ", false, { open("/proc/self/environ", O_RDONLY) }),
        (
            "write /tmp/claude-ssh-worker.escape", false,
            { open("/tmp/claude-ssh-worker.escape", O_WRONLY | O_CREAT, 0o600) }
        ),
        (
            "look at /etc/passwd", false,
            {
                var status = stat()
                return stat("/etc/passwd", &status)
            }
        ),
        ("signal its parent", false, { kill(getppid(), 0) }),
    ]

    /// Those of a worker that executes the `ssh` at this path, and reads what that needs.
    private static func sshAttempts(_ path: String) -> [Attempt] {
        [
            ("execute \(path)", true, { execute(path, "-V") }),
            ("execute /bin/sh", false, { execute("/bin/sh", "-c", "exit 0") }),
            ("make an internet socket", false, { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }),
            ("make a datagram socket", false, { socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0) }),
            (
                "connect a local socket to anybody", false,
                {
                    let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
                    return number < 0 ? 0 : connect(number, nil, 0)
                }
            ),
            ("make a pair of sockets", false, { socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, nil) }),
            ("read /etc/shadow", false, { open("/etc/shadow", O_RDONLY) }),
            ("list /tmp", false, { open("/tmp", O_RDONLY | O_NONBLOCK | O_DIRECTORY | O_CLOEXEC) }),
            (
                "write /tmp/claude-ssh-worker.escape", false,
                { open("/tmp/claude-ssh-worker.escape", O_WRONLY | O_CREAT, 0o600) }
            ),
        ]
    }

    private static func execute(_ words: String...) -> Int32 {
        var arguments = words.map { (word: String) in strdup(word) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = [nil]
        return execve(words[0], &arguments, &environment)
    }

    /// Has a process try each way, and says what came of it.
    private static func run(_ profile: Profile) -> Never {
        var held = true
        for (index, attempt) in profile.attempts.enumerated() {
            var pid: pid_t = 0
            let words = (["claude-ssh-worker", option] + profile.words + ["\(index)"]).map { (word: String) in
                strdup(word)
            }
            var status: Int32 = 0
            guard posix_spawn(&pid, "/proc/self/exe", nil, nil, words + [nil], [nil]) == 0,
                waitpid(pid, &status, 0) == pid
            else { fail("cannot start this program once more: errno \(errno)") }
            let outcome: String
            switch (status & 0x7F, status >> 8, attempt.isRight) {
            case (0, unconfinedStatus, _):
                held = false
                outcome = "NOT TRIED, there is no sandbox"
            case (0, 0, true): outcome = "works, as it must"
            case (SIGSYS, _, false): outcome = "refused (SIGSYS)"
            case (0, let code, false) where code > refusedStatus:
                outcome = "refused (\(String(cString: strerror(code - refusedStatus))))"
            case (_, _, true):
                held = false
                outcome = "DOES NOT WORK"
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
    /// That of one for which there was no confinement.
    private static let unconfinedStatus: Int32 = 3

    /// Tries one way.
    private static func attempt(_ number: String, _ profile: Profile) -> Never {
        guard let index = Int(number), profile.attempts.indices.contains(index) else {
            fail("there is no attempt \(number)")
        }
        do throws(SandboxError) {
            try profile.enter()
        } catch {
            fail("\(error)", status: unconfinedStatus)
        }
        let result = profile.attempts[index].attempt()
        _exit(result >= 0 ? 0 : refusedStatus + errno)
    }
}
