import Glibc
import IPC
import Synchronization
import TestSupport
import Testing

@testable import SFTP
@testable import SSH

/// A gate whose ControlMaster answers, and whose sessions are what the test makes of them.
private final class ScriptedGate: MasterGate {
    /// A session as the master has it.
    private struct Session {
        let heard: @Sendable (SessionWord) -> Void
        let pipes: SharedPipes
    }

    /// The session's ends of its pipes.
    private final class SharedPipes: Sendable {
        private let pipes: Mutex<PassedDescriptors>

        init(_ pipes: consuming PassedDescriptors) {
            self.pipes = Mutex(pipes)
        }

        func close() { pipes.withLock { $0 = PassedDescriptors() } }

        /// Writes to the session's standard output.
        func write(_ bytes: [UInt8]) {
            pipes.withLock { pipes in
                let input = pipes.take()
                let output = pipes.take()
                let error = pipes.take()
                guard let input, let output, let error else { return }
                #expect(Glibc.write(output.rawValue, bytes, bytes.count) == bytes.count)
                pipes = PassedDescriptors(input, output, error)
            }
        }
    }

    private let sessions = Mutex<[UInt32: Session]>([:])
    /// What is said of each session at once.
    private let words: [SessionWord]
    /// Requests for sessions, in order.
    let requests = Mutex<[GateRequest]>([])

    init(_ words: [SessionWord]) {
        self.words = words
    }

    let mark = Nonce.makeMark()
    func state(of host: String) async -> MasterState { .alive(masterPID: 1) }
    func takeNotice(of host: String, exports: Bool) {}
    func beginState(of host: String) -> Awaited<Judgement> { Awaited(.master(.alive(masterPID: 1))) }
    func judge(_ request: GateRequest) async -> Judgement { .master(.alive(masterPID: 1)) }

    func open(
        _ request: GateRequest, _ pipes: consuming PassedDescriptors, heard: @escaping @Sendable (SessionWord) -> Void
    ) -> UInt32 {
        let number = requests.withLock { requests in
            requests.append(request)
            return UInt32(requests.count)
        }
        let session = Session(heard: heard, pipes: SharedPipes(pipes))
        sessions.withLock { $0[number] = session }
        for word in words { say(word, of: number) }
        return number
    }

    func say(_ word: SessionWord, of number: UInt32 = 1) {
        guard let session = sessions.withLock({ $0[number] }) else { return }
        switch word {
        case .opened, .exited: break
        case .notOpened, .ended, .lost:
            session.pipes.close()
            sessions.withLock { $0[number] = nil }
        }
        session.heard(word)
    }

    func write(_ bytes: [UInt8]) { sessions.withLock { $0[1] }?.pipes.write(bytes) }

    func close(_ session: UInt32) { say(.ended, of: session) }
}

@Suite("A session that stays open", .timeLimit(.minutes(1)))
struct SSHChannelTests {
    private static let host = PolicySnapshot.Host(name: "box", socket: "/run/box", user: "u", host: "h")

    private func sessions(_ gate: ScriptedGate, count: Int = 2) -> HostSessions {
        // As in the worker: writing to what was closed is an error and no end.
        signal(SIGPIPE, SIG_IGN)
        return HostSessions(
            host: Self.host, sshPath: "/nonexistent", master: MasterSessions(sessions: count), gate: gate)
    }

    @Test func `a host that does not read what it is sent is given up`() async throws {
        let ended = Slot<SessionEnd>()
        let channel = try await sessions(ScriptedGate([.opened])).open(
            .files, receive: { _ in }, ended: { _ = ended.fill(.success($0)) })
        let taken = Mutex(0)
        let chunk = [UInt8](repeating: 1, count: 1 << 20)
        for _ in 0...(SSHChannel.mostQueued / chunk.count) { channel.send(chunk) { taken.withLock { $0 += 1 } } }
        let reason = try await ended.value()
        #expect(reason.said.contains("does not read"))
        // Nobody waits for ever.
        while taken.withLock({ $0 }) <= SSHChannel.mostQueued / chunk.count { await Task.yield() }
    }

    @Test func `the gate is asked for the host's files, and no program is run`() async throws {
        let gate = ScriptedGate([.opened])
        let came = Slot<[UInt8]>()
        let ended = Slot<SessionEnd>()
        let channel = try await sessions(gate).open(
            .files, receive: { _ = came.fill(.success(Array($0))) }, ended: { _ = ended.fill(.success($0)) })
        #expect(gate.requests.withLock { $0 } == [.sftp(host: "box", FileAccess(writes: false, base: nil))])
        gate.write([1, 2, 3])
        #expect(try await came.value() == [1, 2, 3])
        channel.close()
        #expect(try await ended.value().how == .ended)
    }

    @Test(arguments: [
        ([SessionWord.notOpened(.byHost)], SessionEnd.How.notOpened(.byHost), SFTPError.noSession(nil)),
        ([.notOpened(.down(.hung))], .notOpened(.down(.hung)), .masterDown(.hung)),
        ([.notOpened(.unknown(.closed))], .notOpened(.unknown(.closed)), .masterDown(.closed)),
        ([.notOpened(.refused(.fileAccess))], .notOpened(.refused(.fileAccess)), .notAllowed(.fileAccess)),
        (
            [.notOpened(.byMaster(reason: "Permission denied"))], .notOpened(.byMaster(reason: "Permission denied")),
            .notOpened(detail: "Permission denied")
        ),
        ([.opened, .ended], .ended, .noSubsystem(detail: "its session ended without a status")),
        ([.opened, .exited(127), .ended], .exited(127), .noSubsystem(detail: "its session ended with status 127")),
    ])
    func `each end of a session before its first packet is told apart`(
        words: [SessionWord], how: SessionEnd.How, error: SFTPError
    ) async throws {
        let ended = Slot<SessionEnd>()
        _ = try await sessions(ScriptedGate(words)).open(
            .files, receive: { _ in }, ended: { _ = ended.fill(.success($0)) })
        let end = try await ended.value()
        #expect(end.how == how)
        #expect(SFTPError.earlyEnd(end) == error)
    }

    @Test func `a session keeps its place until it has ended`() async throws {
        let gate = ScriptedGate([.opened])
        let sessions = sessions(gate, count: 1)
        let ended = Slot<SessionEnd>()
        _ = try await sessions.open(.files, receive: { _ in }, ended: { _ = ended.fill(.success($0)) })
        await #expect(throws: ExecFailure.self) {
            _ = try await sessions.open(.files, within: .milliseconds(50), receive: { _ in }, ended: { _ in })
        }
        gate.say(.ended)
        _ = try await ended.value()
        _ = try await sessions.open(.files, within: .seconds(20), receive: { _ in }, ended: { _ in })
        #expect(gate.requests.withLock { $0.count } == 2)
    }
}
