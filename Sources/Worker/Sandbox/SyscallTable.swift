internal import CLinux
internal import Glibc

/// When a syscall in the table is allowed.
enum Condition: Sendable {
    /// With any arguments.
    case always
    /// Where argument `index` equals one of the values.
    case equals(index: UInt32, values: [UInt64])
    /// Where argument `index` has none of the bits.
    case lacks(index: UInt32, bits: UInt64)
    /// Where argument `index` lacks at least one of the bits.
    case lacksAny(index: UInt32, bits: [UInt64])
    /// Never: answer this errno instead of ending the process.
    case refused(errno: Int32)
}

/// What a call that fails its condition gets; a syscall that the table lacks ends the process.
enum Otherwise: Sendable {
    case kill
    case refuse(errno: Int32)
}

/// One line of the syscall table.
struct SyscallRule: Sendable {
    let names: [String]
    let condition: Condition
    let otherwise: Otherwise
    let reason: String

    init(_ names: String, _ reason: String, when condition: Condition = .always, else otherwise: Otherwise = .kill) {
        self.names = names.split(separator: " ").map(String.init)
        self.condition = condition
        self.otherwise = otherwise
        self.reason = reason
    }
}

/// The syscalls of the worker and of `ssh`, which inherits the filter. Built from strace(1) of the pair.
/// A line without a reason does not belong here.
enum SyscallTable {
    static let rules: [SyscallRule] =
        memory + files + descriptors + processes + signals + threads + sockets + identity + refusals

    static let memory: [SyscallRule] = [
        SyscallRule("brk munmap mremap madvise", "allocator"),
        // Code comes from files: no page is ever writable and executable, and none becomes executable later.
        SyscallRule(
            "mmap", "allocator, loader",
            when: .lacksAny(index: 2, bits: [UInt64(PROT_WRITE), UInt64(PROT_EXEC)])),
        SyscallRule("mprotect", "loader, thread stacks", when: .lacks(index: 2, bits: UInt64(PROT_EXEC))),
    ]

    static let files: [SyscallRule] = [
        // Landlock decides which paths; nothing is created even where the kernel lacks Landlock.
        SyscallRule(
            "openat", "loader, name service, /dev/null",
            when: .lacks(index: 2, bits: creatingFlags), else: .refuse(errno: EACCES)),
        SyscallRule(
            "open", "the same through the older call",
            when: .lacks(index: 1, bits: creatingFlags), else: .refuse(errno: EACCES)),
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
        SyscallRule("close close_range dup dup2 dup3 pipe pipe2 fcntl", "pipes to ssh"),
        SyscallRule("poll ppoll select pselect6", "ssh's loop"),
        SyscallRule(
            "epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd2",
            "Dispatch, the reactor of ssh children"),
        SyscallRule("timerfd_create timerfd_settime timerfd_gettime", "Dispatch timers"),
        // FIONBIO and FIONREAD: ssh and Dispatch; TCGETS and TIOCGWINSZ: isatty. TIOCSTI is not among them.
        SyscallRule(
            "ioctl", "isatty, non-blocking mode",
            when: .equals(
                index: 1,
                values: [UInt64(CSD_TCGETS), UInt64(CSD_TIOCGWINSZ), UInt64(CSD_FIONREAD), UInt64(CSD_FIONBIO)])),
    ]

    static let processes: [SyscallRule] = [
        // Landlock decides which program: ssh and its loader.
        SyscallRule("execve", "start ssh"),
        SyscallRule("vfork fork", "start ssh"),
        SyscallRule("clone", "threads, start ssh", when: .lacks(index: 0, bits: forbiddenCloneFlags)),
        // Its flags lie in memory that a filter cannot read; ENOSYS makes the library use clone.
        SyscallRule("clone3", "replaced by clone", when: .refused(errno: ENOSYS)),
        SyscallRule("wait4 waitid pidfd_open pidfd_send_signal", "follow ssh"),
        SyscallRule("exit exit_group", "end"),
        SyscallRule("getpid getppid gettid getpgrp getpgid getsid", "logs, process group"),
        SyscallRule("prlimit64", "own limits only", when: .equals(index: 0, values: [0])),
        SyscallRule("getrlimit getrusage", "descriptor table size"),
        SyscallRule("arch_prctl", "thread pointer"),
        SyscallRule(
            "prctl", "thread names, ssh disables its own core files, libnss_systemd looks at capabilities",
            when: .equals(
                index: 0,
                values: [
                    UInt64(CSD_PR_SET_NAME), UInt64(CSD_PR_GET_DUMPABLE), UInt64(CSD_PR_SET_DUMPABLE),
                    UInt64(CSD_PR_CAPBSET_READ), UInt64(CSD_PR_SET_VMA),
                ])),
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
        SyscallRule(
            "socket", "the ControlMaster's socket; no network",
            when: .equals(index: 0, values: [UInt64(AF_UNIX)]), else: .refuse(errno: EACCES)),
        SyscallRule("connect", "the ControlMaster's socket"),
        SyscallRule("socketpair", "ssh's pipes", when: .equals(index: 0, values: [UInt64(AF_UNIX)])),
        SyscallRule("sendmsg recvmsg sendto recvfrom shutdown", "mux and IPC messages"),
        SyscallRule("getsockopt setsockopt getpeername getsockname", "ssh looks at its descriptors"),
    ]

    static let identity: [SyscallRule] = [
        SyscallRule("getuid geteuid getgid getegid getresuid getresgid getgroups", "ssh looks at its user")
    ]

    /// Calls that are probed or made in passing; an error keeps ssh alive to say what is wrong.
    static let refusals: [SyscallRule] = [
        SyscallRule("statfs", "libselinux looks for its file system", when: .refused(errno: ENOENT)),
        SyscallRule("openat2", "its flags cannot be checked", when: .refused(errno: ENOSYS)),
        SyscallRule("mkdir mkdirat", "ssh makes ~/.ssh when the master is gone", when: .refused(errno: EACCES)),
        SyscallRule("setpriority getpriority", "Dispatch lowers a thread's priority", when: .refused(errno: EPERM)),
        SyscallRule("ioprio_set sched_setattr sched_setscheduler", "thread pool tuning", when: .refused(errno: EPERM)),
    ]

    /// O_CREAT, and the bit of O_TMPFILE that is not O_DIRECTORY.
    private static let creatingFlags = UInt64(O_CREAT) | 0o20_000_000

    /// CLONE_PARENT, which would make the supervisor the parent, and CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER,
    /// NEWPID, NEWNET, clone(2).
    private static let forbiddenCloneFlags: UInt64 =
        0x0000_8000 | 0x0002_0000 | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000
}
