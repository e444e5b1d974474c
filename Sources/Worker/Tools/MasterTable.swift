internal import SSH

/// What is known of ControlMasters, by their sockets: of those that the config names, and of those that it names no more as
/// long as something runs through them, should a reload name them again.
struct MasterTable: Sendable {
    private struct Former: Sendable {
        weak var master: MasterSessions?
    }

    private let registry = SocketRegistry()
    private var named: [String: MasterSessions] = [:]
    private var former: [String: Former] = [:]
    private var sessions: Int?

    /// How many there are.
    var count: Int { named.count + former.values.count { $0.master != nil } }

    /// That of a socket which the config names.
    subscript(socket: String) -> MasterSessions? { named[socket] }

    /// Takes over what a config names, and how many sessions each may have.
    mutating func update(sockets: Set<String>, sessions: Int) {
        var all = former.compactMapValues(\.master)
        all.merge(named) { $1 }
        if let before = self.sessions, before != sessions {
            for master in all.values { master.limit(to: sessions) }
        }
        self.sessions = sessions
        named = Dictionary(
            uniqueKeysWithValues: sockets.map {
                ($0, all[$0] ?? MasterSessions(sessions: sessions, registry: registry))
            })
        former = all.filter { named[$0.key] == nil }.mapValues { Former(master: $0) }
    }
}
