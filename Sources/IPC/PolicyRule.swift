/// The rules by which a gate refuses, as the audit log names them.
public enum PolicyRule: UInt8, CaseIterable, MessageChoice {
    /// The host does not have the capability.
    case capability = 1
    case execAllowlist = 2
    case allowDelete = 3
    case baseDir = 4
    case forwardAllowlist = 5
    /// More was asked for than `file_write` and `base_dir` allow, or by another `base_dir`.
    case fileAccess = 6
    /// A line of the gate's own that nothing is on for, or about a command of somebody else.
    case errand = 7
    /// The call that it is for has not begun, or has ended.
    case call = 8
    /// Files are to be had in another way there.
    case fileTransport = 9

    /// Its name: the key in the config, where there is one.
    public var name: String {
        switch self {
        case .capability: "capability"
        case .execAllowlist: "exec_allowlist"
        case .allowDelete: "allow_delete"
        case .baseDir: "base_dir"
        case .forwardAllowlist: "forward_allowlist"
        case .fileAccess: "file_access"
        case .errand: "errand"
        case .call: "call"
        case .fileTransport: "file_transport"
        }
    }
}

extension GateRefusal {
    /// The rule that refuses.
    public var rule: PolicyRule {
        switch reason {
        case .capability: .capability
        case .allowlistEmpty, .variable, .doubt, .noCommand, .redirection, .builtin, .printf, .assignment, .notCovered:
            .execAllowlist
        case .deletes: .allowDelete
        case .noDirectory, .outside: .baseDir
        case .forward, .linkLocal, .socketTarget: .forwardAllowlist
        }
    }
}

extension SessionFailure {
    /// The rule that refuses the session; nil where something else is in its way.
    public var rule: PolicyRule? {
        switch self {
        case .refused(.fileAccess): .capability
        case .refused(.otherAccess), .refused(.words): .fileAccess
        case .refused(.filesOverShell): .fileTransport
        case .refused(.errand): .errand
        case .refused(.call): .call
        case .notAllowed(let refusal): refusal.rule
        case .tooLong, .byHost, .byMaster, .down, .unknown, .closed, .ssh: nil
        }
    }
}
