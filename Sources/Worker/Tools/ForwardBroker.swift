public import IPC

/// The supervisor's registry of port forwards, which outlive this worker.
public protocol ForwardBroker: Sendable {
    /// Sends a message about a forward and waits for the answer.
    /// - Throws: where the supervisor does not take it.
    func ask(_ word: ToSupervisor.Forwards) async throws(IPCError) -> ToWorker.Forwards
}
