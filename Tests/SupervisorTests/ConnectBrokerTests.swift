import CProbes
import Foundation
import Glibc
import IPC
import TestSupport
import Testing

@testable import Sandbox
@testable import Supervisor

/// What a process under the filter of `"transport": "ssh"` connects: each test has such a thread in a process of its own.
@Suite struct ConnectBrokerTests {
    /// Runs `body` on a thread that is confined as far as a thread can be, with a broker that has its listener.
    static func confined(_ body: @escaping @Sendable () -> Int32, _ broker: (ConnectBroker) throws -> Void) throws
        -> Int32
    {
        var end: OwnedFD?
        let own = try ConnectBroker(workerEnd: &end)
        guard let number = end.take()?.release() else { exit(90) }
        let done = DispatchSemaphore(value: 0)
        let handed = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var result: Int32 = -1
        try Limits.worker.apply()
        Thread.detachNewThread {
            do {
                let listener = try SeccompFilter.loadWithListener(SSHSyscalls.rules)
                let descriptor: OwnedFD? = OwnedFD(taking: listener)
                try Channel(taking: OwnedFD(taking: number)).send(ListenerMessage.listener, descriptor: descriptor)
            } catch {
                exit(91)
            }
            handed.signal()
            result = body()
            done.signal()
        }
        handed.wait()
        try own.takeListener()
        try broker(own)
        guard done.wait(timeout: .now() + 20) == .success else { exit(92) }
        return result
    }

    /// Looks at the listener until a call is answered, for at most 20 seconds.
    static func connection(_ broker: ConnectBroker, refuse: Bool = false) -> OwnedFD? {
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            switch broker.next(refuse: refuse, now: 0) {
            case .connection(let socket): return socket
            case .other: if refuse { return nil }
            case .nothing: poll(nil, 0, 1)
            case .over: exit(93)
            }
        }
        exit(94)
    }

    @Test func `wherever a call wants to go, it comes to the gate, and to nobody else`() async throws {
        await #expect(processExitsWith: .success) {
            let directory = "/tmp/csd-broker-\(getpid())"
            mkdir(directory, 0o700)
            let path = directory + "/s"
            let listening = probe_listen(path)
            guard listening >= 0 else { exit(80) }
            let result = try ConnectBrokerTests.confined({
                for target in ["/nonexistent/x", path, "/etc/passwd", ""] {
                    let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
                    guard number >= 0 else { return 1 }
                    var address = sockaddr_un()
                    address.sun_family = sa_family_t(AF_UNIX)
                    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: target.utf8) }
                    let connected = withUnsafePointer(to: &address) {
                        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                            connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                        }
                    }
                    guard connected == 0 else { return 2 }
                    var bytes = Array(target.utf8) + [0x0A]
                    guard write(number, &bytes, bytes.count) == bytes.count else { return 3 }
                }
                // No other kind of socket, and no pointer that is read.
                guard socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0) == -1, errno == EACCES else {
                    return 4
                }
                guard socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) == -1, errno == EACCES else { return 5 }
                return connect(0, nil, 0) == 0 ? 0 : 6
            }) { broker in
                for target in ["/nonexistent/x", path, "/etc/passwd", ""] {
                    guard let socket = ConnectBrokerTests.connection(broker) else { exit(81) }
                    var bytes = [UInt8](repeating: 0, count: 100)
                    var waiting = pollfd(fd: socket.rawValue, events: Int16(POLLIN), revents: 0)
                    guard poll(&waiting, 1, 20_000) == 1 else { exit(82) }
                    let count = read(socket.rawValue, &bytes, bytes.count)
                    guard count > 0, bytes[..<count].elementsEqual(target.utf8 + [0x0A]) else { exit(83) }
                }
                guard ConnectBrokerTests.connection(broker) != nil else { exit(84) }
            }
            guard result == 0 else { exit(70 + result) }
            // The one that listens there has got nobody.
            guard fcntl(listening, F_SETFL, O_NONBLOCK) == 0, accept(listening, nil, nil) == -1, errno == EAGAIN else {
                exit(85)
            }
            unlink(path)
            rmdir(directory)
            exit(0)
        }
    }

    @Test func `where there is no gate, a call fails as if nobody listened`() async throws {
        await #expect(processExitsWith: .success) {
            let result = try ConnectBrokerTests.confined({
                let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
                return connect(number, nil, 0) == -1 && errno == ECONNREFUSED ? 0 : 1
            }) { broker in
                guard ConnectBrokerTests.connection(broker, refuse: true) == nil else { exit(81) }
            }
            exit(result)
        }
    }

    @Test func `only a listener is taken for one, and only one message`() throws {
        for path in ["/dev/null", "/tmp"] {
            var end: OwnedFD?
            let broker = try ConnectBroker(workerEnd: &end)
            let wrong: OwnedFD? = OwnedFD(taking: open(path, O_RDONLY | O_CLOEXEC))
            guard let workerEnd = end.take() else { throw IPCError.closed }
            try Channel(taking: workerEnd).send(ListenerMessage.listener, descriptor: wrong)
            #expect(throws: IPCError.badValue) { try broker.takeListener() }
            #expect(broker.listenerNumber == nil && broker.handOverNumber == nil)
        }
        var end: OwnedFD?
        let broker = try ConnectBroker(workerEnd: &end)
        end = nil
        #expect(throws: IPCError.closed) { try broker.takeListener() }
    }

    @Test func `at most 16 connections wait for the gate, and then none is taken before it takes notice of one`() throws
    {
        var end: OwnedFD?
        let broker = try ConnectBroker(workerEnd: &end)
        #expect(FromGate.maximumSSHConnections == 16)
        for count in 0..<FromGate.maximumSSHConnections {
            #expect(broker.isReady && broker.outstanding == count)
            broker.outstanding += 1
        }
        #expect(!broker.isReady)
        broker.outstanding -= 1
        #expect(broker.isReady)
    }
}
