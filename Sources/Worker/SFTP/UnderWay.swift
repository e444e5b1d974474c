/// What one connection has under way, over all calls on it: requests without an answer, and answers that were asked for
/// and are not taken yet. A server decides when it answers, so without bounds it would decide how much is kept here.
struct UnderWay {
    /// Bytes up to which more than the next thing is asked for.
    static let mostBytesAhead = 24 << 20
    /// Requests up to which more than the next thing is asked for.
    static let mostRequestsAhead = 1024
    /// Requests without an answer at which the server is given up: more than all calls at once have under way.
    static let mostUnanswered = 16_384
    /// Bytes of the next READ or WRITE where no more is asked for ahead; the least that every server takes.
    static let shortest = 32_768

    /// What all that is waited for may take when it comes, or takes until it is sent.
    private(set) var bytes = 0

    mutating func add(_ cost: Int) { bytes += cost }
    mutating func remove(_ cost: Int) { bytes -= cost }

    /// Whether something of this cost may be asked for ahead.
    func hasRoom(for cost: Int, unanswered: Int) -> Bool {
        bytes + cost <= Self.mostBytesAhead && unanswered < Self.mostRequestsAhead
    }
}

extension SFTPRequest {
    /// Bytes that the names of a READDIR take when they are cut out of their packet, with their attributes.
    static let costOfNames = 512 << 10

    /// Bytes that it and its answer may take.
    var cost: Int {
        switch self {
        case .read(_, _, let length): length + 512
        case .write(_, _, let data): data.count + 512
        case .readdir: Self.costOfNames
        case .open, .close, .lstat, .fstat, .fsetstat, .opendir, .remove, .mkdir, .realpath, .stat, .readlink, .limits,
            .posixRename, .fsync, .statvfs, .hardlink:
            Self.costOfPath
        }
    }

    /// A path there and a path back.
    static let costOfPath = 2 * SFTPReply.longestPath
}
