internal import CLinux
internal import Glibc
internal import Sandbox

/// The system calls of a gate. Built from strace(1). It opens nothing, makes no socket, connects to nobody, and starts nothing: what
/// it speaks over it was given. A line without a reason does not belong here.
enum GateSyscalls {
    static let rules: [SyscallRule] = memory + descriptors + process + refusals

    static let memory: [SyscallRule] = [
        SyscallRule("brk munmap mremap", "allocator"),
        SyscallRule("madvise", "allocator gives pages back", when: .equals(2, [4, 8])),  // MADV_DONTNEED, MADV_FREE
        SyscallRule("mmap", "allocator; no code", when: .oneOf([[.lacks(2, UInt64(PROT_EXEC))]])),
        SyscallRule("mprotect", "allocator; no code", when: .lacks(2, UInt64(PROT_EXEC))),
    ]

    static let descriptors: [SyscallRule] = [
        SyscallRule(
            "sendmsg recvmsg",
            "messages of supervisor and worker, requests to a ControlMaster and of an `ssh`, and pipes"),
        SyscallRule("recvfrom", "replies of a ControlMaster"),
        SyscallRule("epoll_ctl epoll_wait epoll_pwait", "waits for all of them"),
        SyscallRule("close", "a connection that is over"),
        SyscallRule(
            "fcntl", "non-blocking mode, the sealed policy, whether it was given pipes",
            when: .equals(1, descriptorCommands)),
        SyscallRule("pread64 lseek", "the sealed policy"),
        SyscallRule("splice", "the content of an SFTP WRITE, which needs no judgement"),
        SyscallRule("read write pipe2", "judged requests of SFTP; write: what went wrong, to standard error"),
    ]

    static let process: [SyscallRule] = [
        SyscallRule("rt_sigaction rt_sigprocmask rt_sigreturn", "abort"),
        SyscallRule("gettid getpid tgkill", "abort"),
        SyscallRule("exit exit_group", "end"),
        SyscallRule("restart_syscall", "goes on after a stop"),
        SyscallRule("futex", "the runtime's locks"),
        SyscallRule("getrandom", "hash seeds"),
        SyscallRule("clock_gettime gettimeofday time", "time, where it is no call of the library"),
        SyscallRule("sched_yield sched_getaffinity sysinfo", "allocator"),
    ]

    static let refusals: [SyscallRule] = [
        SyscallRule("prctl", "the allocator names its memory", when: .refused(errno: EINVAL))
    ]

    private static let descriptorCommands = [F_GETFD, F_GETFL, F_SETFL, CSD_F_GET_SEALS, CSD_F_GETPIPE_SZ]
        .map { UInt64($0) }
}
