import Glibc
import IPC
import JSON
import TestSupport
import Testing

@testable import SSH
@testable import Tools

@Suite("Masters over reloads")
struct MasterTableTests {
    private func sessions(_ socket: String, _ table: MasterTable) throws -> HostSessions {
        let host = PolicySnapshot.Host(name: "box", socket: socket, user: "u", host: "h")
        return HostSessions(
            host: host, sshPath: "/nonexistent/ssh", master: try #require(table[socket]), gate: LivingMasters())
    }

    @Test func `a master that stays named stays the same one`() throws {
        var table = MasterTable()
        table.update(sockets: ["/a", "/b"], sessions: 3)
        let first = try #require(table["/a"])
        table.update(sockets: ["/a"], sessions: 5)
        #expect(table["/a"] === first)
        #expect(table["/b"] == nil)
    }

    @Test func `a master that is named no more is remembered as long as something runs through it`() throws {
        var table = MasterTable()
        table.update(sockets: ["/a", "/b"], sessions: 3)
        let first = ObjectIdentifier(try #require(table["/a"]))
        try withExtendedLifetime(sessions("/a", table)) {
            for _ in 0..<3 { table.update(sockets: ["/b"], sessions: 3) }
            #expect(table["/a"] == nil)
            #expect(table.count == 2)
            table.update(sockets: ["/a"], sessions: 3)
            #expect(table["/a"].map(ObjectIdentifier.init) == first)
            table.update(sockets: [], sessions: 3)
            #expect(table.count == 1)
        }
        #expect(table.count == 0)
    }

    @Test func `a thousand reloads with sockets of their own leave the masters of the last one`() throws {
        var table = MasterTable()
        for number in 0..<1_000 {
            table.update(sockets: ["/a\(number)", "/b\(number)"], sessions: 3)
            _ = try sessions("/a\(number)", table)
        }
        #expect(table.count == 2)
    }

    /// Makes a socket that nobody listens at.
    private func makeSocket(_ path: String) throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0)
    }

    @Test func `names of one socket share what is known of its master, whatever paths lead there`() throws {
        let place = try TemporaryDirectory()
        let first = "\(place.path)/s"
        try makeSocket(first)
        let paths = [first, "\(place.path)/link", "\(place.path)/hard", "\(place.path)/./s", "\(place.path)//s"]
        try #require(symlink(first, paths[1]) == 0 && Glibc.link(first, paths[2]) == 0)
        var table = MasterTable()
        table.update(sockets: Set(paths + ["\(place.path)/none", "\(place.path)/no"]), sessions: 3)
        func found() throws -> [ObjectIdentifier] {
            try paths.map { ObjectIdentifier(try sessions($0, table).current.master) }
        }
        #expect(Set(try found()).count == 1)
        // Where nothing lies, each has its own.
        let absent = try ["none", "no"].map {
            ObjectIdentifier(try sessions("\(place.path)/\($0)", table).current.master)
        }
        #expect(Set(absent + [try found()[0]]).count == 3)
        // Another master takes its place, and a reload changes the others.
        for path in [first, paths[2]] { unlink(path) }
        try makeSocket("\(place.path)/other")
        try #require(rename("\(place.path)/other", first) == 0 && Glibc.link(first, paths[2]) == 0)
        #expect(Set(try found()).count == 1)
        table.update(sockets: Set(paths), sessions: 4)
        #expect(Set(try found()).count == 1)
        for path in paths.prefix(3) { unlink(path) }
    }

    @Test func `one piece of work stays with the master that it began with`() throws {
        let place = try TemporaryDirectory()
        let (first, second) = ("\(place.path)/a", "\(place.path)/b")
        try makeSocket(first)
        try #require(symlink(first, second) == 0)
        defer { for path in [first, second] { unlink(path) } }
        var table = MasterTable()
        table.update(sockets: [first, second], sessions: 3)
        _ = try sessions(first, table).current
        let work = try sessions(second, table).current
        #expect(work.master === table[first])
        unlink(second)
        try makeSocket(second)
        #expect(work.current.master === table[first])
        #expect(try sessions(second, table).current.master === table[second])
    }
}
