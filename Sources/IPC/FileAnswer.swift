/// File broker → worker, over their own channel. Each answer repeats the id of the worker's request.
public enum FileAnswer: IPCMessage {
    /// A local file, open for reading, and its size in bytes.
    case opened(size: UInt64)
    /// A new local file, open for writing. It gets its name when it is committed by this handle.
    case created(handle: UInt32)
    /// The new file has its name. This path leads to it: the one that was asked for or, where its directory has moved
    /// meanwhile, the one that it has now. It is empty where neither was seen to lead there.
    case committed(path: String)
    /// This rule refused the request or, if `rule` is empty, it failed. The reason is a sentence for the model.
    case refused(rule: String, reason: String)

    /// See `MessageSubject`.
    public var descriptorCount: Int {
        switch self {
        case .opened, .created: 1
        case .committed, .refused: 0
        }
    }

    /// Bytes of a rule's name, so that both texts fit a packet.
    private static let maximumRule = 256
    /// Bytes of a reason: a path, what is wrong, and what to do next. The whole error of a tool has at most 8 KiB.
    public static let maximumReason = 7168
    /// The size of a file is a number of bytes that off_t can hold.
    private static let maximumSize = UInt64(Int64.max)

    /// See `MessageChoice`.
    public static let kinds: [FileAnswer] = [
        .opened(size: 0), .created(handle: 0), .committed(path: ""), .refused(rule: "", reason: ""),
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
        case .committed(var path):
            try fields.field(&path, limit: Frame.maximumPath)
            self = .committed(path: path)
        }
    }
}
