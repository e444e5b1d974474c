internal import Glibc

/// Some lines of a file.
public struct LinesResult: Equatable, Sendable {
    /// The lines, with their line feeds.
    public let bytes: [UInt8]
    /// Where in the file they begin.
    public let offset: UInt64
    /// As FSTAT told when the file was opened.
    public let attributes: SFTPAttributes
    /// Bytes in the file: as FSTAT told, or as many as were seen where those are more.
    public let size: UInt64
    /// How many lines `bytes` has; a last one without a line feed counts.
    public let count: Int
    /// Nothing was behind `bytes` when they were read.
    public let reachedEnd: Bool
    /// There were more of the wanted lines than the limit of bytes allows: `bytes` begins (tail) or ends within a line.
    public let isCut: Bool
}
