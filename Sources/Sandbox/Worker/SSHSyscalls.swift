internal import CLinux
internal import Glibc

/// The system calls of a worker whose sessions `ssh` opens (`"transport": "ssh"`), and of that `ssh`, which inherits the filter.
enum SSHSyscalls {
    static let rules: [SyscallRule] =
        SyscallTable.memory + SyscallTable.files + SyscallTable.descriptors + SyscallTable.processes
        + SyscallTable.signals + SyscallTable.threads + sockets + SyscallTable.identity + SyscallTable.refusals

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
}
