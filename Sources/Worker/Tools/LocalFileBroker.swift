public import IPC

/// Local files as a worker gets them: asked for by way of the supervisor, and opened by a file broker. The worker itself has no
/// file system.
public protocol LocalFileBroker: Sendable {
    /// Sends a request for a local file and waits for its answer.
    func ask(_ request: ToSupervisor.Files) async -> LocalAnswer
    /// Drops a new file that will not be committed; there is no answer.
    func abandon(handle: UInt32)
}

/// The supervisor's registry of port forwards, which outlive this worker.
public protocol ForwardBroker: Sendable {
    /// Sends a message about a forward and waits for the answer.
    /// - Throws: where the supervisor does not take it.
    func ask(_ word: ToSupervisor.Forwards) async throws(IPCError) -> ToWorker.Forwards
}

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
