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

    /// Of a table, so much is read: room for 7,000 listening sockets, which stand first in it.
    private static let maximumSize = 1 << 20

    /// From the texts of the two tables.
    init(tcp: some Sequence<UInt8>, tcp6: some Sequence<UInt8>) {
        add(tcp)
        add(tcp6)
    }

    /// What was so at one of two looks: a table that changes while it is read may leave a line out.
    func merging(_ other: Listeners) -> Listeners {
        var both = self
        both.loopback.merge(other.loopback) { $1 }
        both.taken.formUnion(other.taken)
        return both
    }

    /// What is so now.
    static func current() -> Listeners {
        Listeners(tcp: contents("/proc/net/tcp"), tcp6: contents("/proc/net/tcp6"))
    }

    private static let here = "0100007F"
    /// 0.0.0.0, ::, ::1 and 127.0.0.1 as an IPv6 address, as the tables write them on little-endian machines.
    private static let conflicting: Set<Substring> = [
        "0100007F", "00000000", "00000000000000000000000000000000", "00000000000000000000000001000000",
        "0000000000000000FFFF00000100007F",
    ]

    private mutating func add(_ table: some Sequence<UInt8>) {
        // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …
        for line in String(decoding: Array(table), as: UTF8.self).split(separator: "\n").dropFirst() {
            let fields = line.split(separator: " ", maxSplits: 10)
            guard fields.count > 9, fields[3] == "0A" else { return }
            let address = fields[1].split(separator: ":")
            guard address.count == 2, Self.conflicting.contains(address[0]), let port = UInt16(address[1], radix: 16),
                let uid = UInt32(fields[7]), let inode = UInt64(fields[9])
            else { continue }
            taken.insert(port)
            if address[0] == Self.here { loopback[port] = Listener(uid: uid, inode: inode) }
        }
    }

    private static func contents(_ path: String) -> ArraySlice<UInt8> {
        let file = OwnedFD(taking: open(path, O_RDONLY | O_CLOEXEC))
        var bytes = [UInt8](repeating: 0, count: 65_536)
        var filled = 0
        while true {
            let room = bytes.count - filled
            let count = bytes.withUnsafeMutableBytes { read(file.rawValue, $0.baseAddress.map { $0 + filled }, room) }
            guard count > 0 else { return bytes[..<filled] }
            filled += count
            guard filled < maximumSize else { return bytes[..<filled] }
            if bytes.count - filled < 4096 { bytes += [UInt8](repeating: 0, count: bytes.count) }
        }
    }

    /// Whether a process holds this socket among its descriptors; nil where they cannot be seen, proc_pid_fd(5).
    static func process(_ pid: UInt32, holds inode: UInt64) -> Bool? {
        guard let directory = opendir("/proc/\(pid)/fd") else { return nil }
        defer { closedir(directory) }
        let wanted = Array("socket:[\(inode)]".utf8)
        var target = [UInt8](repeating: 0, count: 64)
        for _ in 0..<65_536 {
            guard let entry = readdir(directory) else { return false }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            let count = readlink("/proc/\(pid)/fd/\(name)", &target, target.count)
            if count > 0, target[..<count].elementsEqual(wanted) { return true }
        }
        return false
    }
}
