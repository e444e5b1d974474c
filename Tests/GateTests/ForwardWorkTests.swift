import Glibc
import IPC
import Mux
import Testing

@testable import Gate

/// One order about a forward, with a master that the tests play.
@Suite struct ForwardWorkTests {
    private static let master = Master(socket: "/run/box", user: "u", address: "h")
    private static let route = ForwardRoute(master: master, localPort: 20_000, target: .tcp(host: "db", port: 5432))
    private static let open = ForwardOrder.open(host: "box", route)
    private static let close = ForwardOrder.close(route)

    private struct Scene {
        let master: FakeMaster
        let work: ForwardWork

        /// The master has been greeted, has said that it lives, and has the order.
        init(_ order: ForwardOrder) throws {
            master = try FakeMaster()
            work = try #require(try ForwardWork(order, over: master.takeLinkEnd(), now: 100))
            #expect(work.begin() == nil)
            _ = try master.message()
            try master.say(.hello(version: 4))
            #expect(work.attend() == nil)
            #expect(try master.message() == [0x10, 0, 0, 4, 0, 0, 0, 1], "ALIVE_CHECK")
            try master.say(.alive(request: 1, masterPID: 4711))
            #expect(work.attend() == nil)
        }
    }

    /// OPEN_FWD or CLOSE_FWD, PROTOCOL.mux: the type, the request, a local forward, where it listens, where it leads.
    private static func message(_ type: UInt8) -> [UInt8] {
        func text(_ text: String) -> [UInt8] { [0, 0, 0, UInt8(text.utf8.count)] + Array(text.utf8) }
        return [0x10, 0, 0, type, 0, 0, 0, 2, 0, 0, 0, 1] + text("127.0.0.1") + [0, 0, 0x4E, 0x20] + text("db")
            + [0, 0, 0x15, 0x38]
    }

    @Test func `a master is asked who it is, then to listen, and the outcome has its process id`() throws {
        let scene = try Scene(Self.open)
        #expect(try scene.master.message() == Self.message(6))
        try scene.master.say(.ok(request: 2))
        #expect(scene.work.attend() == .opened(masterPID: 4711))
        #expect(scene.work.rawValue == nil, "the connection is closed")
        #expect(scene.work.deadline == 100 + ForwardWork.patience)
    }

    @Test func `the same to listen no more`() throws {
        let scene = try Scene(Self.close)
        #expect(try scene.master.message() == Self.message(7))
        try scene.master.say(.ok(request: 2))
        #expect(scene.work.attend() == .closed)
    }

    @Test func `a master that says no, says nothing, ends or talks nonsense`() throws {
        for order in [Self.open, Self.close] {
            let refusing = try Scene(order)
            _ = try refusing.master.message()
            try refusing.master.say(.failure(request: 2, reason: "port not found"))
            #expect(refusing.work.attend() == .refused)

            let silent = try Scene(order)
            _ = try silent.master.message()
            #expect(silent.work.timedOut() == .unknown, "it may carry it out yet")

            let strange = try Scene(order)
            _ = try strange.master.message()
            try strange.master.say(.ok(request: 3))
            #expect(strange.work.attend() == .unknown)
        }
    }

    @Test func `a master that does not say that it lives has heard of no forward`() throws {
        func outcome(_ act: (FakeMaster) throws -> Void) throws -> ForwardOutcome {
            let master = try FakeMaster()
            let work = try #require(try ForwardWork(Self.open, over: master.takeLinkEnd(), now: 0))
            #expect(work.begin() == nil)
            _ = try master.message()
            try act(master)
            return work.attend() ?? work.timedOut()
        }
        #expect(try outcome { _ in } == .down(.hung))
        #expect(try outcome { try $0.say(.hello(version: 4)) } == .down(.hung))
        #expect(try outcome { try $0.say(.hello(version: 5)) } == .down(.otherVersion(5)))
        #expect(try outcome { try $0.send(Array("HTTP/1.1 400 \r\n\r\n".utf8)) } == .down(.noMaster))
    }

    @Test func `what opens is judged by the policy of its host, what closes is not`() throws {
        var on = PolicySnapshot.Capabilities()
        on.portForward = true
        var hosts = [
            PolicySnapshot.Host(name: "box", socket: "/run/box", user: "u", host: "h", capabilities: on),
            PolicySnapshot.Host(name: "off", socket: "/run/box", user: "u", host: "h"),
        ]
        var policy = PolicySnapshot(hosts: hosts, defaultHost: "box")
        #expect(ForwardWork.refusal(of: Self.open, by: policy) == nil)
        #expect(
            ForwardWork.refusal(of: .open(host: "off", Self.route), by: policy) == .capability, "without the capability"
        )
        #expect(ForwardWork.refusal(of: .open(host: "none", Self.route), by: policy) == .capability, "no such host")
        for (key, value) in [
            (\Master.socket, "/run/other"), (\.user, "root"), (\.address, "elsewhere"),
        ] as [(WritableKeyPath<Master, String>, String)] {
            var route = Self.route
            route.master[keyPath: key] = value
            #expect(ForwardWork.refusal(of: .open(host: "box", route), by: policy) == .capability, "another master")
            #expect(ForwardWork.refusal(of: .close(route), by: policy) == nil)
        }
        var metadata = Self.route
        metadata.target = .tcp(host: "169.254.169.254", port: 5432)
        #expect(ForwardWork.refusal(of: .open(host: "box", metadata), by: policy) == .forwardAllowlist)
        for (list, isAllowed) in [([], false), (["db:1"], false), (["*:5432"], true)] as [([String], Bool)] {
            hosts[0].forwardAllowlist = list
            policy = PolicySnapshot(hosts: hosts, defaultHost: "box")
            #expect((ForwardWork.refusal(of: Self.open, by: policy) == nil) == isAllowed, "\(list)")
            #expect(ForwardWork.refusal(of: Self.close, by: policy) == nil)
        }
    }

    @Test func `what is no forward is none`() throws {
        for (port, host, remote) in [(0, "db", 1), (1, "", 1), (1, "a b", 1), (1, "db", 0)]
            as [(UInt16, String, UInt16)]
        {
            let master = try FakeMaster()
            let route = ForwardRoute(master: Self.master, localPort: port, target: .tcp(host: host, port: remote))
            #expect(try ForwardWork(.close(route), over: master.takeLinkEnd(), now: 0) == nil)
        }
    }
}
