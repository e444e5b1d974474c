/// The fields of HELLO, which both sides send alike.
enum MuxHello {
    /// Reads the version. In version 4, pairs of a name and a value follow, one for each extension; they change nothing
    /// here. In another version, what follows is not known and not read.
    static func version(from reader: inout MuxReader) throws(MuxViolation) -> UInt32 {
        let version = try reader.takeNumber()
        guard version == MuxProtocol.version else { return version }
        while !reader.isAtEnd {
            _ = try reader.takeBytes()
            _ = try reader.takeBytes()
        }
        return version
    }
}
