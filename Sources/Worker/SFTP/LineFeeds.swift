internal import Glibc

/// Finds line feeds in bytes.
enum LineFeeds {
    /// Looks for the line feed of this number; the first is 1.
    /// - Returns: the index after it, or the end of the bytes if there are fewer, and how many line feeds come before that
    ///   index.
    static func end(of number: Int, in bytes: ArraySlice<UInt8>) -> (index: Int, found: Int) {
        bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return (bytes.startIndex, 0) }
            var (offset, found) = (0, 0)
            while found < number {
                guard let feed = memchr(base + offset, 0x0A, buffer.count - offset) else {
                    return (bytes.endIndex, found)
                }
                found += 1
                offset = base.distance(to: feed) + 1
            }
            return (bytes.startIndex + offset, found)
        }
    }
}
