internal import IPC

/// The place, which is one gate: the client that has it gets a gate, and one in line is told who is in the way.
extension Daemon {
    /// Gives a worker its gate, which may have been started beside it.
    func proceed(_ id: ConnectionTable.ID) {
        guard let connection = connections[id], connection.worker != nil else { return }
        do throws(StartError) {
            if connection.gate == nil {
                connection.gate = SharedFD(
                    try gates.start(id, policy: policies.serving, transport: connection.transport, self))
            }
            send(.life(.proceed), descriptor: connection.gate, to: id)
            connection.gate = nil
        } catch {
            Log.write(
                .error, "a worker could not start", ["connection": .number(Int(id)), "why": .text(error.sentence)])
            perform(table.cannotProceed(id, now: now()))
        }
    }

    /// Ends the gate of a worker whose client has given its turn away.
    func takeGate(_ id: ConnectionTable.ID) {
        connections[id]?.gate = nil
        gates.close(id, self)
    }

    /// Refuses a call that has waited for the place, and writes that down. This process knows neither its tool nor its arguments:
    /// a worker in line is not believed what it says of calls.
    func refuseCall(_ refusal: ClientRefusal, _ requestID: UInt32, _ id: ConnectionTable.ID) {
        guard let connection = connections[id] else { return }
        let size = audit.refused(in: &connection.calls, log: connection.log, now: now())
        // A worker can ask for any number of these, so they are not kept for one that does not read.
        let isTaken = tell(id, .life(.refuseCall(refusal)), requestID: requestID, descriptor: nil)
        if !isTaken { return giveUp(id) }
        connection.audit.spend(size, now: now())
        guard connection.end == nil, let paid = connection.audit.paid(now: now()) else { return }
        pause(id, connection, until: paid)
    }
}
