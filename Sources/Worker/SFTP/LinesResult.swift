/// Some lines of a file.
public struct LinesResult: Equatable, Sendable {
    /// The lines, with their line feeds.
    public let bytes: [UInt8]
    /// Where in the file they begin.
    public let offset: UInt64
    /// The attributes when the file was opened, from FSTAT.
    public let attributes: SFTPAttributes
    /// How many bytes the file has: as FSTAT told, or as many as were seen if that is more.
    public let size: UInt64
    /// How many lines `bytes` has. A last one without a line feed counts.
    public let count: Int
    /// Whether nothing came after `bytes` when they were read.
    public let reachedEnd: Bool
    /// Whether the wanted lines have more bytes than the limit. Then `bytes` begins (tail) or ends within a line.
    public let isCut: Bool
}
