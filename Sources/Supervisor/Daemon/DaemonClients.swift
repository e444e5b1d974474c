internal import CLinux
internal import Glibc
internal import IPC

/// Clients that connect, send something or go. Only workers read what clients send.
extension Daemon {
    func acceptAll(_ turn: LoopTurn) {
        while table.hasRoom, !turn.isOver {
            switch socket.accept() {
            case .none: return
            case .exhausted(let code):
                Log.write(
                    .warning, "no connection can be accepted now", ["error": .text(String(cString: strerror(code)))])
                retryAccept = now() + 1000
                return
            case .stranger(let peer):
                Log.write(
                    .warning, "connection refused: another user",
                    ["client_pid": .number(Int(peer.pid)), "client_uid": .number(Int(peer.uid))])
            case .client(let client, let peer):
                let descriptor = client.rawValue
                let program = AuditClient.executable(of: peer.pid)
                let (id, actions) = table.accepted(pid: peer.pid, program: program, now: now())
                // The loop learns that the client has sent something or hung up. This process reads no byte of it.
                watch(descriptor, Source.client.token(id))
                connections[id] = Connection(id, peer: peer, program: program, client: consume client, now: now())
                Log.write(.info, "client connected", fields(peer, id))
                perform(actions)
            }
        }
    }

    func clientEvent(_ id: ConnectionTable.ID, hungUp: Bool) {
        guard let connection = connections[id], let descriptor = connection.client?.rawValue else { return }
        _ = csd_epoll_remove(epoll.rawValue, descriptor)
        guard hungUp else {
            // The bytes stay unread until a worker reads them, so from here on only a hang-up may wake the loop.
            watch(descriptor, Source.client.token(id), for: 0)
            return perform(table.spoke(id, now: now()))
        }
        switch table.entries[id]?.phase {
        case .serving, .starting(.serve): connection.noteGone("the client closed")
        case .listening, .unheard: connection.noteGone("the client closed before it was served")
        case .waitingReady: connection.noteGone("the client closed while it waited")
        case .silent, .waiting, .toRefuse, .starting, .departing, .leaving, .refusing, .releasing, .none: break
        }
        perform(table.hungUp(id, now: now()))
    }

    func close(_ id: ConnectionTable.ID, _ reason: String) {
        guard connections.removeValue(forKey: id) != nil else { return }
        Log.write(.info, "client disconnected", ["reason": .text(reason), "connection": .number(Int(id))])
    }

    /// Stops or starts listening: while there is no room for more clients, they stay in the kernel's backlog.
    func updateListening() {
        if let time = retryAccept, time <= now() { retryAccept = nil }
        let wanted = table.hasRoom && retryAccept == nil
        guard listening != wanted else { return }
        listening = wanted
        if listening {
            watch(socket.rawValue, Source.listener.token())
        } else {
            _ = csd_epoll_remove(epoll.rawValue, socket.rawValue)
        }
    }

    func fields(_ peer: MCPSocket.Peer, _ id: ConnectionTable.ID) -> KeyValuePairs<String, LogValue> {
        ["connection": .number(Int(id)), "client_pid": .number(Int(peer.pid)), "client_uid": .number(Int(peer.uid))]
    }
}
