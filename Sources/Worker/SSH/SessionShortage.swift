/// Why there was no session: which limit was met, and what holds the sessions.
public struct SessionShortage: Equatable, Sendable {
    /// A limit on the number of sessions.
    public enum Limit: Equatable, Sendable {
        /// The config allows this many at once, `limits.sessions_per_host`.
        case configured(Int)
        /// The host takes this many from the daemon at once, `MaxSessions` of sshd_config(5).
        case host(Int)
    }

    /// The limit that was met.
    public let limit: Limit
    /// How many sessions commands of this connection hold or are about to open.
    public let commands: Int
    /// How many sessions file channels of this connection hold.
    public let channels: Int
    /// How many commands of this connection could not be stopped and may still hold sessions.
    public let unstopped: Int
}
