/// A file that was written.
public struct WriteResult: Equatable, Sendable {
    /// How it was written.
    public let method: WriteMethod
    /// The path of the file that was written, symlinks resolved.
    public let path: [UInt8]
    /// Its size in bytes.
    public let size: UInt64
    /// SHA-256 of the content in hexadecimal, if it was asked for.
    public var sha256: String? = nil
}
