public import IPC

/// The answer to a request for a local file.
public enum LocalAnswer: Sendable {
    /// A file to read, and its size in bytes.
    case opened(DiskFD, size: UInt64)
    /// A new file to write. It gets its name when its handle is committed.
    case created(DiskFD, handle: UInt32)
    /// The new file has its name, and this path leads to it. It is empty where no path was seen to lead there.
    case committed(path: String)
    /// The request was refused by this rule or, if `rule` is empty, failed. The sentence says why, and what to do.
    case refused(String, rule: String)

    /// The supervisor itself refused the request.
    public static func failed(_ failure: LocalFailure) -> LocalAnswer {
        .refused(LocalFailures.sentence(failure), rule: LocalFailures.rule(failure))
    }

    /// The call was cancelled while it waited.
    public static var cancelled: LocalAnswer { .refused("The call was cancelled.", rule: "") }

    /// The broker did not send the answer that it had told the supervisor of.
    public static var unanswered: LocalAnswer { .failed(.ended(.noAnswer)) }
}
