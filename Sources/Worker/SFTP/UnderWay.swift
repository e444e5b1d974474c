/// What one connection has under way for all its calls: requests without an answer, and answers that were asked for and
/// are not taken yet. The server decides when it answers, so without bounds it would decide how much memory is kept
/// here.
struct UnderWay {
    /// Most bytes under way if something is asked for ahead.
    static let mostBytesAhead = 24 << 20
    /// Most requests without an answer if something is asked for ahead.
    static let mostRequestsAhead = 1024
    /// At this many requests without an answer the server is given up. All calls together have fewer under way.
    static let mostUnanswered = 16_384
    /// Bytes of the next READ or WRITE if nothing may be asked for ahead: every server takes as many.
    static let shortest = 32_768

    /// How many bytes everything under way takes, or may take when it comes.
    private(set) var bytes = 0

    mutating func add(_ cost: Int) { bytes += cost }
    mutating func remove(_ cost: Int) { bytes -= cost }

    /// Whether something of this cost may be asked for ahead.
    func hasRoom(for cost: Int, unanswered: Int) -> Bool {
        bytes + cost <= Self.mostBytesAhead && unanswered < Self.mostRequestsAhead
    }
}

extension SFTPRequest {
    /// Bytes that the names of a READDIR take in memory with their attributes.
    static let costOfNames = 512 << 10

    /// Bytes that the request and its answer may take in memory.
    var cost: Int {
        switch self {
        case .read(_, _, let length): length + 512
        case .write(_, _, let data): data.count + 512
        case .readdir: Self.costOfNames
        case .open, .close, .lstat, .fstat, .fsetstat, .opendir, .remove, .mkdir, .rmdir, .realpath, .stat, .readlink,
            .ties,
            .limits,
            .posixRename, .fsync, .statvfs, .hardlink:
            Self.costOfPath
        }
    }

    /// Bytes of a path in the request and of one in the answer.
    static let costOfPath = 2 * SFTPReply.longestPath
}
