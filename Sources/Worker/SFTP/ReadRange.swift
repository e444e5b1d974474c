/// Which bytes of a file to read.
public enum ReadRange: Equatable, Sendable {
    /// The first bytes, at most this many.
    case head(Int)
    /// The bytes from this offset on, at most this many.
    case offset(UInt64, Int)
}
