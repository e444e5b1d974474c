/// Filters the requests of an SFTP channel, version 3 (draft-ietf-secsh-filexfer-02), on a host whose policy allows
/// less than everything: it lets through what `SFTPRules` allow. It does no I/O. Bytes go in as the worker sends them,
/// split in any way, and come out unchanged. A packet comes out only after all of it has been judged; of a WRITE, all
/// but its content.
///
/// Handles are not judged: the server gave them for a path that was judged, and only for reading if only reading is
/// allowed.
public struct SFTPFilter: Sendable {
    /// Bytes of the longest packet that is not a WRITE, without its length: it holds two paths of PATH_MAX (4096),
    /// attributes and an extension's name.
    static let longestRequest = 16 * 1024
    /// Bytes of the longest WRITE, without its length: SFTP_MAX_MSG_LENGTH of OpenSSH's sftp-common.h.
    static let longestWrite = 256 * 1024
    /// Bytes of a handle, section 6.3 of the draft.
    static let longestHandle = 256
    /// SSH_FXF_READ of OPEN, section 6.3 of the draft.
    private static let openRead: UInt32 = 0x01
    /// The flags that an OPEN may have: SSH_FXF_READ, WRITE, CREAT, TRUNC and EXCL, but not APPEND (0x04).
    private static let openFlags: UInt32 = 0x3B

    private let rules: SFTPRules
    /// The beginning of a packet that is not judged yet, with its length.
    private var held: [UInt8] = []
    /// How many bytes of a WRITE's content are still to come. They need no judgement.
    private var passing = 0
    /// Whether INIT has come.
    private var hasBegun = false

    /// A filter for a channel on which nothing has been sent yet.
    public init(_ rules: SFTPRules) {
        self.rules = rules
    }

    /// Takes bytes of the worker. It holds back at most one packet that is not judged yet, so at most `longestRequest`
    /// bytes and a length.
    /// - Returns: the bytes that may go to the host.
    /// - Throws: the violation. Allowed packets before it in `bytes` are then not returned.
    public mutating func take(_ bytes: ArraySlice<UInt8>) throws(SFTPViolation) -> [UInt8] {
        var allowed: [UInt8] = []
        allowed.reserveCapacity(held.count + bytes.count)
        var rest = bytes
        while !rest.isEmpty {
            if passing > 0 {
                let part = rest.prefix(passing)
                allowed += part
                passing -= part.count
                rest = rest.dropFirst(part.count)
                continue
            }
            let wanted = try wantedLength()
            let part = rest.prefix(wanted - held.count)
            held += part
            rest = rest.dropFirst(part.count)
            guard held.count == wanted, try wantedLength() == wanted else { continue }
            try judge()
            allowed += held
            held.removeAll(keepingCapacity: true)
        }
        return allowed
    }

    /// How many bytes of the packet must be held to go on. In the end this is the whole packet; of a WRITE it is all
    /// before the content.
    private func wantedLength() throws(SFTPViolation) -> Int {
        guard held.count >= 5 else { return 5 }
        let length = Int(Self.number(held[0..<4]))
        let isWrite = held[4] == Request.write.rawValue
        guard length >= 1, length <= (isWrite ? Self.longestWrite : Self.longestRequest) else {
            throw .length(length)
        }
        guard isWrite else { return 4 + length }
        // The length, the type, the id and the length of the handle.
        guard length >= 9 else { throw .malformed }
        guard held.count >= 13 else { return 13 }
        let handle = Int(Self.number(held[9..<13]))
        // After the handle, the offset and the length of the content.
        guard handle <= Self.longestHandle, 9 + handle + 12 <= length else { throw .malformed }
        return 13 + handle + 12
    }

    /// Judges what is held: a packet, or a WRITE without its content.
    private mutating func judge() throws(SFTPViolation) {
        let length = Int(Self.number(held[0..<4]))
        var fields = Fields(held[5...])
        guard let request = Request(rawValue: held[4]) else { throw .type(held[4]) }
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
            passing = 4 + length - held.count
            guard passing == Int(Self.number(held.suffix(4)[...])) else { throw .malformed }
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
