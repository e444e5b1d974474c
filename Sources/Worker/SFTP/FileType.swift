/// The kind of a file, from the upper bits of its permissions, stat(2) `S_IFMT`.
public enum FileType: String, Equatable, Sendable {
    /// A regular file.
    case regular = "file"
    /// A directory.
    case directory
    /// A symbolic link.
    case symlink
    /// A named pipe.
    case fifo
    /// A Unix socket.
    case socket
    /// A character device.
    case characterDevice = "character device"
    /// A block device.
    case blockDevice = "block device"
    /// The server sent no permissions, or no type in them.
    case unknown

    init(permissions: UInt32?) {
        switch (permissions ?? 0) & 0o170000 {
        case 0o100000: self = .regular
        case 0o040000: self = .directory
        case 0o120000: self = .symlink
        case 0o010000: self = .fifo
        case 0o140000: self = .socket
        case 0o020000: self = .characterDevice
        case 0o060000: self = .blockDevice
        default: self = .unknown
        }
    }
}
