/// Supervisor → file broker.
///
/// The broker opens local files for one worker, one request at a time. What it opens it gives to that worker itself, over a
/// channel of the two: the supervisor never holds a descriptor of such a file, because closing one may wait for a file system
/// that does not answer.
public enum ToFileBroker: IPCMessage {
    /// The first message, with the sealed `FilePolicy`.
    case setup
    /// The policy has changed: files that were made keep what they were made with, but none takes the place of what the
    /// daemon lives on by the new one.
    case policy
    /// Open this local file for reading. An absolute path.
    case open(path: String)
    /// Make a new local file, to be named by this handle. An absolute path.
    case create(handle: UInt32, path: String)
    /// Give the new file of this handle its name.
    case commit(handle: UInt32)
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
        .setup, .policy, .open(path: ""), .create(handle: 0, path: ""), .commit(handle: 0), .abandon(handle: 0),
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
        case .commit(var handle):
            try fields.field(&handle)
            self = .commit(handle: handle)
        case .abandon(var handle):
            try fields.field(&handle)
            self = .abandon(handle: handle)
        case .setup, .policy: break
        }
    }
}

/// File broker → supervisor: numbers only, no text, and never a descriptor.
public enum FromFileBroker: IPCMessage {
    /// Before it is ready: it looks at this place of its policy now, see `FilePolicy.place(_:)`, which may not answer.
    case looking(place: UInt32)
    /// The broker is confined and about to read its first request. `landlockABI` is 0 where the kernel has none.
    case ready(landlockABI: UInt8)
    /// The worker has the answer to the request of this id: it was done.
    case done
    /// The worker has the answer to the request of this id: it was refused, or failed.
    case refused
    /// Nothing was done for the request of this id: this root is not what it was when the broker was confined. Another broker can
    /// see to it.
    case rootChanged(root: UInt32)
    /// The answer to the request of this id could not be given to the worker, for this reason. A new file is dropped.
    case undelivered(errno: UInt32)

    /// See `MessageSubject`.
    public var descriptorCount: Int { 0 }

    /// See `IPCMessage`.
    public static var maximumDescriptors: Int { 0 }

    /// See `MessageChoice`.
    public static let kinds: [FromFileBroker] = [
        .looking(place: 0), .ready(landlockABI: 0), .done, .refused, .rootChanged(root: 0), .undelivered(errno: 0),
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .looking: 1
        case .ready: 2
        case .done: 3
        case .refused: 4
        case .rootChanged: 5
        case .undelivered: 6
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .looking(var place):
            try fields.field(&place)
            self = .looking(place: place)
        case .ready(var landlockABI):
            try fields.field(&landlockABI)
            self = .ready(landlockABI: landlockABI)
        case .rootChanged(var root):
            try fields.field(&root)
            self = .rootChanged(root: root)
        case .undelivered(var errno):
            try fields.field(&errno)
            self = .undelivered(errno: errno)
        case .done, .refused: break
        }
    }
}

/// File broker → worker, over their own channel. Each repeats the id of the worker's request.
public enum FileAnswer: IPCMessage {
    /// A local file, open for reading, and its size in bytes.
    case opened(size: UInt64)
    /// A new local file, open for writing and without a name until it is committed under this handle.
    case created(handle: UInt32)
    /// The new file has its name.
    case committed
    /// The request is refused by this rule, or has failed where that is empty, for this reason.
    case refused(rule: String, reason: String)

    /// See `MessageSubject`.
    public var descriptorCount: Int {
        switch self {
        case .opened, .created: 1
        case .committed, .refused: 0
        }
    }

    /// Bytes of a rule's name.
    private static let maximumRule = 256
    /// Bytes of a reason: a path, what is wrong, and what to do about it. An error of a tool has at most 8 KiB.
    public static let maximumReason = 7168
    /// The size of a file is a number of bytes that off_t can hold.
    private static let maximumSize = UInt64(Int64.max)

    /// See `MessageChoice`.
    public static let kinds: [FileAnswer] = [
        .opened(size: 0), .created(handle: 0), .committed, .refused(rule: "", reason: ""),
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .opened: 1
        case .created: 2
        case .committed: 3
        case .refused: 4
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .opened(var size):
            try fields.field(&size)
            guard size <= Self.maximumSize else { throw .badValue }
            self = .opened(size: size)
        case .created(var handle):
            try fields.field(&handle)
            self = .created(handle: handle)
        case .refused(var rule, var reason):
            try fields.field(&rule, limit: Self.maximumRule)
            try fields.field(&reason, limit: Self.maximumReason)
            self = .refused(rule: rule, reason: reason)
        case .committed: break
        }
    }
}
