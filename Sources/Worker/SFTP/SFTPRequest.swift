/// A request of SFTP version 3, draft-ietf-secsh-filexfer-02 section 6, or of OpenSSH's PROTOCOL section 4. Paths and
/// handles are bytes, because names need not be UTF-8.
enum SFTPRequest: Equatable, Sendable {
    /// Flags of OPEN, SSH_FXF_*.
    struct OpenFlags: OptionSet, Sendable {
        let rawValue: UInt32
        static let read = OpenFlags(rawValue: 0x01)
        static let write = OpenFlags(rawValue: 0x02)
        static let create = OpenFlags(rawValue: 0x08)
        static let exclusive = OpenFlags(rawValue: 0x20)
    }

    /// The kind of reply that a request gets if it succeeds. A request that fails gets a status.
    enum Answer: Equatable, Sendable {
        case status
        case handle
        /// At most this many bytes.
        case data(Int)
        case names
        /// Exactly one name.
        case name
        case attributes
        case extended
    }

    case open([UInt8], OpenFlags, SFTPAttributes)
    case close([UInt8])
    case read([UInt8], offset: UInt64, length: Int)
    case write([UInt8], offset: UInt64, data: ArraySlice<UInt8>)
    case lstat([UInt8])
    case fstat([UInt8])
    case fsetstat([UInt8], SFTPAttributes)
    /// `temporaries`: only the names of temporary files are wanted. SFTP lists all.
    case opendir([UInt8], temporaries: Bool = false)
    case readdir([UInt8])
    case remove([UInt8])
    case mkdir([UInt8], SFTPAttributes)
    /// Removes a directory that is empty.
    case rmdir([UInt8])
    case realpath([UInt8])
    case stat([UInt8])
    case readlink([UInt8])
    /// The beginning of a line of `ls -l`. Only a shell can answer.
    case ties([UInt8])
    case limits
    case posixRename([UInt8], to: [UInt8])
    case fsync([UInt8])
    case statvfs([UInt8])
    case hardlink([UInt8], to: [UInt8])

    /// The type of the packet, and the name for messages.
    var call: (type: UInt8, name: String) {
        switch self {
        case .open: (3, "OPEN")
        case .close: (4, "CLOSE")
        case .read: (5, "READ")
        case .write: (6, "WRITE")
        case .lstat: (7, "LSTAT")
        case .fstat: (8, "FSTAT")
        case .fsetstat: (10, "FSETSTAT")
        case .opendir: (11, "OPENDIR")
        case .readdir: (12, "READDIR")
        case .remove: (13, "REMOVE")
        case .mkdir: (14, "MKDIR")
        case .rmdir: (15, "RMDIR")
        case .realpath: (16, "REALPATH")
        case .stat: (17, "STAT")
        case .readlink: (19, "READLINK")
        // It is never sent over SFTP.
        case .ties: (16, "REALPATH")
        case .limits: (200, SFTPExtension.limits.rawValue)
        case .posixRename: (200, SFTPExtension.posixRename.rawValue)
        case .fsync: (200, SFTPExtension.fsync.rawValue)
        case .statvfs: (200, SFTPExtension.statvfs.rawValue)
        case .hardlink: (200, SFTPExtension.hardlink.rawValue)
        }
    }

    var answer: Answer {
        switch self {
        case .open, .opendir: .handle
        case .read(_, _, let length): .data(length)
        case .readdir: .names
        case .realpath, .readlink, .ties: .name
        case .lstat, .fstat, .stat: .attributes
        case .limits, .statvfs: .extended
        case .close, .write, .fsetstat, .remove, .mkdir, .rmdir, .posixRename, .fsync, .hardlink: .status
        }
    }

    /// The path that the request is about; empty if it has only a handle or nothing.
    var path: [UInt8] {
        switch self {
        case .open(let path, _, _), .lstat(let path), .opendir(let path, _), .remove(let path), .mkdir(let path, _),
            .rmdir(let path), .realpath(let path), .stat(let path), .readlink(let path), .ties(let path),
            .posixRename(let path, _),
            .statvfs(let path),
            .hardlink(let path, _):
            path
        case .close, .read, .write, .fstat, .fsetstat, .readdir, .limits, .fsync: []
        }
    }

    /// Whether the answer tells that what was written is on the disk, or ready for others.
    var settles: Bool {
        switch self {
        case .fsync, .close: true
        default: false
        }
    }

    /// How many bytes of a file the request has.
    var content: Int {
        if case .write(_, _, let data) = self { return data.count }
        return 0
    }

    /// The packet, its length first.
    func encode(id: UInt32) -> [UInt8] {
        var writer: WireWriter
        if case .write(_, _, let data) = self {
            writer = WireWriter(reserving: data.count + 300)
        } else {
            writer = WireWriter()
        }
        writer.byte(call.type)
        writer.number(id)
        if call.type == 200 { writer.string(call.name.utf8) }
        switch self {
        case .open(let path, let flags, let attributes):
            writer.string(path)
            writer.number(flags.rawValue)
            attributes.encode(into: &writer)
        case .close(let bytes), .fstat(let bytes), .readdir(let bytes), .fsync(let bytes), .lstat(let bytes),
            .opendir(let bytes, _), .remove(let bytes), .rmdir(let bytes), .realpath(let bytes), .stat(let bytes),
            .readlink(let bytes), .ties(let bytes), .statvfs(let bytes):
            writer.string(bytes)
        case .read(let handle, let offset, let length):
            writer.string(handle)
            writer.number(offset)
            writer.number(UInt32(length))
        case .write(let handle, let offset, let data):
            writer.string(handle)
            writer.number(offset)
            writer.string(data)
        case .fsetstat(let bytes, let attributes), .mkdir(let bytes, let attributes):
            writer.string(bytes)
            attributes.encode(into: &writer)
        case .posixRename(let old, let new), .hardlink(let old, let new):
            writer.string(old)
            writer.string(new)
        case .limits: break
        }
        return writer.packet()
    }

    /// The packet SSH_FXP_INIT of version 3.
    static let initialize: [UInt8] = [0, 0, 0, 5, 1, 0, 0, 0, 3]
}
