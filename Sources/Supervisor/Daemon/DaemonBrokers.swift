internal import CLinux
internal import IPC

/// Workers with `"transport": "ssh"`: what they connect leads to their gates.
extension Daemon {
    /// A worker gives the listener of its filter.
    func takeListener(_ id: ConnectionTable.ID) {
        guard let connection = connections[id], let broker = connection.broker, let number = broker.handOverNumber
        else { return }
        unwatch(number)
        do throws(IPCError) {
            try broker.takeListener()
        } catch {
            connection.broker = nil
            // A worker that could not confine itself has ended, and says why.
            if error != .closed { kill(id, "it did not give the listener of its filter (\(error))") }
            return
        }
        listen(connection)
    }

    private func listen(_ connection: Connection) {
        guard let broker = connection.broker, !connection.isBrokerWatched, broker.isReady,
            let listener = broker.listenerNumber
        else { return }
        watch(listener, Source.broker.token(connection.id))
        connection.isBrokerWatched = true
    }

    private func listenNoMore(_ connection: Connection) {
        if connection.isBrokerWatched, let listener = connection.broker?.listenerNumber { unwatch(listener) }
        connection.isBrokerWatched = false
    }

    /// Something of a worker wants to connect.
    func broker(_ id: ConnectionTable.ID) {
        guard let connection = connections[id], let broker = connection.broker else { return }
        looking: for _ in 0..<ConnectBroker.perTurn {
            switch broker.next(refuse: !gates.takesSSH(id), now: now()) {
            case .connection(let socket):
                broker.outstanding += 1
                gates.giveSSH(id, socket, self)
            case .other: break
            case .nothing: break looking
            case .over:
                endBroker(connection)
                return
            }
            guard broker.isReady else { break }
        }
        if !broker.isReady { listenNoMore(connection) }
    }

    /// Asks callers again that did not run in time.
    func retryBrokers() {
        for (id, connection) in connections {
            guard let time = connection.broker?.retry, time <= now() else { continue }
            broker(id)
            listen(connection)
        }
    }

    /// The gate has taken notice of a connection of this worker.
    func sshConnected(_ id: ConnectionTable.ID) {
        guard let connection = connections[id], let broker = connection.broker else { return }
        broker.outstanding = max(0, broker.outstanding - 1)
        listen(connection)
    }

    /// What the worker's processes connect is answered no more.
    func endBroker(_ connection: Connection) {
        listenNoMore(connection)
        if let number = connection.broker?.handOverNumber { unwatch(number) }
        connection.broker = nil
    }
}
