import IPC
import Testing

@testable import Exec
@testable import Gate
@testable import Mux

/// What cannot be judged, a stream of shell commands, is opened only where nothing is given away by it.
@Suite("Files over a shell")
struct ShellRequestsTests {
    private static func policy(
        exec: Bool = true, read: Bool = true, write: Bool = true, allowlist: [String]? = nil,
        transport: FileTransport? = nil
    ) -> PolicySnapshot {
        var capabilities = PolicySnapshot.Capabilities()
        (capabilities.exec, capabilities.fileRead, capabilities.fileWrite) = (exec, read, write)
        var host = PolicySnapshot.Host(
            name: "a", socket: "/a", user: "u", host: "h", execAllowlist: allowlist, capabilities: capabilities)
        host.fileTransport = transport
        return PolicySnapshot(hosts: [host], defaultHost: "a")
    }

    private static let content = ShellSession.content(nonce: "abcd1234", path: Array("/srv/f".utf8), offset: 7)

    /// Why the session is not opened; nil where a connection is asked for.
    private func refusal(_ session: ShellSession, _ policy: PolicySnapshot) throws -> SessionFailure? {
        var requests = MasterRequests(policy, number: 1)
        let asked = requests.openShell("a", session, for: 3, 7, now: 0)
        let taken = try #require(asked)
        if taken.id != nil {
            let report = GateReport(host: "a", call: 3, session)
            #expect(taken.actions == [.open(1, report, host: 0, policy: 1)])
            return nil
        }
        let actions = requests.noting(taken.actions)
        guard actions.count == 1, case .answer(7, .notOpened(let failure)) = actions[0] else {
            Issue.record("\(actions)")
            return nil
        }
        return failure
    }

    @Test func `a shell is opened where any command may run, or where the host's config names it`() throws {
        for session in [.requests, Self.content] {
            for allowed in [
                Self.policy(), Self.policy(transport: .shell), Self.policy(exec: false, transport: .shell),
                Self.policy(allowlist: [], transport: .shell),
                Self.policy(exec: false, read: false, allowlist: ["git "], transport: .shell),
            ] {
                let failure = try refusal(session, allowed)
                #expect(failure == nil, "\(allowed)")
            }
            for refused in [
                Self.policy(exec: false), Self.policy(allowlist: []), Self.policy(allowlist: ["cat "]),
                Self.policy(exec: false, allowlist: ["cat "]), Self.policy(transport: .sftp),
                Self.policy(exec: false, transport: .sftp),
            ] {
                let failure = try refusal(session, refused)
                #expect(failure == .refused(.filesOverShell), "\(refused)")
            }
            for none in [
                Self.policy(read: false, write: false), Self.policy(read: false, write: false, transport: .shell),
            ] {
                let failure = try refusal(session, none)
                #expect(failure == .refused(.fileAccess))
            }
        }
    }

    @Test func `a session that writes needs file_write, and words that a line can have`() throws {
        for policy in [Self.policy(write: false), Self.policy(write: false, transport: .shell)] {
            let failure = try refusal(Self.content, policy)
            #expect(failure == .refused(.otherAccess))
            let reading = try refusal(.requests, policy)
            #expect(reading == nil)
        }
        let path = Array("/f".utf8)
        for (nonce, path) in [
            ("x'; id; '", path), ("", path), ("$(id)1234", path), ("abcd1234", []), ("abcd1234", [0x2F, 0, 0x66]),
        ] {
            let failure = try refusal(.content(nonce: nonce, path: path, offset: 0), Self.policy())
            #expect(failure == .refused(.words), "\(nonce) \(path)")
        }
    }

    @Test func `the lines are the gate's own, and no byte of a path leaves its word`() throws {
        var requests = MasterRequests(Self.policy(), number: 3)
        _ = requests.openShell("a", .requests, 7, now: 0)
        let shell = try #require(MuxSession(command: "exec /bin/sh -s"))
        #expect(requests.connected(1).use == .ask(.session(shell), nil))
        #expect(
            requests.seen(1, .sessionOpened, now: 0) == [
                .tell(.shell, host: 0, policy: 3), .answer(requestID: 7, .opened),
            ])
        let odd = Array("/a'; id; '\n\\!".utf8) + [0xFF]
        let line = try #require(ShellLine.of(.content(nonce: "abcd1234", path: odd, offset: 0)))
        let end = #" sh '/a\0047; id; \0047\0012\0134\0041\0377'"#
        #expect(line.hasSuffix(end))
        let other = try #require(ShellLine.of(Self.content))
        #expect(other.contains("= 7 ]") && !other.contains("abcd1234"))
    }

    @Test func `a new policy is asked again on the way, and ends what it would not open`() throws {
        var requests = MasterRequests(Self.policy(), number: 1)
        _ = requests.openShell("a", .requests, 7, now: 0)
        requests.adopt(Self.policy(allowlist: ["git "]), number: 2, now: 0)
        let actions = requests.notConnected(1, .otherPolicy)
        #expect(
            requests.noting(actions) == [.close(1), .answer(requestID: 7, .notOpened(.refused(.filesOverShell)))])
        var open = MasterRequests(Self.policy(), number: 1)
        _ = open.openShell("a", .requests, 8, now: 0)
        _ = open.connected(1)
        _ = open.seen(1, .sessionOpened, now: 0)
        open.adopt(Self.policy(exec: false), number: 2, now: 1000)
        let limit = Self.policy().limits.maxTimeoutSeconds * 1000
        #expect(open.nextDeadline == 1000 + limit)
        #expect(open.advance(now: 1000 + limit) == [.close(1), .answer(requestID: 8, .ended)])
    }

    @Test func `SFTP is not opened where the config names the shell`() throws {
        var requests = MasterRequests(Self.policy(transport: .shell), number: 1)
        let asked = requests.openFiles("a", FileAccess(writes: true, base: nil), 7, now: 0)
        let taken = try #require(asked)
        #expect(taken.id == nil)
        #expect(requests.noting(taken.actions) == [.answer(requestID: 7, .notOpened(.refused(.otherAccess)))])
    }
}
