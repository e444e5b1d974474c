/// A file that was read to the end that it had when it was opened.
public struct DownloadResult: Equatable, Sendable {
    /// How many of its bytes were read.
    public let size: UInt64
    /// Its attributes when it was opened, from FSTAT.
    public let attributes: SFTPAttributes
    /// SHA-256 of what was read in hexadecimal, if it was asked for.
    public let sha256: String?
    /// Its size after the last byte was read, if it had grown by then; what was added was not read.
    public let grewTo: UInt64?
}
