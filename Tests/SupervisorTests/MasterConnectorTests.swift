import Glibc
import IPC
import TestSupport
import Testing

@testable import Supervisor

private let isRoot = geteuid() == 0
private let stranger: UInt32 = 65_534

/// The number of a child that has ended and was not reaped, waitid(2); 0 where there is none.
private func unreaped() -> pid_t {
    var info = siginfo_t()
    guard waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 else { return 0 }
    return info._sifields._kill.si_pid
}

/// In processes of their own: the user of one is changed, and children are counted.
@Suite("Connecting to ControlMasters", .timeLimit(.minutes(1)))
struct MasterConnectorTests {
    private static let asker = MasterConnector.Asker(gate: 1, purpose: .request(7))

    /// What became of a request, without the descriptor.
    private enum Seen: Equatable {
        case connected, failed(ConnectFailure)
    }

    private static func outcome(
        _ connector: MasterConnector, _ path: String, within milliseconds: Int32 = 10_000
    ) throws -> Seen {
        switch connector.connect(to: path, for: asker, now: Clock.milliseconds()) {
        case .failed(let failure): return .failed(failure)
        case .started(let started):
            var waiting = pollfd(fd: started.pidfd, events: Int16(POLLIN), revents: 0)
            try #require(poll(&waiting, 1, milliseconds) == 1)
            let ended = try #require(seen(connector, started.token))
            #expect(ended.asker == asker)
            return ended.seen
        }
    }

    private static func seen(_ connector: MasterConnector, _ token: UInt64) -> (
        asker: MasterConnector.Asker, seen: Seen
    )? {
        guard let ended = connector.ended(token) else { return nil }
        let asker = ended.asker
        switch ended.take() {
        case .connected(let socket):
            #expect(fcntl(socket.rawValue, F_GETFD) & FD_CLOEXEC != 0)
            var byte: UInt8 = 0x5A
            #expect(write(socket.rawValue, &byte, 1) == 1, "it is connected")
            return (asker, .connected)
        case .failed(let failure): return (asker, .failed(failure))
        }
    }

    private static func listener(_ path: String, backlog: Int32 = 8) throws -> OwnedFD {
        let socket = OwnedFD(taking: socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket.rawValue, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0 && listen(socket.rawValue, backlog) == 0)
        return socket
    }

    @Test func `who listens is connected to, and gets what is sent`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let listener = try Self.listener(directory.file("m"))
            let connector = MasterConnector()
            for _ in 0..<3 {
                #expect(try Self.outcome(connector, directory.file("m")) == .connected)
                let client = OwnedFD(taking: accept(listener.rawValue, nil, nil))
                var byte: UInt8 = 0
                #expect(read(client.rawValue, &byte, 1) == 1 && byte == 0x5A)
                #expect(read(client.rawValue, &byte, 1) == 0, "nobody else has that connection")
            }
            #expect(connector.count(of: 1) == 0 && connector.nextDeadline == nil)
            #expect(unreaped() == 0, "no process is left")
        }
    }

    @Test func `nobody, no socket and no directory are dead, each with its errno`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let connector = MasterConnector()
            func failure(_ path: String) throws -> Seen { try Self.outcome(connector, path) }
            #expect(try failure(directory.file("absent")) == .failed(.dead(errno: UInt32(ENOENT), .absent)))
            #expect(try failure(directory.file("a/b")) == .failed(.dead(errno: UInt32(ENOENT), .noDirectory)))
            symlink("nowhere", directory.file("to"))
            #expect(try failure(directory.file("to")) == .failed(.dead(errno: UInt32(ENOENT), .link)))
            #expect(try failure(directory.file("to/b")) == .failed(.dead(errno: UInt32(ENOENT), .absent)))
            #expect(try failure(directory.path) == .failed(.dead(errno: UInt32(ECONNREFUSED), .other)))
            try directory.write("file", "")
            #expect(try failure(directory.file("file")) == .failed(.dead(errno: UInt32(ECONNREFUSED), .other)))
            #expect(try failure(directory.file("file/x")) == .failed(.dead(errno: UInt32(ENOTDIR), .absent)))
            _ = try Self.listener(directory.file("left"))
            #expect(try failure(directory.file("left")) == .failed(.dead(errno: UInt32(ECONNREFUSED), .own)))
            let long = "/" + String(repeating: "x", count: 107)
            #expect(try failure(long) == .failed(.dead(errno: UInt32(ENAMETOOLONG), .absent)))
            #expect(try failure(long.dropLast() + "") == .failed(.dead(errno: UInt32(ENOENT), .absent)))
            symlink(directory.file("loop"), directory.file("loop"))
            #expect(try failure(directory.file("loop")) == .failed(.dead(errno: UInt32(ELOOP), .link)))
        }
    }

    @Test func `a full backlog is hung, and not waited for`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let listener = try Self.listener(directory.file("m"), backlog: 0)
            let connector = MasterConnector()
            #expect(try Self.outcome(connector, directory.file("m")) == .connected)
            #expect(try Self.outcome(connector, directory.file("m"), within: 1000) == .failed(.hung))
            _ = listener.rawValue
        }
    }

    @Test(.enabled(if: isRoot, "only root can be another user"))
    func `a listener of another user is foreign, one of root is not`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            chmod(directory.path, 0o777)
            #expect(seteuid(stranger) == 0)
            let other = try Self.listener(directory.file("other"))
            #expect(seteuid(0) == 0)
            // What its mode forbids is not reached by a capability of root.
            #expect(
                try Self.outcome(MasterConnector(), directory.file("other"))
                    == .failed(.dead(errno: UInt32(EACCES), .foreign(userID: stranger))))
            chmod(directory.file("other"), 0o777)
            let own = try Self.listener(directory.file("own"))
            chmod(directory.file("own"), 0o777)
            let ofRoot = MasterConnector()
            #expect(try Self.outcome(ofRoot, directory.file("other")) == .failed(.foreign(userID: stranger)))
            #expect(try Self.outcome(ofRoot, directory.file("own")) == .connected)
            let ofAnother = MasterConnector(userID: 12_345)
            #expect(try Self.outcome(ofAnother, directory.file("other")) == .failed(.foreign(userID: stranger)))
            #expect(try Self.outcome(ofAnother, directory.file("own")) == .connected)
            _ = (other.rawValue, own.rawValue)
        }
    }

    @Test func `without a descriptor left it is not asked, and no process stays`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let listener = try Self.listener(directory.file("m"))
            let connector = MasterConnector()
            #expect(try Self.outcome(connector, directory.file("m")) == .connected)
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            let usual = limit.rlim_cur
            // The lowest free number is the next one: first none is left, then one for the socket and none for its process.
            let next = dup(listener.rawValue)
            close(next)
            for room in 0...1 {
                limit.rlim_cur = rlim_t(next) + rlim_t(room)
                setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                #expect(
                    try Self.outcome(connector, directory.file("m")) == .failed(.unavailable(errno: UInt32(EMFILE))))
            }
            limit.rlim_cur = usual
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            #expect(unreaped() == 0, "no process is left")
            #expect(try Self.outcome(connector, directory.file("m")) == .connected)
        }
    }

    @Test func `no more processes than the bound, and what is given up is not answered twice`() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let listener = try Self.listener(directory.file("m"), backlog: 200)
            let connector = MasterConnector()
            var started: [MasterConnector.Started] = []
            for index in 0..<MasterConnector.maximum {
                let asker = MasterConnector.Asker(gate: UInt64(index % 2), purpose: .request(UInt32(index)))
                guard case .started(let one) = connector.connect(to: directory.file("m"), for: asker, now: 0) else {
                    Issue.record("\(index) was not started")
                    return
                }
                started.append(one)
            }
            #expect(connector.count(of: 0) == MasterConnector.maximum / 2)
            guard case .failed(let failure) = connector.connect(to: directory.file("m"), for: Self.asker, now: 0) else {
                Issue.record("one more was started")
                return
            }
            #expect(failure == .unavailable(errno: UInt32(EAGAIN)))
            #expect(connector.nextDeadline == MasterConnector.patience)
            #expect(connector.advance(now: MasterConnector.patience - 1).isEmpty)
            connector.forget(0)
            let late = connector.advance(now: MasterConnector.patience)
            #expect(late.count == MasterConnector.maximum / 2 && late.allSatisfy { $0.gate == 1 })
            #expect(connector.advance(now: .max).isEmpty && connector.nextDeadline == nil)
            // As long as one that was given up has not ended, its path is not tried again.
            guard case .failed(.hung) = connector.connect(to: directory.file("m"), for: Self.asker, now: 0) else {
                Issue.record("a path that hangs was tried again")
                return
            }
            for one in started {
                var waiting = pollfd(fd: one.pidfd, events: Int16(POLLIN), revents: 0)
                #expect(poll(&waiting, 1, 10_000) == 1)
                #expect(Self.seen(connector, one.token) == nil)
            }
            #expect(unreaped() == 0, "no process is left")
            #expect(try Self.outcome(connector, directory.file("m")) == .connected)
            _ = listener.rawValue
        }
    }
}
