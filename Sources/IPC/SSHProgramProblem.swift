internal import Glibc

/// What is wrong with the program at `ssh_path`, as far as its file shows.
public enum SSHProgramProblem: MessageChoice {
    /// The file cannot be looked at, stat(2) or open(2).
    case unreachable(errno: UInt32)
    /// This user may not execute it, access(2).
    case notExecutable(errno: UInt32)
    case isDirectory
    case isNoRegularFile
    /// The file is no program of this machine. It may be a script, but workers may execute no interpreter.
    case isNoELF
    case isForAnotherMachine
    /// The file is shorter than its header says, elf(5).
    case isTruncated

    /// See `MessageChoice`.
    public static let kinds: [SSHProgramProblem] = [
        .unreachable(errno: 0), .notExecutable(errno: 0), .isDirectory, .isNoRegularFile, .isNoELF,
        .isForAnotherMachine,
        .isTruncated,
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .unreachable: 1
        case .notExecutable: 2
        case .isDirectory: 3
        case .isNoRegularFile: 4
        case .isNoELF: 5
        case .isForAnotherMachine: 6
        case .isTruncated: 7
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .isDirectory, .isNoRegularFile, .isNoELF, .isForAnotherMachine, .isTruncated: break
        case .unreachable(var errno):
            try fields.field(&errno)
            self = .unreachable(errno: errno)
        case .notExecutable(var errno):
            try fields.field(&errno)
            self = .notExecutable(errno: errno)
        }
    }

    /// The rest of a sentence that begins with the path: what is wrong and what to do.
    public var clause: String {
        switch self {
        case .unreachable(let errno):
            "cannot be executed: \(String(cString: strerror(Int32(clamping: errno)))); name the ssh binary, or install OpenSSH's client"
        case .notExecutable(let errno):
            "cannot be executed by this user: \(String(cString: strerror(Int32(clamping: errno)))); "
                + "make it executable, on a file system without noexec"
        case .isDirectory: "is a directory; name the ssh binary"
        case .isNoRegularFile: "is no regular file; name the ssh binary"
        case .isNoELF: "is not an ELF program; name the ssh binary, not a script"
        case .isForAnotherMachine: "is a program for another kind of machine; install OpenSSH's client for this one"
        case .isTruncated: "is a damaged program: its end is missing; install OpenSSH's client again"
        }
    }
}
