/// What lies at the path of a ControlMaster's socket at which nobody listens. The process that tried to connect looks there.
public enum MasterSocket: MessageChoice {
    /// Nothing, or nothing that could be seen.
    case absent
    /// Nothing, and the directory of the path is missing as well.
    case noDirectory
    /// A socket of this user.
    case own
    /// A socket of another user.
    case foreign(userID: UInt32)
    /// A symbolic link. It is not followed.
    case link
    /// A file, a directory or something else that no ControlMaster makes.
    case other

    /// See `MessageChoice`.
    public static let kinds: [MasterSocket] = [.absent, .noDirectory, .own, .foreign(userID: 0), .link, .other]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .absent: 1
        case .noDirectory: 2
        case .own: 3
        case .foreign: 4
        case .link: 5
        case .other: 6
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .foreign(var userID):
            try fields.field(&userID)
            self = .foreign(userID: userID)
        case .absent, .noDirectory, .own, .link, .other: break
        }
    }
}
