internal import SSH

/// Keeps what is known of ControlMasters, by the paths of their sockets. A master that the config no longer names is kept as
/// long as something runs through it, because a reload may name it again.
struct MasterTable: Sendable {
    private struct Former: Sendable {
        weak var master: MasterSessions?
    }

    private let registry = MasterRegistry()
    private var named: [String: MasterSessions] = [:]
    private var former: [String: Former] = [:]
    private var sessions: Int?

    /// How many masters there are.
    var count: Int { named.count + former.values.count { $0.master != nil } }

    /// The master at this path; nil if the config does not name it.
    subscript(socket: String) -> MasterSessions? { named[socket] }

    /// Takes the sockets that a config names, and how many sessions each master may have.
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
