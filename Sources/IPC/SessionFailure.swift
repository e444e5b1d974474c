/// Why a session was not opened, as a gate has seen.
public enum SessionFailure: MessageChoice {
    /// Bytes of a ControlMaster's words.
    public static let maximumReason = 500

    /// The policy does not allow it. Nobody was asked.
    case refused(GateRule)
    /// The host opened none, most often because as many are open as its sshd's `MaxSessions` allows. Nothing has run.
    case byHost
    /// The ControlMaster opened none, and says why. Nothing has run.
    case byMaster(reason: String)
    /// The ControlMaster cannot be used. Nothing has run.
    case down(MasterDown)
    /// The ControlMaster had the request, and has not said what the host did with it. Nobody knows whether something runs.
    case unknown(MasterDown)
    /// The worker closed it before it was open. Where the ControlMaster was asked by then, nobody knows whether something runs.
    case closed(wasAsked: Bool)

    /// See `MessageChoice`.
    public static let kinds: [SessionFailure] = [
        .refused(.fileAccess), .byHost, .byMaster(reason: ""), .down(.hung), .unknown(.hung), .closed(wasAsked: false),
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
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .refused(var rule):
            try fields.field(&rule)
            self = .refused(rule)
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
        }
    }
}

/// The rules by which a gate refuses a session.
public enum GateRule: UInt8, CaseIterable, MessageChoice {
    /// Neither `file_read` nor `file_write` is on for the host.
    case fileAccess = 1
    /// The worker asks for more than the host's `file_write` and `base_dir` allow, or by another `base_dir`: the policy is about
    /// to change for it.
    case otherAccess = 2
}
