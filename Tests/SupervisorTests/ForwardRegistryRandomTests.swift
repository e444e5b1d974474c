import IPC
import TestSupport
import Testing

@testable import Supervisor

/// ControlMasters, workers with their gates, a canceller and a disk around a registry, driven as the event loop does it. Anybody may end at any
/// moment, masters and cancels may fail, and the disk may be full; nobody lies.
private struct World {
    static let masters = [
        "a": Master(socket: "/run/a", user: "u", address: "h"),
        "b": Master(socket: "/run/b", user: "u", address: "h"),
    ]

    /// What a gate has been told and has not yet done.
    private enum Task {
        case open(ForwardRegistry.ID, UInt16)
        case close(ForwardRegistry.ID, ForwardRoute)
    }

    var generator: SeededGenerator
    var registry = ForwardRegistry(uid: 1000)
    var disk: [ForwardRegistry.ID: ForwardRegistry.Forward] = [:]
    /// By port: whose it is, nil for a program that has nothing to do with us, and the socket.
    var listening: [UInt16: (master: String?, inode: UInt64)] = [:]
    /// Requests that a master has not answered in time, by port, and may come to yet.
    var late: [UInt16: String] = [:]
    private var tasks: [ConnectionTable.ID: [Task]] = [:]
    private var canceller: ConnectionTable.ID?
    private var nextConnection: ConnectionTable.ID = 1
    private var nextInode: UInt64 = 1
    var diskIsFull = false
    var obliging = false
    var mistakes: [String] = []
    var seen: [String: Int] = [:]

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        perform(registry.configure(Self.masters, listeners))
    }

    var listeners: Listeners {
        .on(listening.mapValues { ($0.master == nil ? 1001 : 1000, $0.inode) })
    }

    private mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &generator) == 0 }

    mutating func perform(_ actions: [ForwardRegistry.Action]) {
        var orders: [(id: ForwardRegistry.ID, order: ForwardOrder, connection: ConnectionTable.ID)] = []
        actions: for action in actions {
            switch action {
            case .record where diskIsFull:
                if !registry.unrecorded().isEmpty { break actions }
            case .record:
                disk = registry.forwards
                registry.recorded()
            case .answer: break
            case .order(let id, let order, let connection): orders.append((id, order, connection))
            case .cancel: seen["cancel", default: 0] += 1
            case .note(_, let text, _, _): seen[text, default: 0] += 1
            }
        }
        for (id, order, connection) in orders {
            guard tasks[connection] != nil else { continue }
            switch order {
            case .open(_, let route):
                let port = route.localPort
                if disk[id]?.route.localPort != port {
                    mistakes.append("port \(port) was given away before it was written down")
                }
                if listening[port] != nil { mistakes.append("port \(port), which is taken, was given away") }
                tasks[connection, default: []].append(.open(id, port))
            case .close(let route): tasks[connection, default: []].append(.close(id, route))
            }
        }
    }

    private mutating func say(_ message: ToSupervisor.Forwards, _ connection: ConnectionTable.ID) {
        var generator = generator
        let seen = listeners
        let actions = registry.received(
            message, 1, from: connection, seen, now: 1,
            choose: { UInt16.random(in: 20_000...20_029, using: &generator) })
        self.generator = generator
        perform(actions)
    }

    private mutating func saw(_ outcome: ForwardOutcome, _ id: ForwardRegistry.ID, _ connection: ConnectionTable.ID) {
        var generator = generator
        let seen = listeners
        let actions = registry.performed(
            id, outcome, by: connection, seen, holds: { _, _ in nil },
            choose: { UInt16.random(in: 20_000...20_029, using: &generator) })
        self.generator = generator
        perform(actions)
    }

    mutating func step() {
        let workers = tasks.keys.filter { $0 != canceller }.sorted()
        switch Int.random(in: 0..<40, using: &generator) {
        case 0 where workers.count < 3:
            tasks[nextConnection] = []
            nextConnection += 1
        case 1...8:
            guard let worker = workers.randomElement(using: &generator) else { return }
            let local = chance(4) ? UInt16.random(in: 20_000...20_029, using: &generator) : 0
            let host = ["a", "b"].randomElement(using: &generator) ?? "a"
            let target = UInt16.random(in: 1...6, using: &generator)
            say(.request(host: host, target: .tcp(host: "db", port: target), localPort: local), worker)
        case 9...12:
            guard let worker = workers.randomElement(using: &generator) else { return }
            say(
                .cancel(forward: 0, localPort: UInt16.random(in: 20_000...20_029, using: &generator), host: ""),
                worker)
        case 13...24: work()
        case 25...26: end(workers.randomElement(using: &generator))
        case 27 where chance(3): end(canceller)
        case 28 where chance(3): masterEnds()
        case 29:
            let port = UInt16.random(in: 20_000...20_029, using: &generator)
            if listening[port] == nil { listening[port] = (nil, inode()) }
        case 30: listening = listening.filter { $0.value.master != nil }
        case 31...32: perform(registry.observe(listeners))
        case 33: diskIsFull = chance(4)
        case 34 where chance(3):
            perform(registry.configure(Self.masters.filter { _ in !chance(4) }, listeners))
        case 35 where chance(6): crash()
        case 36: say(.list, workers.first ?? 0)
        case 37:
            guard let (port, socket) = late.sorted(by: { $0.key < $1.key }).first else { return }
            late[port] = nil
            if listening[port] == nil { listening[port] = (socket, inode()) }
        default: tendCanceller()
        }
        check()
    }

    private mutating func inode() -> UInt64 {
        nextInode += 1
        return nextInode
    }

    private mutating func masterEnds() {
        let master = ["/run/a", "/run/b"].randomElement(using: &generator)
        listening = listening.filter { $0.value.master != master }
        late = late.filter { $0.value != master }
    }

    mutating func end(_ connection: ConnectionTable.ID?) {
        guard let connection, let left = tasks.removeValue(forKey: connection) else { return }
        // Its last order may have reached the master.
        if case .open(let id, let port)? = left.first, chance(2) { open(id, port) }
        if connection == canceller { canceller = nil }
        perform(registry.ended(connection))
    }

    mutating func tendCanceller() {
        guard !registry.toCancel.isEmpty else { return }
        if canceller == nil {
            if !obliging, chance(10) { return perform(registry.noCanceller()) }
            canceller = nextConnection
            tasks[nextConnection] = []
            nextConnection += 1
        }
        guard let canceller else { return }
        perform(registry.handOver(to: canceller))
    }

    private mutating func open(_ id: ForwardRegistry.ID, _ port: UInt16) {
        guard listening[port] == nil, let socket = registry.forwards[id]?.route.master.socket else { return }
        listening[port] = (socket, inode())
    }

    /// A gate does what it was told, and says so.
    mutating func work() {
        let busy = tasks.filter { !$0.value.isEmpty }.keys.sorted()
        guard let connection = busy.randomElement(using: &generator), let task = tasks[connection]?.removeFirst() else {
            return
        }
        switch task {
        case .open(let id, let port):
            if chance(12) { return saw(.down(.dead(errno: 2, .absent)), id, connection) }
            if chance(12) {
                saw(.unknown, id, connection)
                if chance(2) { late[port] = registry.forwards[id]?.route.master.socket }
                return
            }
            if listening[port] != nil || chance(8) { return saw(.refused, id, connection) }
            open(id, port)
            if chance(12) { return end(connection) }
            saw(.opened(masterPID: 0), id, connection)
        case .close(let id, let route):
            if !obliging, chance(12) { return saw(.unknown, id, connection) }
            // A master takes one request after the other.
            if late[route.localPort] == route.master.socket { late[route.localPort] = nil }
            if obliging || !chance(4), listening[route.localPort]?.master == route.master.socket {
                listening[route.localPort] = nil
            }
            saw(.closed, id, connection)
        }
    }

    /// The daemon is killed, its workers with it, and another one starts.
    private mutating func crash() {
        for left in tasks.values {
            if case .open(let id, let port)? = left.first, chance(2) { open(id, port) }
        }
        tasks = [:]
        canceller = nil
        registry = ForwardRegistry(uid: 1000)
        perform(registry.adopt(disk, masters: Self.masters, listeners))
        seen["crash", default: 0] += 1
    }

    mutating func endWorkers() {
        for connection in tasks.keys.sorted() where connection != canceller { end(connection) }
    }

    private mutating func check() {
        let forwards = registry.forwards.values
        for port in listening.filter({ $0.value.master != nil }).map(\.key) + late.map(\.key) {
            if !disk.values.contains(where: { $0.route.localPort == port }) {
                mistakes.append("port \(port) is open, or may open yet, and is forgotten")
            }
        }
        if Set(forwards.map(\.route.localPort)).count != forwards.count { mistakes.append("two forwards on one port") }
        if forwards.count > ForwardRegistry.maximumCount { mistakes.append("\(forwards.count) forwards") }
        for (id, forward) in registry.forwards {
            let hasOwner = forward.owner.map { tasks[$0] != nil } ?? false
            switch forward.phase {
            case .requested: mistakes.append("\(id) is requested, and nobody wrote it down")
            case .establishing where !hasOwner, .cancelling where !hasOwner:
                mistakes.append("\(id) is \(forward.phase), and nobody's")
            case .running where forward.inode == nil: mistakes.append("\(id) runs unseen")
            case .running, .dead:
                if forward.owner != nil { mistakes.append("\(id) is somebody's") }
            case .toCancel where forward.owner != nil && forward.owner != canceller:
                mistakes.append("\(id) has a strange canceller")
            case .establishing, .cancelling, .toCancel: break
            }
            if forward.phase == .dead, forward.reason.isEmpty { mistakes.append("\(id) is dead for no reason") }
        }
    }
}

@Suite("Registry of forwards against random events")
struct ForwardRegistryRandomTests {
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `no port stays open and forgotten, whatever happens, and the end closes all`(seed: UInt64) {
        var world = World(seed: seed)
        for _ in 0..<4_000 where world.mistakes.isEmpty { world.step() }
        #expect(world.mistakes == [])
        for text in [
            "forward established", "forward closed", "forward dead", "forward adopted", "forward not released",
        ] {
            #expect(world.seen[text, default: 0] > 0, "\(text) happened: \(world.seen)")
        }
        world.diskIsFull = false
        world.obliging = true
        world.stop()
        #expect(world.mistakes == [])
        #expect(world.registry.forwards == [:])
        #expect(world.late == [:])
        #expect(world.listening.values.allSatisfy { $0.master == nil })
    }
}

extension World {
    /// SIGTERM: every worker ends, and a canceller does its work to the end.
    fileprivate mutating func stop() {
        perform(registry.drain(listeners))
        endWorkers()
        for _ in 0..<1_000 where !registry.toCancel.isEmpty {
            tendCanceller()
            work()
        }
    }
}
