internal import Glibc

/// Which bytes of a file to read.
public enum ReadRange: Equatable, Sendable {
    /// The first bytes, at most so many.
    case head(Int)
    /// From an offset on, at most so many.
    case offset(UInt64, Int)
}
