/// Worker → gate, over their own channel. Each request has an id, which its answers repeat.
public enum GateRequest: IPCMessage {
    /// Bytes of a host's name, as the config bounds it.
    public static let maximumHostName = 100
    /// Sessions of one worker that are open, or about to be. A further one is answered with `SessionFailure.down`,
    /// `.unavailable` with EMFILE.
    public static let maximumSessions = 128

    /// Whether the ControlMaster of the host of this name lives.
    case alive(host: String)
    /// Opens a session with the subsystem `sftp` of this host. With it come three pipes: the ends that the session reads its
    /// input from, and writes its output and its errors to. Answered by `opened` or `notOpened`, and after `opened` by `ended`.
    case sftp(host: String, FileAccess)
    /// Ends the session that the request of this id has opened, or is to open. One that is over already is no mistake. Has no
    /// answer of its own.
    case close

    /// See `MessageSubject`.
    public var descriptorCount: Int {
        switch self {
        case .alive, .close: 0
        case .sftp: 3
        }
    }

    /// See `IPCMessage`.
    public static var maximumDescriptors: Int { 3 }

    /// See `MessageChoice`.
    public static let kinds: [GateRequest] = [
        .alive(host: ""), .sftp(host: "", FileAccess(writes: false, base: nil)), .close,
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .alive: 1
        case .sftp: 2
        case .close: 3
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .alive(var host):
            try fields.field(&host, limit: Self.maximumHostName)
            self = .alive(host: host)
        case .sftp(var host, var access):
            try fields.field(&host, limit: Self.maximumHostName)
            try access.walk(&fields)
            self = .sftp(host: host, access)
        case .close: break
        }
    }
}
