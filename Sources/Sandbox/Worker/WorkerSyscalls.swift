internal import CLinux
internal import Glibc

/// The system calls of a worker that executes nothing. They were found by strace(1). It opens nothing, makes no socket, connects to
/// nobody and starts no process: what it reads and writes it was given. Each line has a reason.
enum WorkerSyscalls {
    /// - Parameter process: the id of this process, which may end itself.
    static func rules(of process: pid_t) -> [SyscallRule] {
        memory + descriptors + threads + ends(of: process) + refusals
    }

    static let memory: [SyscallRule] = [
        SyscallRule("brk munmap mremap", "allocator"),
        SyscallRule(
            "madvise", "allocator gives pages back; the others change what belongs to whom",
            when: .equals(2, [4, 8]), else: .refuse),  // MADV_DONTNEED, MADV_FREE
        // No code, and none later. Memory that is shared, or grows down, is counted by no limit.
        SyscallRule(
            "mmap", "allocator, thread stacks",
            when: .oneOf([[.lacks(2, UInt64(PROT_EXEC)), .lacks(3, UInt64(MAP_SHARED | MAP_GROWSDOWN))]])),
        SyscallRule("mprotect", "allocator, thread stacks", when: .lacks(2, UInt64(PROT_EXEC))),
    ]

    static let descriptors: [SyscallRule] = [
        SyscallRule("read write", "the client, pipes of sessions, local files of downloads"),
        SyscallRule("pread64 pwrite64 lseek", "local files of transfers, the sealed policy"),
        SyscallRule("fstat fstatfs", "local files of transfers: their size, and free space before a download"),
        SyscallRule("fsync sync_file_range", "a download, before it gets its name"),
        SyscallRule("sendmsg recvmsg", "messages of supervisor, gate and file broker, with pipes and local files"),
        // No address: a socket that could send to one is not given, and none can be made.
        SyscallRule("sendto", "the client, who may have gone", when: .equals(4, [0])),
        SyscallRule("poll ppoll", "the rest of a line that is too long"),
        SyscallRule("shutdown", "the end of a client"),
        SyscallRule("pipe2", "pipes of sessions"),
        SyscallRule("close", "what is over"),
        // Leases, owners of signals, notices about directories, locks and larger pipes are not among these.
        // A pipe's end that a ControlMaster has as well stays non-blocking: else the master would sleep when it is full, with all
        // sessions of the user.
        SyscallRule(
            "fcntl", "non-blocking mode, the sealed policy",
            when: .oneOf([
                [.equals(1, UInt64(F_GETFL))], [.equals(1, UInt64(CSD_F_GET_SEALS))],
                [
                    .equals(1, UInt64(F_SETFL)),
                    .bits(2, UInt64(O_NONBLOCK | O_ASYNC | O_APPEND | CSD_O_DIRECT), are: UInt64(O_NONBLOCK)),
                ],
            ])),
        SyscallRule("epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd2", "the reactor, Dispatch"),
        SyscallRule("timerfd_create timerfd_settime", "Dispatch's timers"),
    ]

    static let threads: [SyscallRule] = [
        SyscallRule("clone", "threads, and no process", when: .equals(0, [threadFlags])),
        // The flags of clone3 are in memory that a filter cannot read. ENOSYS makes the library use clone.
        SyscallRule("clone3", "replaced by clone", when: .refused(errno: ENOSYS)),
        SyscallRule("futex set_robust_list rseq gettid", "threads"),
        SyscallRule(
            "prctl", "names of threads; the allocator names its memory",
            when: .equals(0, [UInt64(CSD_PR_SET_NAME)]), else: .refuseOnly([[.equals(0, UInt64(CSD_PR_SET_VMA))]])),
        SyscallRule("rt_sigaction rt_sigprocmask rt_sigreturn rt_sigsuspend", "handlers; the main thread sleeps"),
        SyscallRule("sched_yield sched_getaffinity sysinfo", "the allocator counts processors and memory"),
        SyscallRule("nanosleep clock_nanosleep", "Dispatch, for a moment where threads contend"),
        SyscallRule("clock_gettime gettimeofday time", "time, where it is no call of the library"),
        SyscallRule("getrandom", "hash seeds, nonces"),
        SyscallRule("restart_syscall", "goes on after a stop"),
        // If this failed, Dispatch would write to the system log, for which it makes a socket.
        SyscallRule(
            "setpriority", "Dispatch lowers a thread's priority, and is told that it has", when: .refused(errno: 0)),
    ]

    /// Its end: of the process, or of its group by SIGUSR1, which is sent when the supervisor has ended.
    private static func ends(of process: pid_t) -> [SyscallRule] {
        [
            SyscallRule("exit exit_group", "end"),
            SyscallRule("getpid", "abort"),
            SyscallRule("tgkill", "abort", when: .equals(0, [UInt64(process)])),
            SyscallRule("kill", "the end of its process group", when: .equals(0, [0])),
        ]
    }

    /// System calls that the C library tries, and goes on without.
    static let refusals: [SyscallRule] = [
        SyscallRule(
            "open openat", "the allocator looks for processors and overcommit in /proc and /sys; the time zone's file",
            when: .refused(errno: EACCES)),
        SyscallRule(
            "stat lstat newfstatat readlink readlinkat access faccessat faccessat2", "the time zone's file",
            when: .refused(errno: EACCES)),
    ]

    /// What pthread_create(3) passes to clone(2): CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS, PARENT_SETTID and
    /// CHILD_CLEARTID. A process would need other flags, and a thread shares all that its process has.
    private static let threadFlags: UInt64 = 0x003D_0F00
}
