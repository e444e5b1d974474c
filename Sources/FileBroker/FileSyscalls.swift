internal import CLinux
internal import Glibc
internal import Sandbox

/// The system calls that a file broker may make after it has looked at its policy. They were found by strace(1), and each line has
/// a reason. It cannot make a socket, a process or a thread, and cannot execute a program.
enum FileSyscalls {
    static let rules: [SyscallRule] = memory + files + descriptors + process + refusals

    static let memory: [SyscallRule] = [
        SyscallRule("brk munmap mremap", "allocator"),
        SyscallRule("madvise", "allocator gives pages back", when: .equals(2, [4, 8])),  // MADV_DONTNEED, MADV_FREE
        SyscallRule("mmap", "allocator; no code", when: .oneOf([[.lacks(2, UInt64(PROT_EXEC))]])),
        SyscallRule("mprotect", "allocator; no code", when: .lacks(2, UInt64(PROT_EXEC))),
    ]

    static let files: [SyscallRule] = [
        // Landlock decides about paths. The flags are in memory that a filter cannot read.
        SyscallRule("openat2", "resolves a path to a descriptor for nothing but looking at it"),
        SyscallRule("openat", "opens what was resolved; a new file", when: .equals(2, openFlags)),
        SyscallRule("open", "the same through the older call", when: .equals(1, openFlags)),
        SyscallRule("newfstatat fstat stat lstat statx", "what a file is, and which"),
        SyscallRule("readlink readlinkat", "where a descriptor and a root really are"),
        SyscallRule("getcwd access faccessat faccessat2", "realpath(3), where a path has \"..\""),
        SyscallRule("linkat", "gives a new file its name"),
        SyscallRule("rename renameat renameat2", "replaces a file in one step"),
        SyscallRule("fchmod", "a new file's mode; no set-id bits", when: .lacks(1, 0xFFFF_FE00)),
        SyscallRule("unlinkat", "drops a new file that had a name for a while"),
    ]

    static let descriptors: [SyscallRule] = [
        SyscallRule("sendmsg recvmsg", "messages of supervisor and worker"),
        // Descriptors 0, 1 and 2 cannot be closed, so that no other file takes the place of those that may be written to.
        SyscallRule(
            "close", "what was opened", when: .oneOf([[.equals(0, 3)]] + (2..<31).map { [.has(0, bit: 1 << $0)] })),
        SyscallRule("fcntl", "a second descriptor of a new file", when: .equals(1, descriptorCommands)),
        SyscallRule("read pread64 lseek", "the sealed policy"),
        SyscallRule("write writev", "what went wrong, and what the self-test found", when: .equals(0, [1, 2])),
    ]

    static let process: [SyscallRule] = [
        SyscallRule("rt_sigaction rt_sigprocmask rt_sigreturn", "the end of the supervisor, abort"),
        SyscallRule("alarm setitimer", "the end of this process, some seconds after the supervisor's"),
        SyscallRule("gettid getpid", "abort"),
        SyscallRule("tgkill", "abort: a signal to itself", when: .equals(0, [UInt64(getpid())])),
        SyscallRule("exit exit_group", "end"),
        SyscallRule("restart_syscall", "goes on after a stop"),
        SyscallRule("futex", "the runtime's locks"),
        SyscallRule("getrandom", "names of temporary files, hash seeds"),
        SyscallRule("clock_gettime gettimeofday time", "time, where it is no call of the library"),
        SyscallRule("getuid geteuid", "a daemon of root opens less"),
        SyscallRule("sched_yield sched_getaffinity sysinfo", "allocator"),
    ]

    static let refusals: [SyscallRule] = [
        SyscallRule("prctl", "the allocator names its memory", when: .refused(errno: EINVAL))
    ]

    /// The flags with which files are opened: for reading without waiting, as a new file without a name, and as one with a name.
    private static let openFlags = [
        O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, CSD_O_TMPFILE | O_WRONLY | O_CLOEXEC,
        O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC,
    ].map { UInt64($0) }

    private static let descriptorCommands = [F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, CSD_F_GET_SEALS].map { UInt64($0) }
}
