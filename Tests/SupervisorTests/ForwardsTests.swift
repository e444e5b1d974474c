import Foundation
import Glibc
import IPC
import TestSupport
import Testing

@testable import Supervisor

/// What the supervisor does for forwards on its disk.
@Suite("Forwards") struct ForwardsTests {
    private static func policy() throws -> PolicySnapshot {
        var host = PolicySnapshot.Host(name: "box", socket: "/run/box", user: "u", host: "h")
        host.capabilities.portForward = true
        return PolicySnapshot(hosts: [host], defaultHost: "box")
    }

    /// How often the file of the state was put into its place, inotify(7).
    private final class Writes {
        private let queue = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))

        // Of events that are alike the kernel keeps one, so that those in between are asked for as well.
        init(_ directory: String) { inotify_add_watch(queue, directory, UInt32(IN_MOVED_FROM | IN_MOVED_TO)) }

        deinit { close(queue) }

        /// Since the last call.
        func count() -> Int {
            var bytes = [UInt8](repeating: 0, count: 64 << 10)
            let filled = read(queue, &bytes, bytes.count)
            var (place, count) = (0, 0)
            while place + 16 <= filled {
                // The mask is the second number.
                if UInt32(bytes[place + 4]) & UInt32(IN_MOVED_TO) != 0 { count += 1 }
                // struct inotify_event: the length of the name is its last number.
                place += 16 + Int(bytes[place + 12]) + Int(bytes[place + 13]) << 8
            }
            return count
        }
    }

    private static func ask(_ forwards: Forwards, _ requests: ClosedRange<UInt32>) {
        for number in requests {
            forwards.take(
                .request(host: "box", target: .tcp(host: "db", port: 80), localPort: 0), number, from: 3, for: nil)
        }
    }

    /// A turn that is long enough on a busy machine.
    private static var turn: LoopTurn { LoopTurn(length: 60_000_000) }

    @Test func `whatever happens in one turn is written down once, before any of it goes to a master`() throws {
        let place = try TemporaryDirectory()
        let forwards = try Forwards(socket: "/run/mcp", runtimeDirectory: place.path, policy: Self.policy())
        let writes = Writes(place.path)
        Self.ask(forwards, 1...20)
        Self.wait(forwards)
        forwards.answer(in: Self.turn, log: { _ in nil }) { message, _, _ in Issue.record("\(message)") }
        #expect(writes.count() == 1)
        let orders = forwards.takeOrders()
        #expect(orders.count == 20)
        // The masters were not there after all: all of them are forgotten at once, and the askers told.
        for order in orders { forwards.take(.down(.hung), of: order.forward, from: order.connection) }
        Self.wait(forwards)
        var told: [UInt32] = []
        forwards.answer(in: Self.turn, log: { _ in nil }) { message, number, connection in
            #expect(message == .refused(.masterDown(host: "box", .hung)) && connection == 3)
            told.append(number)
        }
        #expect(told.sorted() == Array(1...20))
        #expect(writes.count() == 0, "an empty state has no file")
        #expect(try FileManager.default.contentsOfDirectory(atPath: place.path).isEmpty)
    }

    @Test func `what cannot be written down goes to no master, and each who asked is told`() throws {
        let place = try TemporaryDirectory()
        let forwards = try Forwards(socket: "/run/mcp", runtimeDirectory: place.path, policy: Self.policy())
        Self.ask(forwards, 1...3)
        Self.wait(forwards)
        // Somebody else may write there now.
        try #require(chmod(place.path, 0o777) == 0)
        var told: [UInt32] = []
        forwards.answer(in: Self.turn, log: { _ in nil }) { message, number, _ in
            #expect(message == .refused(.notWrittenAmongOthers(directory: place.path)))
            told.append(number)
        }
        #expect(told.sorted() == [1, 2, 3] && forwards.takeOrders().isEmpty)
        try #require(chmod(place.path, 0o700) == 0)
        Self.ask(forwards, 4...4)
        Self.wait(forwards)
        forwards.answer(in: Self.turn, log: { _ in nil }) { message, _, _ in Issue.record("\(message)") }
        #expect(forwards.takeOrders().count == 1)
    }

    /// Until it may look at the listeners again.
    private static func wait(_ forwards: Forwards) {
        while let due = forwards.due, due > Clock.milliseconds() {
            poll(nil, 0, Int32(due - Clock.milliseconds()))
        }
    }
}
