internal import CLinux
internal import Glibc

/// The system calls of a worker whose sessions `ssh` opens (`"transport": "ssh"`), and of that `ssh`, which inherits the filter. They were found by strace(1) of both. Each line has a
/// reason.
enum SSHSyscalls {
    static let rules: [SyscallRule] =
        memory + files + descriptors + processes + signals + threads + sockets + identity + refusals

    static let memory: [SyscallRule] = [
        SyscallRule("brk munmap mremap", "allocator"),
        SyscallRule(
            "madvise", "allocator, thread stacks; the others change what belongs to whom",
            when: .equals(2, [4, 8, 14]), else: .refuse),  // MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE
        // Code comes from files: no page is writable and executable, and none becomes executable later. Memory that is shared and
        // anonymous, or grows down, is not allowed, because no limit counts it.
        SyscallRule("mmap", "allocator, loader", when: .oneOf(mappings)),
        SyscallRule("mprotect", "loader, thread stacks", when: .lacks(2, UInt64(PROT_EXEC))),
    ]

    static let files: [SyscallRule] = [
        // Landlock decides about paths. Without Landlock, still nothing is created or emptied. Landlock has no right for access
        // mode 3, which gives a descriptor for ioctl and leases, so that mode is not allowed here.
        SyscallRule("openat", "loader, name service, /dev/null", when: .equals(2, openFlags), else: .refuse),
        SyscallRule("open", "the same through the older call", when: .equals(1, openFlags), else: .refuse),
        SyscallRule("newfstatat fstat stat lstat statx", "loader, ssh looks at its socket"),
        SyscallRule("access faccessat faccessat2 readlink readlinkat", "loader, libcrypto"),
        SyscallRule("fstatfs", "free space before a download, of the descriptor that it goes into"),
        SyscallRule("getdents64", "closing descriptors by /proc/self/fd"),
        SyscallRule("getcwd", "ssh start-up"),
        SyscallRule("umask", "ssh start-up"),
    ]

    static let descriptors: [SyscallRule] = [
        SyscallRule("fsync sync_file_range", "a download, before it gets its name"),
        SyscallRule("read write readv writev pread64 pwrite64 lseek", "all input and output"),
        SyscallRule("close close_range dup dup2 dup3 pipe pipe2", "pipes to ssh"),
        // Leases, signals from descriptors, notices about directories and larger pipes are not among these.
        SyscallRule(
            "fcntl", "pipes to ssh, the sealed policy", when: .equals(1, descriptorCommands)),
        SyscallRule("poll ppoll select pselect6", "ssh's loop"),
        SyscallRule(
            "epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd2",
            "Dispatch, the reactor of ssh children"),
        SyscallRule("timerfd_create timerfd_settime timerfd_gettime", "Dispatch timers"),
        // FIONBIO and FIONREAD: ssh and Dispatch; TCGETS and TIOCGWINSZ: isatty. TIOCSTI is not among them.
        // Of an address such as fe80::1%eth0 the resolver asks for the interface's number; ssh needs no answer.
        SyscallRule(
            "ioctl", "isatty, non-blocking mode",
            when: .equals(
                1, [UInt64(CSD_TCGETS), UInt64(CSD_TIOCGWINSZ), UInt64(CSD_FIONREAD), UInt64(CSD_FIONBIO)]),
            else: .refuseOnly([UInt64(CSD_SIOCGIFINDEX), UInt64(CSD_SIOCGIFNAME)].map { [.equals(1, $0)] })),
    ]

    static let processes: [SyscallRule] = [
        // Landlock decides which programs can be executed: ssh and its loader.
        SyscallRule("execve", "start ssh"),
        SyscallRule("vfork fork", "start ssh"),
        SyscallRule("clone", "threads, start ssh", when: .lacks(0, forbiddenCloneFlags)),
        // The flags of clone3 are in memory that a filter cannot read. ENOSYS makes the library use clone.
        SyscallRule("clone3", "replaced by clone", when: .refused(errno: ENOSYS)),
        SyscallRule("wait4 waitid pidfd_open pidfd_send_signal", "follow ssh"),
        SyscallRule("exit exit_group", "end"),
        SyscallRule("getpid getppid gettid getpgrp getpgid getsid", "logs, process group"),
        SyscallRule("prlimit64", "own limits only", when: .equals(0, [0])),
        SyscallRule("getrlimit getrusage", "descriptor table size"),
        SyscallRule("arch_prctl", "thread pointer"),
        SyscallRule(
            "prctl", "thread names, ssh disables its own core files, libnss_systemd looks at capabilities",
            when: .oneOf(
                [CSD_PR_SET_NAME, CSD_PR_GET_DUMPABLE, CSD_PR_CAPBSET_READ, CSD_PR_SET_VMA].map {
                    [.equals(0, UInt64($0))]
                } + [[.equals(0, UInt64(CSD_PR_SET_DUMPABLE)), .equals(1, 0)]])),
    ]

    static let signals: [SyscallRule] = [
        SyscallRule("rt_sigaction rt_sigprocmask rt_sigreturn rt_sigsuspend sigaltstack", "handlers"),
        SyscallRule("rt_sigtimedwait rt_sigpending restart_syscall", "waits"),
        // Landlock ABI 6 keeps these inside the sandbox.
        SyscallRule("kill tkill tgkill", "end ssh, abort"),
    ]

    static let threads: [SyscallRule] = [
        SyscallRule("futex set_robust_list get_robust_list set_tid_address rseq membarrier", "threads"),
        SyscallRule("sched_yield sched_getaffinity sched_getparam sched_getscheduler", "thread pool"),
        SyscallRule("sched_get_priority_min sched_get_priority_max", "thread pool"),
        SyscallRule("nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time", "time"),
        SyscallRule("getrandom", "random numbers"),
        SyscallRule("sysinfo uname", "sizes, ssh's version string"),
    ]

    static let sockets: [SyscallRule] = [
        // Exactly the type that ssh takes for its ControlMaster. Clients of name services (nscd, systemd) take another one, so they
        // do not get as far as to connect.
        SyscallRule(
            "socket", "ssh's connection to its ControlMaster; no network",
            when: .oneOf([[.equals(0, UInt64(AF_UNIX)), .equals(1, UInt64(SOCK_STREAM.rawValue)), .equals(2, 0)]]),
            else: .refuse),
        // The supervisor puts a connection to the gate in the place of the socket, whatever its address is.
        SyscallRule("connect", "ssh's connection to its ControlMaster", when: .notified),
        SyscallRule("socketpair", "ssh would start a proxy with it", when: .refused(errno: EACCES)),
        SyscallRule("sendmsg recvmsg sendto recvfrom shutdown", "mux and IPC messages"),
        SyscallRule("getpeername getsockname", "ssh looks at its descriptors"),
        SyscallRule(
            "getsockopt", "ssh looks at its descriptors",
            when: .oneOf(
                [SO_TYPE, SO_ERROR, SO_PEERCRED].map { [.equals(1, UInt64(SOL_SOCKET)), .equals(2, UInt64($0))] }),
            else: .refuse),
        SyscallRule("setsockopt", "none is needed", when: .refused(errno: ENOPROTOOPT)),
    ]

    static let identity: [SyscallRule] = [
        SyscallRule("getuid geteuid getgid getegid getresuid getresgid getgroups", "ssh looks at its user")
    ]

    /// System calls that are tried and may fail. They get an errno, so that ssh lives on to say what is wrong.
    static let refusals: [SyscallRule] = [
        SyscallRule("statfs", "libselinux looks for its file system", when: .refused(errno: ENOENT)),
        SyscallRule("openat2", "its flags cannot be checked", when: .refused(errno: ENOSYS)),
        SyscallRule("mkdir mkdirat", "ssh makes ~/.ssh when the master is gone", when: .refused(errno: EACCES)),
        SyscallRule("setpriority getpriority", "Dispatch lowers a thread's priority", when: .refused(errno: EPERM)),
        SyscallRule("ioprio_set sched_setattr sched_setscheduler", "thread pool tuning", when: .refused(errno: EPERM)),
    ]

    /// All values of flags with which the loader, the C library, libcrypto and ssh open files.
    private static let openFlags = [
        O_RDONLY, O_RDONLY | O_CLOEXEC, O_RDWR, O_RDWR | O_CLOEXEC, O_RDONLY | O_NONBLOCK | O_DIRECTORY | O_CLOEXEC,
    ].map { UInt64($0) }

    /// Mappings that are not both writable and executable, not both shared and anonymous, and not MAP_GROWSDOWN.
    private static let mappings: [[ArgumentTest]] = [PROT_WRITE, PROT_EXEC].flatMap { protection in
        [MAP_SHARED, MAP_ANONYMOUS].map { kind in
            [.lacks(2, UInt64(protection)), .lacks(3, UInt64(kind | MAP_GROWSDOWN))]
        }
    }

    /// F_GET_SEALS is not in the headers without _GNU_SOURCE.
    private static let descriptorCommands = [
        F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, CSD_F_GET_SEALS,
    ].map { UInt64($0) }

    /// The flags of clone(2) that are refused: CLONE_PARENT, which would make the supervisor the parent, and CLONE_NEWNS,
    /// NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET.
    private static let forbiddenCloneFlags: UInt64 =
        0x0000_8000 | 0x0002_0000 | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000
}
