internal import Glibc

/// Why a worker could not start, with the fixed sentences for its client and for whoever reads the log.
enum WorkerFailure: Equatable {
    /// The loader did not find what the program needs, ld.so(8); the log has its words.
    case library
    /// `ssh` cannot be executed, for this reason.
    case ssh(path: String, problem: String)
    /// The confinement was refused by this machine; the log has the reason.
    case confinement
    case tooSlow
    /// It ended in another way.
    case ended(String)

    /// The status with which the loader ends, and that of `Worker/main.swift` where it cannot confine itself.
    private static let loaderStatus = 127
    private static let confinementStatus = 3

    /// From how the worker ended, before it was ready.
    init(_ end: WorkerEnd, wasKilled: Bool, sshPath: String) {
        switch end {
        case _ where wasKilled: self = .tooSlow
        case .exited(Self.loaderStatus): self = .library
        case .exited(Self.confinementStatus):
            self = Startup.sshProblem(sshPath).map { .ssh(path: sshPath, problem: $0) } ?? .confinement
        case .clean, .exited, .violation, .signalled: self = .ended(end.description.how)
        }
    }

    /// What happened.
    var what: String {
        switch self {
        case .library: "a shared library of the worker program is missing"
        case .ssh(let path, let problem): "ssh_path: \(path) \(problem)"
        case .confinement: "the worker could not confine itself"
        case .tooSlow: "the worker was not ready in time"
        case .ended(let how): "the worker ended before it was ready: \(how)"
        }
    }

    /// What an administrator can do.
    func mend(_ program: String) -> String {
        switch self {
        case .library: "ldd \(program) shows which one; install it, or install claude-ssh-daemon again"
        case .ssh: "install OpenSSH's client, or set ssh_path in the config to where it is, then send SIGHUP"
        case .confinement:
            "a line before this one, \"worker said\", has the reason; \(program) --selftest-escape tries it"
        case .tooSlow: "this machine is overloaded, or \(program) lies on a file system that hangs"
        case .ended: "\(program) --selftest-escape tries it; after an upgrade of it restart claude-ssh-daemon"
        }
    }

    /// The answer to the client's first request.
    var refusal: String {
        "claude-ssh-daemon cannot serve you now: \(what). Nothing was run. "
            + "Ask the user to look into the daemon's log, which says how to mend it; then connect again."
    }

    /// What an administrator can do where not even a process came up, posix_spawn(3).
    static func mend(_ program: String, errno code: Int32) -> String {
        switch code {
        case ENOENT:
            "\(program) or its loader is not there any more: install claude-ssh-daemon again, and restart it after an upgrade"
        case EACCES, EPERM: "make \(program) executable for this user, on a file system that is not mounted noexec"
        case ENOEXEC: "\(program) is damaged or for another machine: install claude-ssh-daemon again"
        case EAGAIN: "this user has as many processes as it may: end some, or raise the limit (ulimit -u, TasksMax)"
        case ENOMEM: "this machine has no memory left for another process"
        case EMFILE, ENFILE: "no more files can be opened: raise the limit (ulimit -n, LimitNOFILE)"
        default: "the error is \(String(cString: strerror(code)))"
        }
    }
}
