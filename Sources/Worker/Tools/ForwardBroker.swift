public import IPC

/// The supervisor's registry of port forwards. A forward outlives the worker that opened it.
public protocol ForwardBroker: Sendable {
    /// Sends a message about a forward and waits for the answer.
    /// - Throws: if the supervisor does not take it.
    func ask(_ word: ToSupervisor.Forwards) async throws(IPCError) -> ToWorker.Forwards
}
