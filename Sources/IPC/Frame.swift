/// Limits and layout of one IPC packet, little-endian: version (1 byte), zero (3), request id (4), then the message: the number
/// of its subject (1), its own number (1), its fields.
public enum Frame {
    /// Version of the protocol between the processes; all come from one build.
    public static let version: UInt8 = 2
    /// The longest packet in bytes, header included.
    public static let maximumSize = 65_536
    /// Bytes of the header.
    public static let headerSize = 8
    /// The longest path in bytes: PATH_MAX of Linux less the NUL. The kernel resolves no longer one (ENAMETOOLONG).
    public static let maximumPath = 4095
    /// The longest text field in bytes of UTF-8.
    public static let maximumText = 32_768
}
