import CProbes
import Glibc
import TestSupport
import Testing

@testable import Sandbox

/// A worker that executes `ssh`. Each test confines one thread of a process of its own, and dies for real where that is the claim.
@Suite struct SeccompTests {
    /// A thread's own filter: the limits and the thread count are the process's and have their own tests.
    static func confine() {
        do throws(SandboxError) {
            // First, as in service: without no_new_privs an ordinary user may neither restrict nor filter.
            try Limits.worker.apply()
            try Capabilities.drop()
            _ = try Landlock.restrict(sshPath: "/usr/bin/ssh", required: false)
            _ = try SeccompFilter.loadWithListener(SSHSyscalls.rules)
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
        // Shared and anonymous memory, also under its newer name (MAP_SHARED_VALIDATE), and memory that grows down: no
        // limit counts these.
        ("mmap", [0, 4096, 3, 0x21, -1, 0]), ("mmap", [0, 4096, 1, 0x21, -1, 0]), ("mmap", [0, 4096, 3, 0x23, -1, 0]),
        ("mmap", [0, 4096, 0, 0x21, -1, 0]), ("mmap", [0, 4096, 3, 0x122, -1, 0]),
        // F_SETLK, F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY, F_SETPIPE_SZ, F_ADD_SEALS, F_SET_RW_HINT,
        // F_OFD_SETLK, none.
        ("fcntl", [0, 6, 0]), ("fcntl", [0, 8, 0]), ("fcntl", [0, 10, 0]), ("fcntl", [0, 15, 0]),
        ("fcntl", [0, 1024, 0]),
        ("fcntl", [0, 1026, 0]), ("fcntl", [0, 1031, 1 << 20]), ("fcntl", [0, 1033, 0]), ("fcntl", [0, 1036, 0]),
        ("fcntl", [0, 37, 0]), ("fcntl", [0, -1, 0]),
        // PR_SET_DUMPABLE to 1, PR_CAP_AMBIENT.
        ("prctl", [4, 1, 0]), ("prctl", [47, 2, 21]),
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

    @Test("files are opened with known flags only: no access mode 3, nothing created or emptied")
    func openFlags() async throws {
        // A file of its own: what is refused is refused for the flags.
        let directory = try TemporaryDirectory()
        let path = try directory.write("file", "kept")
        await #expect(processExitsWith: .success) { [name = path as String] in
            let file = open(name, O_RDONLY | O_CLOEXEC)
            let template = name.utf8CString
            guard file >= 0 else { exit(1) }
            do throws(SandboxError) {
                try Limits.worker.apply()
                _ = try SeccompFilter.loadWithListener(SSHSyscalls.rules)
            } catch {
                exit(99)
            }
            // Access mode 3; O_TRUNC; O_WRONLY; O_APPEND; O_EXCL; O_SYNC; O_ASYNC; O_DIRECT; O_NOATIME; O_PATH; O_CREAT;
            // O_TMPFILE, with and without its O_DIRECTORY; a bit above those that the kernel looks at.
            let flags = [
                0o3, 0o3 | 0o2_000_000, 0o3 | 0o1000, 0o3 | 0o4000, 0o1000, 0o1002, 0o1001, 0o1, 0o2002, 0o200,
                0o4_010_000,
                0o20_000, 0o40_000, 0o1_000_000, 0o10_000_000, 0o100, 0o102, 0o20_200_002, 0o20_000_002, 1 << 32,
                0o1000 | 1 << 40,
            ]
            let path = template.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) }
            for (index, flags) in flags.enumerated() {
                // AT_FDCWD.
                let at = probe_syscall(probe_number("openat"), -100, path, flags, 0o600, 0, 0)
                guard at == Int(-EACCES) else { exit(Int32(10 + index)) }
                let plain = probe_syscall(probe_number("open"), path, flags, 0o600, 0, 0, 0)
                guard plain == Int(-EACCES) || probe_number("open") < 0 else { exit(Int32(50 + index)) }
            }
            for (index, flags) in [0, 0o2_000_000, 0o2, 0o2_000_002].enumerated() {
                guard probe_syscall(probe_number("openat"), -100, path, flags, 0, 0, 0) >= 0 else {
                    exit(Int32(90 + index))
                }
            }
            var status = stat()
            guard fstat(file, &status) == 0, status.st_size == 4 else { exit(2) }
            exit(0)
        }
    }

    @Test("a socket is of AF_UNIX and exactly SOCK_STREAM, and has no options")
    func sockets() async {
        await #expect(processExitsWith: .success) {
            let stream = Int32(SOCK_STREAM.rawValue)
            var pair: [Int32] = [-1, -1]
            guard socketpair(AF_UNIX, stream | O_CLOEXEC, 0, &pair) == 0 else { exit(3) }
            SeccompTests.confine()
            for type in [Int32(2), 3, 5, 2 | O_CLOEXEC, 5 | O_NONBLOCK, stream | 0x10, -1] {
                guard socket(AF_UNIX, type, 0) == -1, errno == EACCES else { exit(1) }
            }
            for flags in [O_CLOEXEC, O_NONBLOCK, O_CLOEXEC | O_NONBLOCK] {
                guard socket(AF_UNIX, stream | flags, 0) == -1, errno == EACCES else { exit(2) }
            }
            guard socket(AF_UNIX, stream, 0) >= 0 else { exit(8) }
            var other: [Int32] = [-1, -1]
            guard socketpair(AF_UNIX, stream, 0, &other) == -1, errno == EACCES else { exit(9) }
            // SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_PEEK_OFF, SO_SNDBUF, SO_RCVBUF, SO_PASSCRED, SO_BUSY_POLL, and others
            // by number: all of SOL_SOCKET, and IP_TOS.
            var value: Int32 = 1
            for option in 0..<100 as Range<Int32> {
                guard setsockopt(pair[0], SOL_SOCKET, option, &value, 4) == -1, errno == ENOPROTOOPT else { exit(4) }
            }
            guard setsockopt(pair[0], 0, 1, &value, 4) == -1, errno == ENOPROTOOPT else { exit(5) }
            var length = socklen_t(4)
            guard getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &value, &length) == 0, value == stream else { exit(6) }
            // SO_GET_FILTER, SO_PEERPIDFD.
            for option in [26, 77] as [Int32] {
                guard getsockopt(pair[0], SOL_SOCKET, option, &value, &length) == -1, errno == EACCES else { exit(7) }
            }
            exit(0)
        }
    }

    @Test("what ssh and the runtime do with memory and descriptors passes")
    func allowedArguments() async {
        await #expect(processExitsWith: .success) {
            SeccompTests.confine()
            // F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC; F_GET_SEALS of what has none is EINVAL.
            let null = open("/dev/null", O_RDWR)
            for (index, command) in [0, 1, 2, 3, 4, 1030].enumerated() {
                guard probe_syscall(probe_number("fcntl"), Int(null), command, 0, 0, 0, 0) >= 0 else {
                    exit(Int32(10 + index))
                }
            }
            guard probe_syscall(probe_number("fcntl"), Int(null), 1034, 0, 0, 0, 0) == Int(-EINVAL) else { exit(1) }
            // Private and anonymous, with MAP_NORESERVE or MAP_STACK; of a file, private (also executable) and shared.
            let file = Int(open("/usr/lib/os-release", O_RDONLY | O_CLOEXEC))
            guard file >= 0 else { exit(2) }
            let mappings = [
                (3, 0x22, -1), (0, 0x4022, -1), (0, 0x20022, -1), (1, 0x2, file), (5, 0x2, file), (3, 0x2, file),
                (1, 0x1, file),
                (1, 0x802, file),
            ]
            for (index, (protection, flags, file)) in mappings.enumerated() {
                let address = probe_syscall(probe_number("mmap"), 0, 4096, protection, flags, file, 0)
                guard address > 0 else { exit(Int32(30 + index)) }
                let advised = probe_syscall(probe_number("madvise"), address, 4096, 4, 0, 0, 0)
                guard advised == 0 else { exit(Int32(50 + index)) }
            }
            // SIOCGIFINDEX is asked by the resolver for fe80::1%eth0: no interface, and the process lives.
            guard if_nametoindex("lo") == 0 else { exit(3) }
            let stream = Int(socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
            for request in [0x8933, 0x8910] {
                guard probe_syscall(probe_number("ioctl"), stream, request, 0, 0, 0, 0) == Int(-EACCES) else { exit(4) }
            }
            exit(0)
        }
    }

    @Test("descriptors that one process has in flight leave room for the user's other processes")
    func descriptorsInFlight() async {
        // 253 go in one message, and 1,024 is the usual limit of an ordinary process.
        #expect(Limits.worker.openFiles + 253 < 1024 - 128)
        await #expect(processExitsWith: .success) {
            // A pair holds what its buffer takes.
            var pair: [Int32] = [-1, -1]
            guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK, 0, &pair) == 0 else { exit(3) }
            SeccompTests.confine()
            // A lower limit than in service: descriptors in flight are the user's, and other tests pass some meanwhile.
            var limit = rlimit(rlim_cur: 64, rlim_max: 64)
            guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { exit(2) }
            var sent = 0
            while sent < 512 {
                let result = probe_send_descriptors(pair[0], pair[1], 40)
                if result == -ETOOMANYREFS { break }
                guard result > 0 else { exit(4) }
                sent += 40
            }
            // Also of root, which has no capability any more that would lift the limit.
            exit(sent <= 64 + 40 ? 0 : 1)
        }
    }

    @Test("nothing is created, by flags alone")
    func createFlags() async {
        await #expect(processExitsWith: .success) {
            do throws(SandboxError) {
                try Limits.worker.apply()
                _ = try SeccompFilter.loadWithListener(SSHSyscalls.rules)
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
        for rule in SSHSyscalls.rules {
            #expect(!rule.reason.isEmpty)
            #expect(!rule.names.isEmpty)
            for name in rule.names { #expect(seen.insert(name).inserted, "\(name) stands twice") }
        }
        #expect(seen.isDisjoint(with: SeccompTests.forbidden))
    }
}
