internal import Glibc
internal import IPC

extension ProgramFailure {
    /// The exit status of the loader if a library is missing, and that of `main.swift` of both programs if they cannot confine
    /// themselves.
    private static let loaderStatus: UInt8 = 127
    private static let confinementStatus: UInt8 = 3

    /// That of a worker whose kernel gives it no listener for its filter.
    static let listenerStatus: UInt8 = 5

    /// The failure of a program that ended in this way.
    init(_ end: ProcessEnd) {
        switch end {
        case .exited(Self.loaderStatus): self = .library
        case .exited(Self.confinementStatus): self = .confinement
        case .clean, .exited, .violation, .signalled: self = .ended(end)
        }
    }

    /// The failure of a worker that ended in this way before it was ready. A worker that executes `ssh` cannot confine itself where
    /// that is missing; `sshPath` is nil for others.
    init(ofWorker end: ProcessEnd, wasKilled: Bool, sshPath: String?) {
        self = wasKilled ? .notReady : ProgramFailure(end)
        if case .confinement = self {
            self = sshPath.flatMap { path in SSHProgram.problem(of: path).map { .ssh(path: path, $0) } } ?? .confinement
        }
    }

    /// The failure of a program that the supervisor could not start.
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

/// Tells an administrator in the log what to do about a program of the daemon that failed.
enum ProgramMend {
    /// - Parameters:
    ///   - program: its path; if the program is missing, the paths where it can be.
    ///   - said: the message with which the log has lines of its standard error.
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

    /// What to do about a program that could not be executed, posix_spawn(3).
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

extension StartError {
    /// A program of the daemon could not be started.
    /// - Parameters:
    ///   - name: what it is in a sentence.
    ///   - refused: the errno where it could not be executed, else 0.
    init(starting name: String, _ program: String, _ error: IPCError, refused: Int32) {
        let why =
            refused == 0
            ? "\(error)"
            : "\(String(cString: strerror(refused))); \(ProgramMend.executing(program, errno: UInt32(clamping: refused)))"
        self.init(sentence: "\(name) \(program) could not be started: \(why)")
    }
}
