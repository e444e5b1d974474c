import IPC
import JSON
import SSH
import TestSupport
import Testing

@testable import Tools

@Suite("Masters over reloads")
struct MasterTableTests {
    private func sessions(_ socket: String, _ table: MasterTable) throws -> HostSessions {
        let host = PolicySnapshot.Host(name: "box", socket: socket, user: "u", host: "h")
        return HostSessions(host: host, sshPath: "/nonexistent/ssh", master: try #require(table[socket]))
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
}
