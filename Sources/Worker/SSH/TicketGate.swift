public import IPC

/// A gate that gives tickets for sessions.
public protocol TicketGate: MasterGate {
    /// Asks for a ticket for a session. `given` gets the session's number and the ticket, if there is one; `heard` gets each word
    /// of the session, one after the other, until the last.
    /// - Returns: the session's number.
    func ticket(
        for request: GateRequest, given: @escaping @Sendable (_ session: UInt32, _ ticket: String) -> Void,
        heard: @escaping @Sendable (SessionWord) -> Void
    ) -> UInt32
}
