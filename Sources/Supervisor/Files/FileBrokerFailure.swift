internal import Glibc
internal import IPC

/// Why a file broker could not start, or ended, with a sentence for the call and one for whoever reads the log.
enum FileBrokerFailure: Error, Equatable {
    /// Its program is in none of these places.
    case missing([String])
    /// Its program could not be executed, posix_spawn(3).
    case notExecuted(program: String, errno: Int32)
    /// This process lacked what it needs to start one.
    case noResources(String)
    /// The loader did not find what the program needs, ld.so(8); the log has its words.
    case library(program: String)
    /// The confinement was refused by this machine; the log has the reason.
    case confinement(program: String)
    /// It ended in another way.
    case ended(program: String, how: String)

    /// The status with which the loader ends, and that of `FileBroker/Main/main.swift` where it cannot confine itself.
    private static let loaderStatus = 127
    private static let confinementStatus = 3

    /// From how a broker ended.
    init(_ end: WorkerEnd, _ program: String) {
        self =
            switch end {
            case .exited(Self.loaderStatus): .library(program: program)
            case .exited(Self.confinementStatus): .confinement(program: program)
            case .clean, .exited, .violation, .signalled: .ended(program: program, how: end.description.how)
            }
    }

    /// What happened.
    var what: String {
        switch self {
        case .missing: "the program claude-ssh-files is missing"
        case .notExecuted(_, let code):
            "the program claude-ssh-files cannot be executed: \(String(cString: strerror(code)))"
        case .noResources(let why): "claude-ssh-files could not be started: \(why)"
        case .library: "a shared library of claude-ssh-files is missing"
        case .confinement: "claude-ssh-files could not confine itself"
        case .ended(_, let how): "claude-ssh-files ended: \(how)"
        }
    }

    /// What an administrator can do.
    var mend: String {
        switch self {
        case .missing(let places):
            "it belongs at \(places.joined(separator: " or ")): install claude-ssh-daemon again"
        case .notExecuted(let program, let code): WorkerFailure.mend(program, errno: code)
        case .noResources: "raise the limits of the daemon (ulimit -n, LimitNOFILE), or end some of what it serves"
        case .library(let program):
            "ldd \(program) shows which one; install it, or install claude-ssh-daemon again"
        case .confinement(let program):
            "a line before this one, \"file broker said\", has the reason; \(program) --selftest-escape tries it"
        case .ended(let program, _):
            "\(program) --selftest-escape tries it; after an upgrade of it restart claude-ssh-daemon"
        }
    }
}
