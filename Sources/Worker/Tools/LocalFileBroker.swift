public import IPC

/// Gives a worker local files. The supervisor passes the request on to a file broker, which opens the file. The worker itself can
/// open none.
public protocol LocalFileBroker: Sendable {
    /// Sends a request for a local file and waits for its answer.
    func ask(_ request: ToSupervisor.Files) async -> LocalAnswer
    /// Drops a new file that will not be committed. There is no answer.
    func abandon(handle: UInt32)
}
