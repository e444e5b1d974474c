/// How a client's stream of lines ended.
public enum ConnectionEnd: Equatable, Sendable {
    /// The client ended its output. A line without its end is dropped.
    case closed
    /// A line has more than `limit` bytes. The ids of its requests are known, as far as they could be read.
    case lineTooLong(limit: Int, UnreadableLine)
    /// Reading failed with this errno.
    case failed(errno: Int32)
}
