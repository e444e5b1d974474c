import CLinux
import CProbes
import Glibc
import TestSupport
import Testing

@testable import Sandbox

/// What a worker that executes nothing cannot do. Each test confines one thread of a process of its own, and dies for real where that
/// is the claim.
@Suite struct WorkerConfinementTests {
    /// A thread's own confinement: the count of threads is the process's, and has a test elsewhere.
    static func confine() {
        do throws(SandboxError) {
            try Limits.worker.apply()
            try Capabilities.drop()
            _ = try Confinement.restrict(requireLandlock: false)
        } catch {
            exit(99)
        }
    }

    /// Not every architecture has all.
    static let forbidden = names.filter { probe_number($0) >= 0 }

    private static let names = [
        "execve", "execveat", "fork", "vfork", "unshare", "setns", "ptrace", "process_vm_readv", "process_vm_writev",
        "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "getsockopt", "setsockopt",
        "getpeername", "getsockname", "recvfrom", "sendmmsg", "recvmmsg",
        "creat", "openat2", "open_by_handle_at", "name_to_handle_at", "mkdir", "mkdirat", "mknodat", "link", "linkat",
        "symlinkat", "rename", "renameat2", "unlink", "unlinkat", "rmdir", "chdir", "fchdir", "chroot", "getcwd",
        "fchmod", "fchmodat", "fchown", "fchownat", "truncate", "ftruncate", "fallocate", "utimensat", "setxattr",
        "getxattr", "statfs", "getdents64", "umask", "inotify_init1", "fanotify_init",
        "readv", "writev", "preadv", "pwritev", "splice", "tee", "vmsplice", "sendfile", "copy_file_range",
        "dup", "dup2", "dup3", "pipe", "close_range", "ioctl", "flock", "select", "pselect6",
        "memfd_create", "memfd_secret", "userfaultfd", "io_uring_setup", "io_setup", "bpf", "perf_event_open",
        "keyctl", "add_key", "request_key", "mount", "umount2", "pivot_root", "move_mount", "kexec_load",
        "init_module", "finit_module", "reboot", "swapon", "personality", "modify_ldt", "ioperm", "iopl",
        "setuid", "setresuid", "setgroups", "capset", "capget", "seccomp", "landlock_create_ruleset",
        "setrlimit", "prlimit64", "setsid", "setpgid", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo",
        "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "wait4", "waitid", "shmget", "shmat", "semget", "msgget",
        "mq_open", "mlock", "mlockall", "mseal", "move_pages", "process_madvise", "sched_setaffinity",
        "sched_setscheduler", "signalfd4", "timer_create", "alarm", "setitimer", "getuid", "uname",
    ]

    @Test("a system call outside the table ends the process", arguments: forbidden)
    func forbiddenCallKills(name: String) async {
        await #expect(processExitsWith: .signal(SIGSYS)) { [name = name as String] in
            let number = probe_number(name)
            guard number >= 0 else { exit(98) }
            WorkerConfinementTests.confine()
            _ = probe_syscall(number, -1, -1, -1, -1, -1, -1)
            exit(0)
        }
    }

    /// Calls whose arguments decide: name and arguments.
    static let forbiddenArguments: [(String, [Int])] = [
        // A process: as fork makes it (SIGCHLD, with CLONE_CHILD_SETTID and CHILD_CLEARTID), as vfork and posix_spawn do, with
        // shared memory and files, with CLONE_PARENT; a thread in a namespace of its own, of another table of files, traced, or with
        // a signal at its end; the flags of a thread and CLONE_DETACHED.
        ("clone", [0x11, 0]), ("clone", [0x0120_0011, 0]), ("clone", [0x4111, 0]), ("clone", [0x0111, 0]),
        ("clone", [0xF00, 0]), ("clone", [0x8011, 0]), ("clone", [0x103D_0F00, 0]), ("clone", [0x403D_0F00, 0]),
        ("clone", [0x003D_0B00, 0]), ("clone", [0x003D_2F00, 0]), ("clone", [0x003D_0F11, 0]),
        ("clone", [0x007D_0F00, 0]),
        ("clone", [0, 0]), ("clone", [0x1_003D_0F00, 0]),
        // Memory that is executable or becomes so, is shared, or grows down.
        ("mmap", [0, 4096, 4, 0x22, -1, 0]), ("mmap", [0, 4096, 5, 0x2, 0, 0]), ("mprotect", [4096, 4096, 4]),
        ("mprotect", [4096, 4096, 5]), ("mmap", [0, 4096, 3, 0x21, -1, 0]), ("mmap", [0, 4096, 1, 0x1, 0, 0]),
        ("mmap", [0, 4096, 3, 0x23, -1, 0]), ("mmap", [0, 4096, 3, 0x122, -1, 0]),
        // F_DUPFD, F_GETFD, F_SETFD, F_SETLK, F_SETOWN, F_SETSIG, F_SETOWN_EX, F_OFD_SETLK, F_SETLEASE, F_NOTIFY,
        // F_DUPFD_CLOEXEC, F_SETPIPE_SZ, F_GETPIPE_SZ, F_ADD_SEALS, F_SET_RW_HINT, none.
        ("fcntl", [0, 0, 0]), ("fcntl", [0, 1, 0]), ("fcntl", [0, 2, 0]), ("fcntl", [0, 6, 0]), ("fcntl", [0, 8, 0]),
        ("fcntl", [0, 10, 0]), ("fcntl", [0, 15, 0]), ("fcntl", [0, 37, 0]), ("fcntl", [0, 1024, 0]),
        ("fcntl", [0, 1026, 0]), ("fcntl", [0, 1030, 0]), ("fcntl", [0, 1031, 0]), ("fcntl", [0, 1032, 0]),
        ("fcntl", [0, 1033, 0]), ("fcntl", [0, 1036, 0]), ("fcntl", [0, -1, 0]),
        // F_SETFL without O_NONBLOCK, and with O_ASYNC, O_APPEND, O_DIRECT.
        ("fcntl", [0, 4, 0]), ("fcntl", [0, 4, 1]), ("fcntl", [0, 4, 0x2800]), ("fcntl", [0, 4, 0xC00]),
        ("fcntl", [0, 4, 0x4800]),
        // PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_MM, PR_SET_PTRACER, PR_CAP_AMBIENT, PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER.
        ("prctl", [4, 1, 0]), ("prctl", [22, 2, 0]), ("prctl", [35, 1, 0]), ("prctl", [0x5961_6D61, 1, 0]),
        ("prctl", [47, 2, 21]), ("prctl", [1, 0, 0]), ("prctl", [36, 1, 0]),
        // Other processes: the parent, a group, all; a thread of another process.
        ("kill", [1, 0]), ("kill", [-1, 0]), ("tgkill", [1, 1, 0]),
        // To an address.
        ("sendto", [0, 0, 0, 0, 4096, 110]),
    ]

    @Test("an argument outside the table ends the process", arguments: forbiddenArguments.indices)
    func forbiddenArgumentKills(index: Int) async {
        await #expect(processExitsWith: .signal(SIGSYS)) { [index = index as Int] in
            let (name, arguments) = WorkerConfinementTests.forbiddenArguments[index]
            let padded = arguments + Array(repeating: 0, count: 6 - arguments.count)
            let number = probe_number(name)
            WorkerConfinementTests.confine()
            _ = probe_syscall(number, padded[0], padded[1], padded[2], padded[3], padded[4], padded[5])
            exit(0)
        }
    }

    @Test("nothing is opened and nothing is looked at, whatever the flags")
    func files() async throws {
        let directory = try TemporaryDirectory()
        let own = try directory.write("file", "kept", mode: 0o666)
        await #expect(processExitsWith: .success) { [own = own as String] in
            let names = [
                own, "/etc/passwd", "/dev/null", "/", "/proc/self/environ", "/proc/self/mem", "/proc/self/fd/0",
            ]
            let paths = names.map { $0.utf8CString }
            var status = stat()
            WorkerConfinementTests.confine()
            for (index, path) in paths.enumerated() {
                for flags in [0, 0o2, 0o1, 0o3, 0o100, 0o1000, 0o200_000, 0o10_000_000, 0o20_200_002] {
                    path.withUnsafeBufferPointer { path in
                        let address = Int(bitPattern: path.baseAddress)
                        // AT_FDCWD.
                        let at = probe_syscall(probe_number("openat"), -100, address, flags, 0o600, 0, 0)
                        guard at == Int(-EACCES) else { exit(Int32(10 + index)) }
                        let plain = probe_syscall(probe_number("open"), address, flags, 0o600, 0, 0, 0)
                        guard plain == Int(-EACCES) || probe_number("open") < 0 else { exit(Int32(30 + index)) }
                    }
                }
                guard stat(names[index], &status) == -1, errno == EACCES else { exit(Int32(50 + index)) }
                guard access(names[index], F_OK) == -1, errno == EACCES else { exit(Int32(70 + index)) }
            }
            exit(0)
        }
    }

    @Test("no process is started, whichever way the library goes", arguments: 0..<3)
    func processes(way: Int) async {
        await #expect(processExitsWith: .signal(SIGSYS)) { [way = way as Int] in
            let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("true"), nil]
            WorkerConfinementTests.confine()
            switch way {
            case 0:
                var pid: pid_t = 0
                _ = posix_spawn(&pid, "/bin/true", nil, nil, arguments, [nil])
            case 1: _ = execve("/bin/true", arguments, [nil])
            default: _ = popen("true", "r")
            }
            exit(0)
        }
    }

    @Test("what the worker and the runtime do passes: threads, memory, pipes, descriptors")
    func allowed() async throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("file", "kept")
        await #expect(processExitsWith: .success) { [path = path as String] in
            let file = open(path, O_RDWR | O_CLOEXEC)
            guard file >= 0 else { exit(1) }
            WorkerConfinementTests.confine()
            // A thread that has an allocator's arena of its own.
            var thread = pthread_t()
            guard pthread_create(&thread, nil, { _ in UnsafeMutableRawPointer(malloc(1 << 16)) }, nil) == 0,
                pthread_join(thread, nil) == 0
            else { exit(2) }
            var (reader, writer) = (Int32(-1), Int32(-1))
            guard csd_pipe(&reader, &writer) == 0, write(writer, "x", 1) == 1 else { exit(3) }
            var byte: UInt8 = 0
            guard read(reader, &byte, 1) == 1 else { exit(4) }
            var status = stat()
            guard csd_file_status(file, &status) == 0, status.st_size == 4, fsync(file) == 0 else { exit(5) }
            guard pwrite(file, "K", 1, 0) == 1, pread(file, &byte, 1, 0) == 1, byte == 0x4B else { exit(6) }
            // F_GETFL, F_SETFL; F_GET_SEALS of what has none is EINVAL.
            guard probe_syscall(probe_number("fcntl"), Int(reader), 3, 0, 0, 0, 0) >= 0,
                probe_syscall(probe_number("fcntl"), Int(reader), 4, Int(O_NONBLOCK), 0, 0, 0) == 0,
                probe_syscall(probe_number("fcntl"), Int(reader), 1034, 0, 0, 0, 0) == Int(-EINVAL)
            else { exit(7) }
            // Dispatch is told that it has lowered a priority: what it makes of a refusal ends in a socket.
            guard probe_syscall(probe_number("setpriority"), 0, 0, 10, 0, 0, 0) == 0 else { exit(8) }
            guard probe_syscall(probe_number("clone3"), -1, 0, 0, 0, 0, 0) == Int(-ENOSYS) else { exit(9) }
            exit(0)
        }
    }

    @Test("every line of the table has a reason, and no call stands in two")
    func table() {
        var seen: Set<String> = []
        for rule in WorkerSyscalls.rules(of: getpid()) {
            #expect(!rule.reason.isEmpty && !rule.names.isEmpty)
            for name in rule.names { #expect(seen.insert(name).inserted, "\(name) stands twice") }
        }
        #expect(seen.isDisjoint(with: Self.forbidden))
    }
}
