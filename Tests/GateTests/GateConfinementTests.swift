import CLinux
import CProbes
import Glibc
import Testing

@testable import Gate
@testable import Sandbox

/// What a gate cannot do. Each test confines one thread of a process of its own, and dies for real where that is the claim.
@Suite struct GateConfinementTests {
    /// A thread's own confinement: the count of threads is the process's, and has a test elsewhere.
    static func confine() {
        do throws(SandboxError) {
            try Limits(data: 1 << 30, addressSpace: 64 << 30, openFiles: 640, addedTasks: nil).apply()
            try Capabilities.drop()
            _ = try Landlock.restrict(required: false) { _ throws(SandboxError) in }
            try SeccompFilter.load(GateSyscalls.rules)
        } catch {
            exit(99)
        }
    }

    /// Not every architecture has all.
    static let forbidden = names.filter { probe_number($0) >= 0 }

    private static let names = [
        "open", "openat", "openat2", "creat", "stat", "newfstatat", "statx", "readlinkat", "access", "linkat",
        "renameat2",
        "unlinkat", "socket", "socketpair", "connect", "bind", "listen", "accept4", "getsockopt", "setsockopt",
        "shutdown",
        "sendto", "sendmmsg", "recvmmsg", "readv", "writev", "pwrite64", "execve", "execveat", "fork", "vfork", "clone",
        "clone3", "ptrace", "process_vm_readv", "memfd_create", "io_uring_setup", "userfaultfd", "bpf", "keyctl",
        "mount",
        "umount2", "pivot_root", "chroot", "unshare", "setns", "chdir", "fchmodat", "fchownat", "mkdirat", "mknodat",
        "truncate", "ftruncate", "kill", "tkill", "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "setuid", "capset",
        "seccomp", "setrlimit", "prlimit64", "dup", "dup2", "dup3", "ioctl", "getdents64", "open_by_handle_at",
        "tee", "vmsplice", "sendfile", "copy_file_range", "shmget", "inotify_init1", "fanotify_init", "personality",
        "setsid",
        "setpgid", "epoll_create1", "timerfd_create", "eventfd2", "perf_event_open", "add_key", "nanosleep",
    ]

    @Test("a system call outside the table ends the process", arguments: forbidden)
    func forbiddenCallKills(name: String) async {
        await #expect(processExitsWith: .signal(SIGSYS)) { [name = name as String] in
            let number = probe_number(name)
            guard number >= 0 else { exit(98) }
            GateConfinementTests.confine()
            _ = probe_syscall(number, -1, -1, -1, -1, -1, -1)
            exit(0)
        }
    }

    /// Calls whose arguments decide: name and arguments.
    static let forbiddenArguments: [(String, [Int])] = [
        // Memory that is executable or becomes so.
        ("mmap", [0, 4096, 4, 0x22]), ("mprotect", [0, 4096, 4]), ("madvise", [0, 4096, 10]),
        // F_DUPFD, F_DUPFD_CLOEXEC, F_SETOWN, F_SETLEASE, F_ADD_SEALS, F_SETPIPE_SZ.
        ("fcntl", [0, 0]), ("fcntl", [0, 1030]), ("fcntl", [0, 8]), ("fcntl", [0, 1024]), ("fcntl", [0, 1033]),
        ("fcntl", [0, 1031]),
    ]

    @Test("an argument outside the table ends the process", arguments: 0..<forbiddenArguments.count)
    func forbiddenArgumentKills(index: Int) async {
        await #expect(processExitsWith: .signal(SIGSYS)) { [index = index as Int] in
            let (name, arguments) = GateConfinementTests.forbiddenArguments[index]
            let padded = arguments + Array(repeating: 0, count: 6 - arguments.count)
            let number = probe_number(name)
            GateConfinementTests.confine()
            _ = probe_syscall(number, padded[0], padded[1], padded[2], padded[3], padded[4], padded[5])
            exit(0)
        }
    }

    @Test func `every line of the table has a reason, and no call stands in two`() {
        var seen: Set<String> = []
        for rule in GateSyscalls.rules {
            #expect(!rule.reason.isEmpty && !rule.names.isEmpty)
            for name in rule.names { #expect(seen.insert(name).inserted, "\(name) stands twice") }
        }
        #expect(seen.isDisjoint(with: Self.forbidden))
    }
}
