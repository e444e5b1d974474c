/// A page of a directory.
public struct ListResult: Equatable, Sendable {
    /// The entries, sorted by the bytes of their names.
    public let entries: [RemoteEntry]
    /// Whether more entries follow.
    public let hasMore: Bool
    /// How many entries the directory has, without `.` and `..`.
    public let total: Int
}
