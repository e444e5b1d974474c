/// Filters the requests of an SFTP channel, version 3 (draft-ietf-secsh-filexfer-02), on a host whose policy allows
/// less than everything: it says how much of what the worker sends `SFTPRules` allow. It does no I/O and keeps no bytes:
/// its owner has them, split in any way, and sends on what is allowed as it is. A packet is allowed only after all of it
/// has been judged; of a WRITE, all but its content.
///
/// Handles are not judged: the server gave them for a path that was judged, and only for reading if only reading is
/// allowed.
public struct SFTPFilter: Sendable {
    /// Bytes of the longest packet that is not a WRITE, without its length: it holds two paths of PATH_MAX (4096),
    /// attributes and an extension's name.
    static let longestRequest = 16 * 1024
    /// Bytes of the longest WRITE, without its length: SFTP_MAX_MSG_LENGTH of OpenSSH's sftp-common.h.
    static let longestWrite = 256 * 1024
    /// Bytes that `judge` leaves at most: they begin a packet that is not all there.
    public static let longestUnjudged = 4 + longestRequest - 1
    /// Bytes of a handle, section 6.3 of the draft.
    static let longestHandle = 256
    /// SSH_FXF_READ of OPEN, section 6.3 of the draft.
    private static let openRead: UInt32 = 0x01
    /// The flags that an OPEN may have: SSH_FXF_READ, WRITE, CREAT, TRUNC and EXCL, but not APPEND (0x04).
    private static let openFlags: UInt32 = 0x3B

    private let rules: SFTPRules
    /// How many bytes of a WRITE's content are still to come. They need no judgement.
    public private(set) var passing = 0
    /// Whether INIT has come.
    private var hasBegun = false

    /// A filter for a channel on which nothing has been sent yet.
    public init(_ rules: SFTPRules) {
        self.rules = rules
    }

    /// Judges bytes of the worker.
    /// - Parameter bytes: what follows the bytes that were allowed before. What of it is not allowed must come again, with
    ///   more behind it.
    /// - Returns: how many of them may go to the host now. The others are `longestUnjudged` at most.
    /// - Throws: the violation. None of `bytes` may go to the host then, not even packets before it.
    public mutating func judge(_ bytes: ArraySlice<UInt8>) throws(SFTPViolation) -> Int {
        var rest = bytes
        while !rest.isEmpty {
            if passing > 0 {
                let part = min(passing, rest.count)
                passing -= part
                rest = rest.dropFirst(part)
                continue
            }
            guard let length = try Self.judgedLength(of: rest) else { break }
            try judgePacket(rest.prefix(length))
            rest = rest.dropFirst(length)
        }
        return bytes.count - rest.count
    }

    /// Takes notice that as many bytes of a content have gone on without `judge`, at most `passing`.
    public mutating func passed(_ count: Int) { passing -= min(passing, count) }

    /// How many bytes of the packet at the beginning of `bytes` are judged at once: the whole packet; of a WRITE, all before its
    /// content. It is nil if not all of these are there.
    private static func judgedLength(of bytes: ArraySlice<UInt8>) throws(SFTPViolation) -> Int? {
        guard bytes.count >= 5 else { return nil }
        let start = bytes.startIndex
        let length = Int(number(bytes[start..<start + 4]))
        let isWrite = bytes[start + 4] == Request.write.rawValue
        guard length >= 1, length <= (isWrite ? longestWrite : longestRequest) else { throw .length(length) }
        guard isWrite else { return bytes.count >= 4 + length ? 4 + length : nil }
        // The length, the type, the id and the length of the handle.
        guard length >= 9 else { throw .malformed }
        guard bytes.count >= 13 else { return nil }
        let handle = Int(number(bytes[start + 9..<start + 13]))
        // After the handle, the offset and the length of the content.
        guard handle <= longestHandle, 9 + handle + 12 <= length else { throw .malformed }
        return bytes.count >= 13 + handle + 12 ? 13 + handle + 12 : nil
    }

    /// Judges a packet, or a WRITE without its content.
    private mutating func judgePacket(_ packet: ArraySlice<UInt8>) throws(SFTPViolation) {
        let length = Int(Self.number(packet.prefix(4)))
        let type = packet[packet.startIndex + 4]
        var fields = Fields(packet.dropFirst(5))
        guard let request = Request(rawValue: type) else { throw .type(type) }
        guard hasBegun else {
            guard request == .initialize, length == 5, try fields.number() == 3 else { throw .greeting }
            hasBegun = true
            return
        }
        guard request != .initialize else { throw .greeting }
        _ = try fields.number()
        switch request {
        case .initialize: break
        case .write:
            try write()
            passing = 4 + length - packet.count
            guard passing == Int(Self.number(packet.suffix(4))) else { throw .malformed }
            return
        case .open:
            try path(&fields)
            let flags = try fields.number()
            guard flags & ~Self.openFlags == 0 else { throw .flags(flags) }
            if flags != Self.openRead { try write() }
            if try attributes(&fields) { try write() }
        case .close, .fstat, .readdir: try handle(&fields)
        case .read:
            try handle(&fields)
            _ = try fields.number()
            _ = try fields.number()
            _ = try fields.number()
        case .lstat, .stat, .opendir, .readlink: try path(&fields)
        case .realpath: try path(&fields, where: rules.resolves)
        case .fsetstat:
            try write()
            try handle(&fields)
            _ = try attributes(&fields)
        case .mkdir:
            try write()
            try path(&fields)
            _ = try attributes(&fields)
        case .remove, .rmdir:
            try write()
            try path(&fields)
        case .extended: try judgeExtension(&fields)
        }
        guard fields.isEmpty else { throw .malformed }
    }

    private func judgeExtension(_ fields: inout Fields) throws(SFTPViolation) {
        let name = String(decoding: try fields.string().prefix(64), as: UTF8.self)
        switch name {
        case "limits@openssh.com": break
        case "statvfs@openssh.com": try path(&fields)
        case "fsync@openssh.com":
            try write()
            try handle(&fields)
        case "posix-rename@openssh.com", "hardlink@openssh.com":
            try write()
            try path(&fields)
            try path(&fields)
        default: throw .extension(name)
        }
    }

    private func write() throws(SFTPViolation) {
        guard rules.allowsWriting else { throw .writing }
    }

    private func handle(_ fields: inout Fields) throws(SFTPViolation) {
        guard try fields.string().count <= Self.longestHandle else { throw .malformed }
    }

    private func path(_ fields: inout Fields) throws(SFTPViolation) { try path(&fields, where: rules.holds) }

    private func path(
        _ fields: inout Fields, where isAllowed: (ArraySlice<UInt8>) -> Bool
    ) throws(SFTPViolation) {
        let path = try fields.string()
        guard isAllowed(path) else { throw .outside(String(decoding: path.prefix(200), as: UTF8.self)) }
    }

    /// Reads attributes, section 5 of the draft: flags, then the size, owner, permissions and times that the flags
    /// announce. Extended attributes are a violation.
    /// - Returns: whether there are any attributes.
    private func attributes(_ fields: inout Fields) throws(SFTPViolation) -> Bool {
        let flags = try fields.number()
        guard flags & ~0x0F == 0 else { throw .flags(flags) }
        for (flag, words) in [(1, 2), (2, 2), (4, 1), (8, 2)] as [(UInt32, Int)] where flags & flag != 0 {
            for _ in 0..<words { _ = try fields.number() }
        }
        return flags != 0
    }

    fileprivate static func number(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }
}

/// The types of the requests that a worker sends, section 3 of the draft.
private enum Request: UInt8 {
    case initialize = 1
    case open = 3
    case close = 4
    case read = 5
    case write = 6
    case lstat = 7
    case fstat = 8
    case fsetstat = 10
    case opendir = 11
    case readdir = 12
    case remove = 13
    case mkdir = 14
    case rmdir = 15
    case realpath = 16
    case stat = 17
    case readlink = 19
    case extended = 200
}

/// Reads the fields of a packet and never beyond its end.
private struct Fields {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    var isEmpty: Bool { rest.isEmpty }

    mutating func number() throws(SFTPViolation) -> UInt32 {
        guard rest.count >= 4 else { throw .malformed }
        defer { rest = rest.dropFirst(4) }
        return SFTPFilter.number(rest.prefix(4))
    }

    mutating func string() throws(SFTPViolation) -> ArraySlice<UInt8> {
        let length = Int(try number())
        guard length <= rest.count else { throw .malformed }
        defer { rest = rest.dropFirst(length) }
        return rest.prefix(length)
    }
}
