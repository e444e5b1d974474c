internal import Glibc
internal import IPC

extension ProgramFailure {
    /// The status with which the loader ends, and that of both programs' `main.swift` where they cannot confine themselves.
    private static let loaderStatus: UInt8 = 127
    private static let confinementStatus: UInt8 = 3
    /// That of a worker whose gate ended before it was ready.
    private static let gateStatus: UInt8 = 4

    /// From how a program ended.
    init(_ end: ProcessEnd) {
        switch end {
        case .exited(Self.loaderStatus): self = .library
        case .exited(Self.confinementStatus): self = .confinement
        case .clean, .exited, .violation, .signalled: self = .ended(end)
        }
    }

    /// From how a worker ended before it was ready. An `ssh` that is not there keeps it from confining itself.
    init(ofWorker end: ProcessEnd, wasKilled: Bool, sshPath: String) {
        self = wasKilled ? .notReady : end == .exited(status: Self.gateStatus) ? .gate : ProgramFailure(end)
        if case .confinement = self {
            self = SSHProgram.problem(of: sshPath).map { .ssh(path: sshPath, $0) } ?? .confinement
        }
    }

    /// From what the supervisor lacked to start a program.
    static func notStarted(_ error: IPCError) -> ProgramFailure {
        switch error {
        case .system(_, let code): .notStarted(errno: UInt32(clamping: code))
        case .tooLong: .notStarted(errno: UInt32(E2BIG))
        case .closed, .truncated, .trailingBytes, .unknownVersion, .unknownTag, .badValue, .missingDescriptor,
            .surplusDescriptor, .controlTruncated:
            .notStarted(errno: UInt32(EPROTO))
        }
    }
}

/// What an administrator can do where a program of the daemon failed. Only the log says it.
enum ProgramMend {
    /// - Parameters:
    ///   - program: its path, or where it is missing those at which it belongs.
    ///   - said: the log's message for what it writes to its standard error.
    static func of(_ failure: ProgramFailure, program: String, said: String) -> String {
        switch failure {
        case .missing: "it belongs at \(program): install claude-ssh-daemon again"
        case .notExecuted(let errno): executing(program, errno: errno)
        case .notStarted: "raise the limits of the daemon (ulimit -n, LimitNOFILE), or end some of what it serves"
        case .library: "ldd \(program) shows which one; install it, or install claude-ssh-daemon again"
        case .ssh:
            "install OpenSSH's client, or set ssh_path in the config to where it is, then send SIGHUP"
        case .confinement:
            "a line before this one, \"\(said)\", has the reason; \(program) --selftest-escape tries it"
        case .gate:
            "lines before this one, \"gate said\" and \"gate ended\", have the reason; claude-ssh-gate --selftest-escape tries it"
        case .notReady: "this machine is overloaded, or \(program) lies on a file system that hangs"
        case .outOfTurn, .brokeProtocol, .noAnswer, .ended:
            "\(program) --selftest-escape tries it; after an upgrade of it restart claude-ssh-daemon"
        }
    }

    /// Where not even a process came up, posix_spawn(3).
    static func executing(_ program: String, errno code: UInt32) -> String {
        switch Int32(clamping: code) {
        case ENOENT:
            "\(program) or its loader is not there any more: install claude-ssh-daemon again, and restart it after an upgrade"
        case EACCES, EPERM: "make \(program) executable for this user, on a file system that is not mounted noexec"
        case ENOEXEC: "\(program) is damaged or for another machine: install claude-ssh-daemon again"
        case EAGAIN: "this user has as many processes as it may: end some, or raise the limit (ulimit -u, TasksMax)"
        case ENOMEM: "this machine has no memory left for another process"
        case EMFILE, ENFILE: "no more files can be opened: raise the limit (ulimit -n, LimitNOFILE)"
        default: "the error is \(String(cString: strerror(Int32(clamping: code))))"
        }
    }
}
