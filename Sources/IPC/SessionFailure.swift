/// Why a session was not opened, as a gate has seen.
public enum SessionFailure: MessageChoice, Error {
    /// Bytes of a ControlMaster's words.
    public static let maximumReason = 500

    /// The policy does not allow it. Nobody was asked.
    case refused(GateRule)
    /// The policy does not allow the command. Nobody was asked.
    case notAllowed(GateRefusal)
    /// The line for the host would have so many bytes, and the longest has `limit`. Nobody was asked.
    case tooLong(bytes: UInt32, limit: UInt32)
    /// The host opened none, most often because as many are open as its sshd's `MaxSessions` allows. Nothing has run.
    case byHost
    /// The ControlMaster opened none, and says why. Nothing has run.
    case byMaster(reason: String)
    /// The ControlMaster cannot be used. Nothing has run.
    case down(MasterDown)
    /// The ControlMaster had the request, and has not said what the host did with it. Nobody knows whether something runs.
    case unknown(MasterDown)
    /// The worker's `ssh` did not come for it in time, or ended before that; what is known of it. Nothing has run.
    case ssh(String)
    /// The worker closed it before it was open. Where the ControlMaster was asked by then, nobody knows whether something runs.
    case closed(wasAsked: Bool)

    /// See `MessageChoice`.
    public static let kinds: [SessionFailure] = [
        .refused(.fileAccess), .byHost, .byMaster(reason: ""), .down(.hung), .unknown(.hung), .closed(wasAsked: false),
        .notAllowed(.blank), .tooLong(bytes: 0, limit: 0), .ssh(""),
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .refused: 1
        case .byHost: 2
        case .byMaster: 3
        case .down: 4
        case .unknown: 5
        case .closed: 6
        case .notAllowed: 7
        case .tooLong: 8
        case .ssh: 16
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .refused(var rule):
            try fields.field(&rule)
            self = .refused(rule)
        case .notAllowed(var refusal):
            try refusal.walk(&fields)
            self = .notAllowed(refusal)
        case .tooLong(var bytes, var limit):
            try fields.field(&bytes)
            try fields.field(&limit)
            self = .tooLong(bytes: bytes, limit: limit)
        case .byHost: break
        case .byMaster(var reason):
            try fields.field(&reason, limit: Self.maximumReason)
            self = .byMaster(reason: reason)
        case .down(var why):
            try fields.field(&why)
            self = .down(why)
        case .unknown(var why):
            try fields.field(&why)
            self = .unknown(why)
        case .closed(var wasAsked):
            try fields.field(&wasAsked)
            self = .closed(wasAsked: wasAsked)
        case .ssh(var detail):
            try fields.field(&detail, limit: Self.maximumReason)
            self = .ssh(detail)
        }
    }
}

/// The rules by which a gate refuses a session.
public enum GateRule: UInt8, CaseIterable, MessageChoice {
    /// Neither `file_read` nor `file_write` is on for the host.
    case fileAccess = 1
    /// The worker asks for more than the host's `file_write` and `base_dir` allow, by another `base_dir`, or in another way than
    /// the host's `file_transport`: the policy is about to change for it.
    case otherAccess = 2
    /// Nothing is on for the host that this errand could be for, or it is about a command that this gate has opened no session for.
    case errand = 3
    /// Files over a shell: `exec` is off for the host or limited by `exec_allowlist`, and its config does not say
    /// `"file_transport": "shell"`; or it says `sftp`.
    case filesOverShell = 4
    /// What the worker named for a session over a shell is no nonce, or no path that a host could have.
    case words = 5
    /// The call that it is for has not begun, or has ended.
    case call = 6
}
