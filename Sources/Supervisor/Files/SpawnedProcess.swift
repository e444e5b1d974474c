internal import CLinux
internal import Glibc
internal import IPC

/// A program that was started by posix_spawn(3), and its pidfd.
struct SpawnedProcess: ~Copyable {
    let pid: Int32
    /// pidfd_open(2).
    let pidfd: OwnedFD

    /// Starts a program without arguments in a process group of its own.
    /// - Parameters:
    ///   - descriptors: become 0, 1, 2 and so on in the program. Each must be above the number that it becomes.
    ///   - refused: set to the errno if the program could not be executed.
    init(_ program: String, _ descriptors: [Int32], _ refused: inout Int32) throws(IPCError) {
        var pid: pid_t = 0
        let result = program.withCString { path in
            "LANG=C.UTF-8".withCString { language in
                let arguments = [UnsafeMutablePointer(mutating: path), nil]
                let environment = [UnsafeMutablePointer(mutating: language), nil]
                return csd_spawn(&pid, path, arguments, environment, descriptors, descriptors.count, 1)
            }
        }
        refused = result
        guard result == 0 else { throw .system(call: "posix_spawn", errno: result) }
        let number = csd_pidfd_open(pid)
        guard number >= 0 else {
            let code = errno
            kill(-pid, SIGKILL)
            // This does not wait long: the child has got SIGKILL and does nothing that could delay its end.
            waitpid(pid, nil, 0)
            throw .system(call: "pidfd_open", errno: code)
        }
        self.pid = pid
        pidfd = OwnedFD(taking: number)
    }

    /// Gives the pidfd away.
    consuming func release() -> OwnedFD { pidfd }
}

extension ProcessEnd {
    /// Reads `si_code` and `si_status` of waitid(2).
    init(code: Int32, status: Int32) {
        switch (code, status) {
        case (CSD_CLD_EXITED, 0): self = .clean
        case (CSD_CLD_EXITED, let status): self = .exited(status: UInt8(clamping: status))
        case (_, SIGSYS): self = .violation
        case (_, let signal): self = .signalled(UInt8(clamping: signal))
        }
    }

    /// The severity of this end in the log.
    var level: LogLevel {
        switch self {
        case .clean: .info
        case .exited, .violation, .signalled: .error
        }
    }
}
