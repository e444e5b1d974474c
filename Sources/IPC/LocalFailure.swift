/// Why the supervisor itself refuses a worker's request for a local file. A broker sends its answers to the worker directly.
public enum LocalFailure: MessageChoice {
    /// `capabilities.file_write` is off for every host.
    case closed
    /// The client has gone.
    case clientGone
    /// Too many requests are waiting.
    case tooMany
    /// This many downloads of this connection are under way, and no more are allowed.
    case downloads(UInt32)
    /// No download has this handle.
    case noSuchDownload
    /// The file system of this path did not answer in time. Nothing was done.
    case silent(path: String)
    /// The request waited too long behind others that got no answer. Nothing was done.
    case waited
    /// The file system did not answer when the file was to get its name at this path. It is not known whether it has the name.
    case commitUnknown(path: String)
    /// The same, because the broker failed in this way.
    case commitUnknownAfter(ProgramFailure, path: String)
    /// The file for this path is lost, because its broker was killed when it hung at the path `silent`.
    case lost(path: String, silent: String)
    /// The file for this path is lost, because its broker failed in this way.
    case lostAfter(ProgramFailure, path: String)
    /// The broker failed in this way during the request. Nothing was opened or kept.
    case ended(ProgramFailure)
    /// No broker can be started.
    case unavailable(ProgramFailure)
    /// This many killed brokers of this connection still hang at file systems, so that no other one is started.
    case stuck(UInt32)
    /// The root of this path changes all the time.
    case unsteady(path: String)
    /// A broker could not send its answer, with this errno. Nothing was opened or kept.
    case undelivered(errno: UInt32)
    /// This many workers and brokers of earlier connections have not ended, so that no broker is started.
    case leaving(UInt32)

    /// How many bytes a path may have. It comes from a request or from the policy.
    private static let maximumPath = 8192

    /// See `MessageChoice`.
    public static let kinds: [LocalFailure] = [
        .closed, .clientGone, .tooMany, .downloads(0), .noSuchDownload, .silent(path: ""), .waited,
        .commitUnknown(path: ""), .commitUnknownAfter(.missing, path: ""), .lost(path: "", silent: ""),
        .lostAfter(.missing, path: ""), .ended(.missing), .unavailable(.missing), .stuck(0), .unsteady(path: ""),
        .undelivered(errno: 0), .leaving(0),
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
        case .undelivered: 16
        case .leaving: 17
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .downloads(var count):
            try fields.field(&count)
            self = .downloads(count)
        case .silent(var path):
            try fields.field(&path, limit: Self.maximumPath)
            self = .silent(path: path)
        case .commitUnknown(var path):
            try fields.field(&path, limit: Self.maximumPath)
            self = .commitUnknown(path: path)
        case .commitUnknownAfter(var failure, var path):
            try fields.field(&failure)
            try fields.field(&path, limit: Self.maximumPath)
            self = .commitUnknownAfter(failure, path: path)
        case .lost(var path, var silent):
            try fields.field(&path, limit: Self.maximumPath)
            try fields.field(&silent, limit: Self.maximumPath)
            self = .lost(path: path, silent: silent)
        case .lostAfter(var failure, var path):
            try fields.field(&failure)
            try fields.field(&path, limit: Self.maximumPath)
            self = .lostAfter(failure, path: path)
        case .ended(var failure):
            try fields.field(&failure)
            self = .ended(failure)
        case .unavailable(var failure):
            try fields.field(&failure)
            self = .unavailable(failure)
        case .leaving(var count):
            try fields.field(&count)
            self = .leaving(count)
        case .stuck(var count):
            try fields.field(&count)
            self = .stuck(count)
        case .unsteady(var path):
            try fields.field(&path, limit: Self.maximumPath)
            self = .unsteady(path: path)
        case .undelivered(var errno):
            try fields.field(&errno)
            self = .undelivered(errno: errno)
        case .closed, .clientGone, .tooMany, .noSuchDownload, .waited: break
        }
    }
}
