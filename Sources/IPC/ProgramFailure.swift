internal import Glibc

/// How one of the daemon's programs failed. The supervisor tells a worker, which tells its client.
public enum ProgramFailure: MessageChoice, Error {
    /// The programs that the supervisor starts.
    public enum Program: Sendable {
        case worker, fileBroker

        /// The words for its process.
        fileprivate var process: String {
            switch self {
            case .worker: "the worker"
            case .fileBroker: "claude-ssh-files"
            }
        }

        /// The words for its file.
        fileprivate var file: String {
            switch self {
            case .worker: "the program claude-ssh-worker"
            case .fileBroker: "the program claude-ssh-files"
            }
        }
    }

    /// The program is not where it belongs.
    case missing
    /// The program could not be executed, posix_spawn(3).
    case notExecuted(errno: UInt32)
    /// The supervisor could not make what the program needs, such as a pipe.
    case notStarted(errno: UInt32)
    /// The loader did not find a library that the program needs, ld.so(8). The log has the loader's words.
    case library
    /// The program could not confine itself on this machine. The log has the reason.
    case confinement
    /// The `ssh` of the config, at this path, cannot be executed.
    case ssh(path: String, SSHProgramProblem)
    /// The program was not ready in time.
    case notReady
    /// The program sent a message that it may not send at that time.
    case outOfTurn
    /// The program sent bytes that are no message.
    case brokeProtocol
    /// The program said that it had answered, and the answer did not come.
    case noAnswer
    /// The program ended in another way.
    case ended(ProcessEnd)
    /// Its gate was not there, or ended before it was ready; the log has the reason.
    case gate

    /// How many bytes a path may have.
    private static let maximumPath = 4096

    /// See `MessageChoice`.
    public static let kinds: [ProgramFailure] = [
        .missing, .notExecuted(errno: 0), .notStarted(errno: 0), .library, .confinement,
        .ssh(path: "", .isDirectory), .notReady, .outOfTurn, .brokeProtocol, .noAnswer, .ended(.clean), .gate,
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .missing: 1
        case .notExecuted: 2
        case .notStarted: 3
        case .library: 4
        case .confinement: 5
        case .ssh: 6
        case .notReady: 7
        case .outOfTurn: 8
        case .brokeProtocol: 9
        case .noAnswer: 10
        case .ended: 11
        case .gate: 12
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .missing, .library, .confinement, .notReady, .outOfTurn, .brokeProtocol, .noAnswer, .gate: break
        case .notExecuted(var errno):
            try fields.field(&errno)
            self = .notExecuted(errno: errno)
        case .notStarted(var errno):
            try fields.field(&errno)
            self = .notStarted(errno: errno)
        case .ssh(var path, var problem):
            try fields.field(&path, limit: Self.maximumPath)
            try fields.field(&problem)
            self = .ssh(path: path, problem)
        case .ended(var end):
            try fields.field(&end)
            self = .ended(end)
        }
    }

    /// What happened to this program, as a clause for the log and for clients.
    public func clause(_ program: Program) -> String {
        switch self {
        case .missing: return "\(program.file) is missing"
        case .notExecuted(let errno): return "\(program.file) cannot be executed: \(Self.text(errno))"
        case .notStarted(let errno): return "\(program.process) could not be started: \(Self.text(errno))"
        case .library:
            switch program {
            case .worker: return "a shared library of the worker program is missing"
            case .fileBroker: return "a shared library of claude-ssh-files is missing"
            }
        case .confinement: return "\(program.process) could not confine itself"
        case .ssh(let path, let problem): return "ssh_path: \(path) \(problem.clause)"
        case .notReady: return "\(program.process) was not ready in time"
        case .outOfTurn: return "\(program.process) sent a message out of turn"
        case .brokeProtocol: return "\(program.process) broke the protocol"
        case .gate: return "the program claude-ssh-gate did not start"
        case .noAnswer: return "\(program.process) did not give its answer"
        case .ended(let end):
            switch program {
            case .worker: return "the worker ended before it was ready: \(end)"
            case .fileBroker: return "claude-ssh-files ended: \(end)"
            }
        }
    }

    private static func text(_ errno: UInt32) -> String { String(cString: strerror(Int32(clamping: errno))) }
}
