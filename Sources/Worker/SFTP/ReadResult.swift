internal import Glibc

/// A part of a file.
public struct ReadResult: Equatable, Sendable {
    /// The bytes.
    public let bytes: [UInt8]
    /// Where in the file they begin; behind its end where that was asked for.
    public let offset: UInt64
    /// As FSTAT told when the file was opened; its size is 0 for most files of /proc, whatever they contain.
    public let attributes: SFTPAttributes
    /// Bytes in the file: as FSTAT told, or as many as were seen where those are more.
    public let size: UInt64
    /// Nothing was behind `bytes` when they were read.
    public let reachedEnd: Bool
}
