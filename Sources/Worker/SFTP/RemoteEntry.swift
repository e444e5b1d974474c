/// An entry of a directory.
public struct RemoteEntry: Equatable, Sendable {
    /// Its name: any bytes but `/` and NUL.
    public let name: [UInt8]
    /// Attributes of the entry itself; symlinks are not followed.
    public var attributes: SFTPAttributes
    /// What a symlink points to, as it is written; nil if it was not asked for or cannot be read, and for other
    /// entries.
    public var target: [UInt8]?
}
