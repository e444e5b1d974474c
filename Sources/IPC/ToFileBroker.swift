/// Supervisor → file broker.
///
/// The broker opens local files for one worker, one request at a time. It passes the descriptors to the worker over a channel
/// between these two. So the supervisor never holds such a descriptor: closing it could wait for a file system that does not
/// answer.
public enum ToFileBroker: IPCMessage {
    /// The first message, with the sealed `FilePolicy`.
    case setup
    /// The policy has changed. Files that were made before keep their rules, but none may replace a file that is the daemon's own
    /// by the new policy.
    case policy
    /// Open the local file at this absolute path for reading.
    case open(path: String)
    /// Make a new local file for this absolute path. It is known by this handle until it has its name.
    case create(handle: UInt32, path: String)
    /// Give the new file of this handle its name and, where no file has that name yet, these permission bits less the umask.
    case commit(handle: UInt32, mode: UInt16)
    /// Drop the new file of this handle.
    case abandon(handle: UInt32)

    /// See `MessageSubject`.
    public var descriptorCount: Int {
        switch self {
        case .setup, .policy: 1
        case .open, .create, .commit, .abandon: 0
        }
    }

    /// See `MessageChoice`.
    public static let kinds: [ToFileBroker] = [
        .setup, .policy, .open(path: ""), .create(handle: 0, path: ""), .commit(handle: 0, mode: 0),
        .abandon(handle: 0),
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .setup: 1
        case .policy: 2
        case .open: 3
        case .create: 4
        case .commit: 5
        case .abandon: 6
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .open(var path):
            try fields.field(&path, limit: Frame.maximumPath)
            self = .open(path: path)
        case .create(var handle, var path):
            try fields.field(&handle)
            try fields.field(&path, limit: Frame.maximumPath)
            self = .create(handle: handle, path: path)
        case .commit(var handle, var mode):
            try fields.field(&handle)
            try fields.mode(&mode)
            self = .commit(handle: handle, mode: mode)
        case .abandon(var handle):
            try fields.field(&handle)
            self = .abandon(handle: handle)
        case .setup, .policy: break
        }
    }
}
