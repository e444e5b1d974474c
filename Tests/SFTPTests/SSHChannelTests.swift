import Glibc
import IPC
import Synchronization
import TestSupport
import Testing

@testable import SFTP
@testable import SSH

@Suite("A session that stays open", .timeLimit(.minutes(1)))
struct SSHChannelTests {
    @Test func `a host that does not read what it is sent is given up`() async throws {
        // As in the worker: writing to what was killed is an error and no end.
        signal(SIGPIPE, SIG_IGN)
        let place = try TemporaryDirectory()
        // In the place of ssh: it lives and reads nothing.
        let program = try place.writeProgram("ssh", "#!/bin/sh\nexec /bin/sleep 100\n")
        let host = PolicySnapshot.Host(name: "box", socket: "/run/box", user: "u", host: "h")
        let sessions = HostSessions(host: host, sshPath: program, master: MasterSessions(sessions: 2))
        let ended = Slot<SessionEnd>()
        let channel = try await sessions.open(
            .subsystem("sftp"), receive: { _ in }, ended: { _ = ended.fill(.success($0)) })
        let taken = Mutex(0)
        let chunk = [UInt8](repeating: 1, count: 1 << 20)
        for _ in 0...(SSHChannel.mostQueued / chunk.count) { channel.send(chunk) { taken.withLock { $0 += 1 } } }
        let reason = try await ended.value()
        #expect(reason.said.contains("does not read"))
        // Nobody waits for ever.
        while taken.withLock({ $0 }) <= SSHChannel.mostQueued / chunk.count { await Task.yield() }
    }
}
