public import IPC

/// Local files as a worker gets them: asked for by way of the supervisor, and opened by a file broker. The worker itself has no
/// file system.
public protocol LocalFileBroker: Sendable {
    /// Sends a request for a local file and waits for its answer.
    func ask(_ request: ToSupervisor.Files) async -> LocalAnswer
    /// Drops a new file that will not be committed; there is no answer.
    func abandon(handle: UInt32)
}
