import CProbes
import Glibc
import Testing

@testable import Sandbox

/// Each test confines one thread of a process of its own, and dies for real where that is the claim.
@Suite struct SeccompTests {
    /// A thread's own filter: the limits and the thread count are the process's and have their own tests.
    static func confine() {
        do throws(SandboxError) {
            // First, as in service: without no_new_privs an ordinary user may neither restrict nor filter.
            try Limits.apply()
            _ = try Landlock.restrict(sshPath: "/usr/bin/ssh", required: false)
            try SeccompFilter.load()
        } catch {
            exit(99)
        }
    }

    static let forbidden = [
        "ptrace", "process_vm_readv", "process_vm_writev", "memfd_create", "io_uring_setup", "userfaultfd", "bpf",
        "keyctl", "add_key", "request_key", "perf_event_open", "mount", "umount2", "pivot_root", "chroot", "unshare",
        "setns", "chdir", "fchmodat", "fchownat", "renameat2", "unlinkat", "linkat", "symlinkat", "truncate",
        "ftruncate", "utimensat", "setxattr", "kexec_load", "init_module", "finit_module", "reboot", "swapon",
        "personality", "open_by_handle_at", "execveat", "bind", "listen", "accept4", "setuid", "setresuid", "capset",
        "seccomp", "setrlimit", "pidfd_getfd", "setsid", "setpgid",
    ]

    @Test("a system call outside the table ends the process", arguments: forbidden)
    func forbiddenCallKills(name: String) async {
        await #expect(processExitsWith: .signal(SIGSYS)) { [name = name as String] in
            let number = probe_number(name)
            guard number >= 0 else { exit(98) }
            SeccompTests.confine()
            _ = probe_syscall(number, -1, -1, -1, -1, -1, -1)
            exit(0)
        }
    }

    /// Calls whose arguments decide: name and arguments.
    static let forbiddenArguments: [(String, [Int])] = [
        // TIOCSTI, then TIOCLINUX: both put input into a terminal.
        ("ioctl", [0, 0x5412, 0]), ("ioctl", [0, 0x541C, 0]),
        // PR_SET_SECCOMP, PR_SET_MM, PR_SET_PTRACER.
        ("prctl", [22, 2, 0]), ("prctl", [35, 1, 0]), ("prctl", [0x5961_6D61, 1, 0]),
        // CLONE_PARENT with SIGCHLD.
        ("clone", [0x8011, 0, 0]),
        // CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWNS, each with SIGCHLD.
        ("clone", [0x1000_0011, 0, 0]), ("clone", [0x4000_0011, 0, 0]), ("clone", [0x0002_0011, 0, 0]),
        // Memory that is writable and executable, and memory that becomes executable.
        ("mmap", [0, 4096, 7, 0x22, -1, 0]), ("mmap", [0, 4096, 6, 0x22, -1, 0]), ("mprotect", [4096, 4096, 5]),
        // AF_INET has no socket pairs, but only AF_UNIX is in the table.
        ("socketpair", [2, 1, 0, 0]),
        // Another process's limits.
        ("prlimit64", [1, 7, 0, 0]),
    ]

    @Test("arguments outside the table end the process", arguments: forbiddenArguments.indices)
    func forbiddenArgumentsKill(index: Int) async {
        await #expect(processExitsWith: .signal(SIGSYS)) { [index = index as Int] in
            let (name, given) = SeccompTests.forbiddenArguments[index]
            let arguments = given + Array(repeating: 0, count: 6 - given.count)
            let number = probe_number(name)
            guard number >= 0 else { exit(98) }
            SeccompTests.confine()
            _ = probe_syscall(
                number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5])
            exit(0)
        }
    }

    @Test("a call through another architecture's entry ends the process")
    func foreignArchitecture() async {
        #if arch(x86_64)
            await #expect(processExitsWith: .signal(SIGSYS)) {
                SeccompTests.confine()
                _ = probe_foreign_architecture()
                exit(0)
            }
        #endif
    }

    @Test("probing calls get an error and live on")
    func refusals() async {
        await #expect(processExitsWith: .success) {
            SeccompTests.confine()
            func result(_ name: String) -> Int { probe_syscall(probe_number(name), -1, -1, -1, -1, -1, -1) }
            let expected = [
                ("clone3", Int(-ENOSYS)), ("openat2", Int(-ENOSYS)), ("mkdirat", Int(-EACCES)),
            ]
            for (index, (name, code)) in expected.enumerated() where result(name) != code { exit(Int32(10 + index)) }
            for family in [AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK] {
                guard socket(family, Int32(SOCK_STREAM.rawValue), 0) == -1, errno == EACCES else { exit(20) }
            }
            // An address family in the upper half of the register is none that slips past the comparison.
            guard socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0) >= 0 else { exit(21) }
            exit(0)
        }
    }

    @Test("nothing is created, by flags alone")
    func createFlags() async {
        await #expect(processExitsWith: .success) {
            do throws(SandboxError) {
                try Limits.apply()
                try SeccompFilter.load()
            } catch {
                exit(99)
            }
            // Without Landlock it is the filter that refuses.
            guard open("/tmp/claude-ssh-worker.test", O_WRONLY | O_CREAT, 0o600) == -1, errno == EACCES else { exit(1) }
            guard open("/tmp", O_WRONLY | 0o20_200_000, 0o600) == -1, errno == EACCES else { exit(2) }
            exit(0)
        }
    }

    @Test("every line of the table has a reason, and no call stands in two")
    func table() {
        var seen: Set<String> = []
        for rule in SyscallTable.rules {
            #expect(!rule.reason.isEmpty)
            #expect(!rule.names.isEmpty)
            for name in rule.names { #expect(seen.insert(name).inserted, "\(name) stands twice") }
        }
        #expect(seen.isDisjoint(with: SeccompTests.forbidden))
    }
}
