import Glibc
import IPC
import TestSupport
import Testing

@testable import Supervisor

extension Listeners {
    /// Tables as the kernel writes them, from the lines of interest.
    static func of(_ tcp: [String] = [], tcp6: [String] = []) -> Listeners {
        let title = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
        func table(_ lines: [String]) -> [UInt8] { Array(([title] + lines).joined(separator: "\n").utf8) + [10] }
        return Listeners(tcp: table(tcp), tcp6: table(tcp6))
    }

    /// A line of a table.
    static func line(_ local: String, state: String = "0A", uid: UInt32 = 1000, inode: UInt64 = 7) -> String {
        "   0: \(local) 00000000:0000 \(state) 00000000:00000000 00:00000000 00000000  \(uid)        0 \(inode) 1 00000000 100 0 0 10 0"
    }
}

@Suite("Listening sockets, from /proc/net/tcp")
struct ListenersTests {
    @Test func `a listener on 127.0.0.1 has its port, owner and inode`() {
        let listeners = Listeners.of([Listeners.line("0100007F:1F90", uid: 1000, inode: 4_294_967_297)])
        #expect(listeners.loopback == [8080: Listeners.Listener(uid: 1000, inode: 4_294_967_297)])
        #expect(listeners.taken == [8080])
    }

    @Test(arguments: [
        ("00000000:0050", ""), ("", "00000000000000000000000000000000:0050"),
        ("", "00000000000000000000000001000000:0050"), ("", "0000000000000000FFFF00000100007F:0050"),
    ])
    func `a listener on another address that stands in the way takes the port, and is not ours`(
        four: String, six: String
    ) {
        let listeners = Listeners.of(
            four.isEmpty ? [] : [Listeners.line(four)], tcp6: six.isEmpty ? [] : [Listeners.line(six)])
        #expect(listeners.loopback.isEmpty)
        #expect(listeners.taken == [80])
    }

    @Test func `other addresses, and connections behind the listeners, take nothing`() {
        let listeners = Listeners.of([
            Listeners.line("0200007F:0050"), Listeners.line("0101A8C0:0050"),
            Listeners.line("0100007F:0051", state: "01"),
        ])
        #expect(listeners == Listeners.of())
    }

    @Test func `lines that are none are passed over, and a table may be cut anywhere`() {
        let good = Listeners.line("0100007F:0050")
        let odd = [
            "", "   1:", "   1: 0100007F 00000000:0000 0A 0:0 0:0 0 1000 0 7 1",
            "   1: 0100007F:GGGG \(good.dropFirst(21))",
        ]
        #expect(Listeners.of([good] + odd).taken == [80])
        #expect(Listeners.of(odd.suffix(2) + [good]).taken == [80])
        let bytes = Array((["title"] + [String](repeating: good, count: 3)).joined(separator: "\n").utf8)
        for end in bytes.indices { #expect(Listeners(tcp: bytes[..<end], tcp6: []).taken.count <= 1) }
        #expect(Listeners(tcp: [0xFF, 10, 0xFE, 10], tcp6: []) == Listeners.of())
    }

    @Test func `two looks are what either has seen, the second one where they differ`() {
        let first = Listeners.of([Listeners.line("0100007F:0050", inode: 1), Listeners.line("0100007F:0051", inode: 2)])
        let second = Listeners.of([Listeners.line("0100007F:0051", inode: 3)])
        let both = first.merging(second)
        #expect(both.loopback.mapValues(\.inode) == [80: 1, 81: 3])
        #expect(both.taken == [80, 81])
    }

    @Test func `the kernel's own tables show a real listener, and who holds it, without a connection to it`() throws {
        let socket = OwnedFD(
            taking: Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let number = socket.rawValue
        let done = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(number, $0, length) == 0 && listen(number, 1) == 0 && getsockname(number, $0, &length) == 0
            }
        }
        try #require(done)
        let port = UInt16(bigEndian: address.sin_port)
        // A look may miss a line while the table changes.
        var seen: Listeners.Listener?
        #expect(
            comesToHold {
                seen = Listeners.current()?.loopback[port]
                return seen != nil
            })
        let listener = try #require(seen)
        #expect(listener.uid == geteuid())
        let own = UInt32(getpid())
        #expect(Listeners.process(own, holds: listener.inode) == true)
        #expect(Listeners.process(own, holds: listener.inode + 1_000_000_000) == false)
        #expect(Listeners.process(UInt32.max, holds: listener.inode) == nil, "there is no such process to see")
        var waiting = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        #expect(poll(&waiting, 1, 0) == 0, "nobody has connected")
    }

    @Test("tables that cannot be read do not look as if nothing listened")
    func unreadable() async {
        await #expect(processExitsWith: .success) {
            guard Listeners.current() != nil else { exit(1) }
            var none = rlimit(rlim_cur: 0, rlim_max: 0)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &none)
            exit(Listeners.current() == nil ? 0 : 2)
        }
    }
}
