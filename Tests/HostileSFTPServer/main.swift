import Glibc

/// An SFTP server that wants its client to keep as much as it can. sshd starts it as its subsystem, with the name of one
/// behaviour.
enum Behaviour: String {
    /// Files without attributes, and of each, when asked, 250 KB of extended pairs: many small ones.
    case pairs
    /// The same with one large pair.
    case largePair
    /// Packets as full of names as they can be.
    case tinyNames
    /// A directory of many of the longest names.
    case longNames
    /// Names with 250 KB for eyes only.
    case longLongNames
    /// Symlinks, each with the longest target.
    case links
    /// Symlinks, each with a target of a whole packet.
    case endlessLinks
    /// One byte to the first READ of each burst, and nothing to those behind it.
    case oneByte
    /// One byte to each READ.
    case bytes
    /// Statuses with 250 KB of text.
    case statuses
    /// Handles of 250 KB.
    case handles
    /// A file of 2^62 bytes that has them.
    case endlessFile
}

/// A packet, built from the front.
struct Packet {
    private(set) var bytes: [UInt8] = [0, 0, 0, 0]

    init(_ type: UInt8) { bytes.append(type) }

    mutating func number(_ value: UInt32) { withUnsafeBytes(of: value.bigEndian) { bytes += $0 } }
    mutating func number64(_ value: UInt64) { withUnsafeBytes(of: value.bigEndian) { bytes += $0 } }
    mutating func zeros(_ count: Int) { bytes += [UInt8](repeating: 0, count: count) }
    mutating func string(_ value: [UInt8]) {
        number(UInt32(value.count))
        bytes += value
    }

    func send() {
        var whole = bytes
        withUnsafeBytes(of: UInt32(bytes.count - 4).bigEndian) { length in
            for index in 0..<4 { whole[index] = length[index] }
        }
        var sent = 0
        while sent < whole.count {
            let count = whole[sent...].withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count <= 0 { exit(0) }
            sent += count
        }
    }
}

func take(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var taken = 0
    while taken < count {
        let some = bytes.withUnsafeMutableBytes { read(STDIN_FILENO, $0.baseAddress.map { $0 + taken }, count - taken) }
        if some <= 0 { exit(0) }
        taken += some
    }
    return bytes
}

func number(_ bytes: some Collection<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }

/// One connection.
struct HostileServer {
    private static let large = 250_000
    private static let directory: UInt32 = 0o040755
    private static let file: UInt32 = 0o100644
    private static let link: UInt32 = 0o120777
    let behaviour: Behaviour
    /// Names in the directory: where each costs a packet, no more than take some seconds.
    private var names: Int {
        switch behaviour {
        case .pairs, .largePair, .longLongNames: 400
        case .tinyNames: 60_000
        case .longNames, .links, .endlessLinks, .oneByte, .bytes, .statuses, .handles, .endlessFile: 10_000
        }
    }
    private var nextName = 0
    private var answersReads = true

    init(_ behaviour: Behaviour) { self.behaviour = behaviour }

    mutating func serve() {
        while true {
            let request = take(number(take(4)))
            guard let type = request.first else { exit(2) }
            if type == 1 {
                var version = Packet(2)
                version.number(3)
                version.send()
            } else {
                answer(type, UInt32(number(request[1..<5])), request)
            }
        }
    }

    private mutating func answer(_ type: UInt8, _ id: UInt32, _ request: [UInt8]) {
        switch type {
        case 3, 11:
            guard behaviour != .statuses else { return status(id, 4, text: Self.large) }
            var packet = Packet(102)
            packet.number(id)
            packet.string([UInt8](repeating: 1, count: behaviour == .handles ? Self.large : 1))
            packet.send()
        case 5: read(id, number(request.suffix(4)))
        case 7 where behaviour == .pairs || behaviour == .largePair: extended(id)
        case 7, 8, 17:
            var packet = Packet(105)
            packet.number(id)
            // The path of the directory of the test ends in a d.
            attributes(&packet, request.last == UInt8(ascii: "d") ? Self.directory : Self.file, size: 1 << 62)
            packet.send()
        case 12: readDirectory(id)
        case 16: name(id, Array(request[9...]))
        case 19: name(id, [UInt8](repeating: 0x74, count: behaviour == .endlessLinks ? Self.large : 4096))
        default: status(id, 0)
        }
    }

    private mutating func read(_ id: UInt32, _ wanted: Int) {
        var count = min(wanted, Self.large)
        switch behaviour {
        case .oneByte:
            let isFirst = answersReads
            // What is there already, or comes at once, is of the same burst.
            var waiting = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            answersReads = poll(&waiting, 1, 1) == 0
            guard isFirst else { return }
            count = 1
        case .bytes: count = 1
        case .pairs, .largePair, .tinyNames, .longNames, .longLongNames, .links, .endlessLinks, .statuses, .handles,
            .endlessFile:
            break
        }
        var packet = Packet(103)
        packet.number(id)
        packet.string([UInt8](repeating: 0x61, count: count))
        packet.send()
    }

    private func attributes(_ packet: inout Packet, _ mode: UInt32, size: UInt64 = 5) {
        packet.number(0x5)
        packet.number64(size)
        packet.number(mode)
    }

    private func status(_ id: UInt32, _ code: UInt32, text: Int = 4) {
        var packet = Packet(101)
        packet.number(id)
        packet.number(code)
        packet.string([UInt8](repeating: 0x74, count: text))
        packet.string([])
        packet.send()
    }

    private func name(_ id: UInt32, _ name: [UInt8]) {
        var packet = Packet(104)
        packet.number(id)
        packet.number(1)
        packet.string(name)
        packet.string([])
        packet.number(0)
        packet.send()
    }

    private func extended(_ id: UInt32) {
        var packet = Packet(105)
        packet.number(id)
        packet.number(0x8000_0005)
        packet.number64(5)
        packet.number(Self.file)
        if behaviour == .largePair {
            packet.number(1)
            packet.string([])
            packet.string([UInt8](repeating: 1, count: Self.large))
        } else {
            packet.number(UInt32(Self.large / 8))
            packet.zeros(Self.large / 8 * 8)
        }
        packet.send()
    }

    private mutating func readDirectory(_ id: UInt32) {
        guard nextName < names else { return status(id, 1) }
        var packet = Packet(104)
        packet.number(id)
        let (count, length, longName) =
            switch behaviour {
            case .tinyNames: (5000, 1, 0)
            case .longNames: (200, 1024, 0)
            case .longLongNames: (1, 8, Self.large)
            case .links, .endlessLinks, .pairs, .largePair, .oneByte, .bytes, .statuses, .handles, .endlessFile:
                (100, 8, 0)
            }
        packet.number(UInt32(count))
        for _ in 0..<count {
            nextName += 1
            let digits = Array(String(nextName).utf8)
            packet.string(digits + [UInt8](repeating: 0x6E, count: max(0, length - digits.count)))
            packet.string([UInt8](repeating: 0x78, count: longName))
            switch behaviour {
            case .links, .endlessLinks: attributes(&packet, Self.link)
            case .longNames, .longLongNames: attributes(&packet, Self.file)
            case .tinyNames, .pairs, .largePair, .oneByte, .bytes, .statuses, .handles, .endlessFile: packet.number(0)
            }
        }
        packet.send()
    }

    private func number(_ bytes: some Collection<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }

    private func take(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var taken = 0
        while taken < count {
            let some = bytes.withUnsafeMutableBytes {
                Glibc.read(STDIN_FILENO, $0.baseAddress.map { $0 + taken }, count - taken)
            }
            if some <= 0 { exit(0) }
            taken += some
        }
        return bytes
    }
}

guard let behaviour = CommandLine.arguments.dropFirst().first.flatMap(Behaviour.init(rawValue:)) else { exit(2) }
var server = HostileServer(behaviour)
server.serve()
