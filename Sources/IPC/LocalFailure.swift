/// Why the supervisor itself says no to a worker's request for a local file. What a broker says goes to the worker directly.
public enum LocalFailure: MessageChoice {
    /// `capabilities.file_write` is off for every host.
    case closed
    /// The client has gone.
    case clientGone
    /// So many requests wait that no more is taken.
    case tooMany
    /// So many downloads of this connection are under way.
    case downloads(UInt32)
    /// No download has this handle.
    case noSuchDownload
    /// The file system of this path did not answer in time; nothing was done.
    case silent(path: String)
    /// The request stood behind others that got no answer, and its time is over; nothing was done.
    case waited
    /// The file was to get its name at this path when its file system did not answer: whether it has it is not known.
    case commitUnknown(path: String)
    /// The same, where the broker ended in this way.
    case commitUnknownAfter(end: String, path: String)
    /// The file for this path is lost, because the broker that held it was killed at another path.
    case lost(path: String, silent: String)
    /// The file for this path is lost, because the broker that held it ended in this way.
    case lostAfter(end: String, path: String)
    /// The broker ended in this way while it was at the request; nothing was opened or kept.
    case ended(String)
    /// No broker can be had, for this reason, which is one for whoever keeps this machine.
    case unavailable(String)
    /// So many brokers that were killed still wait for their file systems that no other one is started.
    case stuck(UInt32)
    /// The root of this path changes all the time.
    case unsteady(path: String)

    /// Bytes of a text, so that two fit a packet.
    private static let maximumReason = 8192

    /// See `MessageChoice`.
    public static let kinds: [LocalFailure] = [
        .closed, .clientGone, .tooMany, .downloads(0), .noSuchDownload, .silent(path: ""), .waited,
        .commitUnknown(path: ""), .commitUnknownAfter(end: "", path: ""), .lost(path: "", silent: ""),
        .lostAfter(end: "", path: ""), .ended(""), .unavailable(""), .stuck(0), .unsteady(path: ""),
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .closed: 1
        case .clientGone: 2
        case .tooMany: 3
        case .downloads: 4
        case .noSuchDownload: 5
        case .silent: 6
        case .waited: 7
        case .commitUnknown: 8
        case .commitUnknownAfter: 9
        case .lost: 10
        case .lostAfter: 11
        case .ended: 12
        case .unavailable: 13
        case .stuck: 14
        case .unsteady: 15
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .downloads(var count):
            try fields.field(&count)
            self = .downloads(count)
        case .silent(var path):
            try fields.field(&path, limit: Self.maximumReason)
            self = .silent(path: path)
        case .commitUnknown(var path):
            try fields.field(&path, limit: Self.maximumReason)
            self = .commitUnknown(path: path)
        case .commitUnknownAfter(var end, var path):
            try fields.field(&end, limit: Self.maximumReason)
            try fields.field(&path, limit: Self.maximumReason)
            self = .commitUnknownAfter(end: end, path: path)
        case .lost(var path, var silent):
            try fields.field(&path, limit: Self.maximumReason)
            try fields.field(&silent, limit: Self.maximumReason)
            self = .lost(path: path, silent: silent)
        case .lostAfter(var end, var path):
            try fields.field(&end, limit: Self.maximumReason)
            try fields.field(&path, limit: Self.maximumReason)
            self = .lostAfter(end: end, path: path)
        case .ended(var how):
            try fields.field(&how, limit: Self.maximumReason)
            self = .ended(how)
        case .unavailable(var why):
            try fields.field(&why, limit: Self.maximumReason)
            self = .unavailable(why)
        case .stuck(var count):
            try fields.field(&count)
            self = .stuck(count)
        case .unsteady(var path):
            try fields.field(&path, limit: Self.maximumReason)
            self = .unsteady(path: path)
        case .closed, .clientGone, .tooMany, .noSuchDownload, .waited: break
        }
    }
}
