/// A part of a file.
public struct ReadResult: Equatable, Sendable {
    /// The bytes.
    public let bytes: [UInt8]
    /// Where in the file they begin. If the caller asked for an offset after the end, it is that offset.
    public let offset: UInt64
    /// The attributes when the file was opened, from FSTAT. Most files of /proc have the size 0, whatever they contain.
    public let attributes: SFTPAttributes
    /// How many bytes the file has: as FSTAT told, or as many as were seen if that is more.
    public let size: UInt64
    /// Whether nothing came after `bytes` when they were read.
    public let reachedEnd: Bool
}
