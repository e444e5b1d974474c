import IPC
import JSON
import Synchronization
import Testing

@testable import SSH
@testable import Tools

@Suite("Masters over reloads")
struct MasterTableTests {
    private func sessions(_ socket: String, _ table: MasterTable, _ gate: NamedMasters = NamedMasters()) throws
        -> HostSessions
    {
        let host = PolicySnapshot.Host(name: socket, socket: socket, user: "u", host: "h")
        return HostSessions(host: host, sshPath: "/nonexistent/ssh", master: try #require(table[socket]), gate: gate)
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

    @Test func `names of one master share what is known of it, whatever paths lead there`() async throws {
        let gate = NamedMasters()
        let paths = ["/s", "/link", "/hard", "/./s", "//s"]
        gate.answer(paths, 7)
        var table = MasterTable()
        table.update(sockets: Set(paths + ["/none", "/no"]), sessions: 3)
        func found(_ paths: [String]) async throws -> [ObjectIdentifier] {
            var all: [ObjectIdentifier] = []
            for path in paths { all.append(ObjectIdentifier(await (try sessions(path, table, gate)).current.master)) }
            return all
        }
        let first = try await found(paths)
        #expect(Set(first).count == 1)
        // Where nobody answers, each has its own.
        let absent = try await found(["/none", "/no"])
        #expect(Set(absent + [first[0]]).count == 3)
        // Another master takes its place, and a reload changes the others.
        gate.answer(paths, 8)
        let second = try await found(paths)
        #expect(Set(second).count == 1)
        table.update(sockets: Set(paths), sessions: 4)
        let third = try await found(paths)
        #expect(Set(third).count == 1)
    }

    @Test func `masters of the same number that log in elsewhere, as in containers, are others`() async throws {
        let gate = NamedMasters()
        gate.answer(["/a", "/b"], 7)
        var table = MasterTable()
        table.update(sockets: ["/a", "/b"], sessions: 3)
        let first = await (try sessions("/a", table, gate)).current.master
        let host = PolicySnapshot.Host(name: "/b", socket: "/b", user: "u", host: "other")
        let other = HostSessions(
            host: host, sshPath: "/nonexistent/ssh", master: try #require(table["/b"]), gate: gate)
        #expect(await other.current.master !== first)
    }

    @Test func `one piece of work stays with the master that it began with`() async throws {
        let gate = NamedMasters()
        gate.answer(["/a", "/b"], 7)
        var table = MasterTable()
        table.update(sockets: ["/a", "/b"], sessions: 3)
        _ = await (try sessions("/a", table, gate)).current
        let work = await (try sessions("/b", table, gate)).current
        #expect(work.master === table["/a"])
        gate.answer(["/b"], 8)
        #expect(await work.current.master === table["/a"])
        #expect(await (try sessions("/b", table, gate)).current.master === table["/b"])
    }
}

/// Masters with a process id each, and hosts whose master is dead.
private final class NamedMasters: MasterGate {
    private let numbers = Mutex<[String: UInt32]>([:])

    func answer(_ hosts: [String], _ number: UInt32) {
        numbers.withLock { numbers in for host in hosts { numbers[host] = number } }
    }

    let mark = Nonce.makeMark()
    func takeNotice(of host: String, exports: Bool) {}
    func beginState(of host: String) -> Awaited<Judgement> {
        Awaited(.master(numbers.withLock { $0[host] }.map { .alive(masterPID: $0) } ?? .down(.dead(errno: 2, .absent))))
    }
    func judge(_ request: GateRequest) async -> Judgement { .master(await state(of: "")) }
    func state(of host: String) async -> MasterState {
        numbers.withLock { $0[host] }.map { .alive(masterPID: $0) } ?? .down(.dead(errno: 2, .absent))
    }

    func open(
        _ request: GateRequest, _ pipes: consuming PassedDescriptors, heard: @escaping @Sendable (SessionWord) -> Void
    ) -> UInt32 {
        heard(.notOpened(.byHost))
        return 1
    }

    func close(_ session: UInt32) {}
}
