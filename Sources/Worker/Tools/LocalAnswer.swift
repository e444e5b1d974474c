public import IPC

/// The answer to a request for a local file.
public enum LocalAnswer: Sendable {
    /// A file to read, and its size in bytes.
    case opened(DiskFD, size: UInt64)
    /// A new file to write; it gets its name when its handle is committed.
    case created(DiskFD, handle: UInt32)
    /// The new file has its name.
    case committed
    /// A sentence that says why not, and what to do; `rule` is empty where something failed rather than being refused.
    case refused(String, rule: String)

    /// What the supervisor itself says.
    public static func failed(_ failure: LocalFailure) -> LocalAnswer {
        .refused(LocalFailures.sentence(failure), rule: LocalFailures.rule(failure))
    }

    /// The call was cancelled while it waited.
    public static var cancelled: LocalAnswer { .refused("The call was cancelled.", rule: "") }

    /// The broker has said nothing of the request, though the supervisor was told so.
    public static var unanswered: LocalAnswer { .failed(.ended(.noAnswer)) }
}
