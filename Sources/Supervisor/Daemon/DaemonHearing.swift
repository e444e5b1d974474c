internal import CLinux
internal import Glibc
internal import IPC

/// Takes the messages of workers and acts on them. `Permission` decides which worker may send what.
extension Daemon {
    /// Takes messages of these workers, one of each in turn, until there are none or the turn is over. Workers whose turn did not
    /// come are first in the next turn.
    func hear(_ speaking: Set<ConnectionTable.ID>, _ turn: LoopTurn) {
        let ids = speaking.sorted()
        let first = ids.firstIndex { $0 > lastHeard } ?? 0
        var line = ids[first...] + ids[..<first]
        while let id = line.popFirst() {
            lastHeard = id
            if hearOne(id) { line.append(id) }
            if turn.isOver { return }
        }
    }

    /// Takes one message of a worker.
    /// - Returns: whether there may be more.
    func hearOne(_ id: ConnectionTable.ID) -> Bool {
        guard let connection = connections[id], connection.isHeard, let worker = connection.worker else { return false }
        let message: ToSupervisor
        let requestID: UInt32
        do throws(IPCError) {
            guard let incoming = try worker.channel.receive(ToSupervisor.self) else { return false }
            message = incoming.message
            requestID = incoming.requestID
        } catch IPCError.closed {
            _ = csd_epoll_remove(epoll.rawValue, worker.channel.rawValue)
            connection.isSilent = true
            if let end = connection.end { finish(id, connection, end) }
            return false
        } catch {
            kill(id, "it broke the protocol (\(error))")
            return false
        }
        if connection.end != nil {
            connection.lastWords -= 1
            guard connection.lastWords > 0 else {
                kill(id, "it left more messages behind than are taken")
                return false
            }
        }
        if case .life(let word) = message { connection.note(word, now: now()) }
        perform(table.received(message, requestID, from: id, now: now()))
        return connections[id]?.isHeard == true
    }

    /// Takes no messages of a worker until this time. They stay in its channel.
    func pause(_ id: ConnectionTable.ID, _ connection: Connection, until time: Int) {
        guard connection.isHeard, let worker = connection.worker else { return }
        connection.pausedUntil = time
        _ = csd_epoll_remove(epoll.rawValue, worker.channel.rawValue)
    }

    func resume(_ id: ConnectionTable.ID, _ connection: Connection) {
        guard connection.pausedUntil != nil, let worker = connection.worker else { return }
        connection.pausedUntil = nil
        watch(worker.channel.rawValue, Source.channel.token(id))
    }

    func readLog(_ id: ConnectionTable.ID) {
        guard let connection = connections[id], !connection.readLog(now: now()), let worker = connection.worker else {
            return
        }
        _ = csd_epoll_remove(epoll.rawValue, worker.log.rawValue)
    }

    func take(_ word: ToSupervisor.Forwards, _ requestID: UInt32, _ id: ConnectionTable.ID) {
        guard let connection = connections[id] else { return }
        let call: Int?
        switch word {
        case .request(let host, let target, _, let key):
            call = connection.calls.order(of: key)
            guard call != nil else {
                let report = GateReport(
                    host: AuditCall.cut(host, to: AuditCall.maximumName), call: key, .forward(target.fields))
                let until = reported(report, refusedBy: .call, by: id).pausedUntil
                send(.forwards(.refused(.noCall)), requestID, to: id)
                if let until { pause(id, connection, until: until) }
                return
            }
        case .cancel(_, _, _, let key): call = connection.calls.order(of: key)
        case .list: call = nil
        }
        forwards.take(word, requestID, from: id, for: call)
        guard forwards.waiting(of: id) >= Forwards.maximumWaiting, let due = forwards.due else { return }
        pause(id, connection, until: max(due, now() + 1))
    }

    func refuseFiles(_ requestID: UInt32, _ id: ConnectionTable.ID) {
        send(.files(.failed(.clientGone)), requestID, to: id)
    }

    func answer(_ request: ToSupervisor.Files, _ requestID: UInt32, _ id: ConnectionTable.ID) {
        files.take(
            request, requestID, of: id,
            isOpen: config.policy.hosts.contains(where: \.capabilities.fileWrite), now: now(), self)
    }

    func record(_ word: ToSupervisor.Audit, _ requestID: UInt32, _ id: ConnectionTable.ID) {
        guard let connection = connections[id] else { return }
        switch audit.record(word, requestID, in: &connection.calls, log: connection.log, now: now()) {
        case .begun(let size):
            send(.audit(.begun), requestID, to: id)
            connection.audit.spend(size, now: now())
            guard connection.end == nil, let paid = connection.audit.paid(now: now()) else { return }
            pause(id, connection, until: paid)
        case .written: break
        case .outOfTurn: kill(id, "it spoke of a call out of turn")
        }
    }
}
