internal import Glibc
internal import IPC

/// Which TCP ports are being listened on, from /proc/net/tcp and tcp6, proc_net_tcp (Linux documentation). Looking opens
/// no connection.
struct Listeners: Equatable {
    /// A listening socket on exactly 127.0.0.1.
    struct Listener: Equatable {
        let uid: UInt32
        let inode: UInt64

        /// A process of the user, or one that began as root, has opened it.
        func canBe(of user: UInt32) -> Bool { uid == user || uid == 0 }
    }

    /// On 127.0.0.1, by port.
    private(set) var loopback: [UInt16: Listener] = [:]
    /// Ports that 127.0.0.1 cannot have, or where `localhost` may lead elsewhere.
    private(set) var taken: Set<UInt16> = []

    /// Bytes that are read of a table: room for 7,000 listening sockets, which stand first in it.
    private static let maximumSize = 1 << 20

    /// From the texts of the two tables.
    init(tcp: some Collection<UInt8>, tcp6: some Collection<UInt8>) {
        for table in [Array(tcp), Array(tcp6)] {
            var position = 0
            _ = table.withUnsafeBytes { add($0, from: &position, isWhole: true) }
        }
    }

    private init() {}

    /// What one of two looks saw. A table that changes while it is read may leave a line out.
    func merging(_ other: Listeners) -> Listeners {
        var both = self
        both.loopback.merge(other.loopback) { $1 }
        both.taken.formUnion(other.taken)
        return both
    }

    /// What listens now.
    static func current() -> Listeners {
        var listeners = Listeners()
        listeners.read("/proc/net/tcp")
        listeners.read("/proc/net/tcp6")
        return listeners
    }

    private static let here = Array("0100007F".utf8)
    /// 0.0.0.0, ::, ::1 and 127.0.0.1 as an IPv6 address, as the tables write them on little-endian machines.
    private static let conflicting = [
        here, Array("00000000".utf8), Array("00000000000000000000000000000000".utf8),
        Array("00000000000000000000000001000000".utf8), Array("0000000000000000FFFF00000100007F".utf8),
    ]

    /// Takes the lines of a table from `position` on, which is left behind the last one that was taken: its title, and the
    /// sockets that listen, which stand first.
    ///
    /// - Parameter isWhole: also the last line, which has no newline.
    /// - Returns: whether more of them may follow.
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

    /// - Returns: false for a line of another kind.
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

    /// Reads a table as far as sockets listen: thousands of connections may stand behind them.
    private mutating func read(_ path: String) {
        let file = OwnedFD(taking: open(path, O_RDONLY | O_CLOEXEC))
        var bytes = [UInt8](repeating: 0, count: 65_536)
        var filled = 0
        var position = 0
        while filled < Self.maximumSize {
            if bytes.count - filled < 4096 { bytes += [UInt8](repeating: 0, count: bytes.count) }
            let room = bytes.count - filled
            let count = bytes.withUnsafeMutableBytes {
                Glibc.read(file.rawValue, $0.baseAddress.map { $0 + filled }, room)
            }
            guard count > 0 else { return }
            filled += count
            let goesOn = bytes.withUnsafeBytes { add(.init(rebasing: $0[..<filled]), from: &position, isWhole: false) }
            guard goesOn else { return }
        }
    }

    /// Descriptors of a process that are looked at.
    private static let maximumDescriptors = 4096

    /// Whether a process holds this socket among its descriptors; nil where they cannot be seen, proc_pid_fd(5), or are
    /// too many.
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
