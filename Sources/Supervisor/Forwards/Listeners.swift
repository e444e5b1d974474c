internal import Glibc
internal import IPC

/// The TCP ports on which programs of this machine listen, from /proc/net/tcp and tcp6, proc_net_tcp (Linux documentation). A look
/// opens no connection.
struct Listeners: Equatable {
    /// A listening socket on exactly 127.0.0.1.
    struct Listener: Equatable {
        let uid: UInt32
        let inode: UInt64

        /// Whether a process of the user, or one that began as root, has opened it.
        func canBe(of user: UInt32) -> Bool { uid == user || uid == 0 }
    }

    /// The sockets on 127.0.0.1, by port.
    private(set) var loopback: [UInt16: Listener] = [:]
    /// The ports that cannot be used on 127.0.0.1, or with which `localhost` may lead to another socket.
    private(set) var taken: Set<UInt16> = []

    /// How many bytes of a table are read. They have room for 7,000 listening sockets, which come first.
    private static let maximumSize = 1 << 20

    /// Reads the texts of the two tables.
    init(tcp: some Collection<UInt8>, tcp6: some Collection<UInt8>) {
        for table in [Array(tcp), Array(tcp6)] {
            var position = 0
            _ = table.withUnsafeBytes { add($0, from: &position, isWhole: true) }
        }
    }

    /// Nothing listens.
    init() {}

    /// Joins two looks. A table that changes while it is read may leave out a line.
    func merging(_ other: Listeners) -> Listeners {
        var both = self
        both.loopback.merge(other.loopback) { $1 }
        both.taken.formUnion(other.taken)
        return both
    }

    /// Looks at what listens now.
    /// - Returns: nil if a table cannot be read, which must not look as if nothing listened. A kernel without IPv6 has one table.
    static func current() -> Listeners? {
        var listeners = Listeners()
        let other = "/proc/net/tcp6"
        guard listeners.read("/proc/net/tcp"), access(other, F_OK) != 0 || listeners.read(other) else { return nil }
        return listeners
    }

    private static let here = Array("0100007F".utf8)
    /// 0.0.0.0, ::, ::1 and 127.0.0.1 as an IPv6 address, as the tables write them on little-endian machines.
    private static let conflicting = [
        here, Array("00000000".utf8), Array("00000000000000000000000000000000".utf8),
        Array("00000000000000000000000001000000".utf8), Array("0000000000000000FFFF00000100007F".utf8),
    ]

    /// Reads the lines of a table from `position` on: its title and the listening sockets, which come first. Then `position` is
    /// after the last line that was read.
    ///
    /// - Parameter isWhole: whether the table is complete, so that its last line may have no newline.
    /// - Returns: whether more listening sockets may follow.
    private mutating func add(_ table: UnsafeRawBufferPointer, from position: inout Int, isWhole: Bool) -> Bool {
        while position < table.count, let base = table.baseAddress {
            let rest = table.count - position
            let newline = memchr(base + position, Int32(UInt8(ascii: "\n")), rest)
            guard newline != nil || isWhole else { return true }
            let length = newline.map { UnsafeRawPointer($0) - (base + position) } ?? rest
            let line = UnsafeRawBufferPointer(rebasing: table[position..<position + length])
            let isTitle = position == 0
            position += length + 1
            guard isTitle || add(line: TableLine(line)) else { return false }
        }
        return true
    }

    /// - Returns: false if the line is not that of a listening socket.
    private mutating func add(line: TableLine) -> Bool {
        // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …
        var line = line
        line.skip(1)
        let address = line.next()
        line.skip(1)
        guard let address, let state = line.next(), state.elementsEqual("0A".utf8) else { return false }
        guard let colon = address.firstIndex(of: UInt8(ascii: ":")) else { return true }
        let host = address[..<colon]
        let conflicts = Self.conflicting.contains { $0.count == host.count && host.elementsEqual($0) }
        guard conflicts else { return true }
        line.skip(3)
        let (uid, _, inode) = (line.next(), line.next(), line.next())
        guard let port = UInt16(TableLine.text(address[(colon + 1)...]), radix: 16),
            let uid = uid.flatMap({ UInt32(TableLine.text($0)) }),
            let inode = inode.flatMap({ UInt64(TableLine.text($0)) })
        else { return true }
        taken.insert(port)
        if host.elementsEqual(Self.here) { loopback[port] = Listener(uid: uid, inode: inode) }
        return true
    }

    /// Reads a table up to the last listening socket. Thousands of connections may follow.
    /// - Returns: false if it cannot be read.
    private mutating func read(_ path: String) -> Bool {
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return false }
        let file = OwnedFD(taking: number)
        var bytes = [UInt8](repeating: 0, count: 65_536)
        var filled = 0
        var position = 0
        while filled < Self.maximumSize {
            if bytes.count - filled < 4096 { bytes += [UInt8](repeating: 0, count: bytes.count) }
            let room = bytes.count - filled
            let count = bytes.withUnsafeMutableBytes {
                Glibc.read(file.rawValue, $0.baseAddress.map { $0 + filled }, room)
            }
            guard count > 0 else { return count == 0 }
            filled += count
            let goesOn = bytes.withUnsafeBytes { add(.init(rebasing: $0[..<filled]), from: &position, isWhole: false) }
            guard goesOn else { return true }
        }
        return true
    }

    /// How many descriptors of a process are looked at.
    private static let maximumDescriptors = 4096

    /// Whether a process has this socket among its descriptors; nil if these cannot be seen, proc_pid_fd(5), or are too many.
    static func process(_ pid: UInt32, holds inode: UInt64) -> Bool? {
        guard let directory = opendir("/proc/\(pid)/fd") else { return nil }
        defer { closedir(directory) }
        let wanted = Array("socket:[\(inode)]".utf8)
        var target = [UInt8](repeating: 0, count: 64)
        for _ in 0..<maximumDescriptors {
            guard let entry = readdir(directory) else { return false }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            let count = readlink("/proc/\(pid)/fd/\(name)", &target, target.count)
            if count > 0, target[..<count].elementsEqual(wanted) { return true }
        }
        return nil
    }
}

/// The words of one line of a table.
private struct TableLine {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func next() -> UnsafeRawBufferPointer.SubSequence? {
        while position < bytes.count, bytes[position] == UInt8(ascii: " ") { position += 1 }
        let start = position
        while position < bytes.count, bytes[position] != UInt8(ascii: " ") { position += 1 }
        return start < position ? bytes[start..<position] : nil
    }

    mutating func skip(_ count: Int) {
        for _ in 0..<count { _ = next() }
    }

    static func text(_ word: UnsafeRawBufferPointer.SubSequence) -> String { String(decoding: word, as: UTF8.self) }
}
